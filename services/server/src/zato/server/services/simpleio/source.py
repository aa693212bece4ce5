"""Where in its file a declaration is, for the message that refuses it."""

import ast
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType


def line_of(module: ModuleType, class_name: str, attribute: str) -> int:
    """Return the line that sets the attribute of the class or of a class inside it; else the class's own; 0 if unknown."""
    try:
        tree = ast.parse(Path(module.__file__ or "").read_bytes())
    except (OSError, SyntaxError, ValueError):
        return 0
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == class_name:
            return next(iter(_assignments(node.body, attribute)), node.lineno)
    return 0


def _assignments(body: Iterable[ast.stmt], attribute: str) -> Iterable[int]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            if node.name == attribute:
                yield node.lineno
            yield from _assignments(node.body, attribute)
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        if any(isinstance(target, ast.Name) and target.id == attribute for target in targets):
            yield node.lineno
