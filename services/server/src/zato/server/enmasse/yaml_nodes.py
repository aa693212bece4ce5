"""YAML and JSON with the line that each value is on."""

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

_DEEPEST = 20
_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_SURROGATES = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")


class NotYAML(Exception):
    """`text` says what is wrong in `line`."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line
        self.text = text


class Value:
    """
    One value of a document.

    Args:
        plain: What Python makes of it: dicts, lists, texts, numbers.
        text: Of a scalar, as it is written.
    """

    __slots__ = ("_children", "_keys", "line", "plain", "text")

    def __init__(self, plain: Any, line: int, text: str | None = None) -> None:
        self.plain = plain
        self.line = line
        self.text = text
        self._keys: list[tuple[str, int]] = []
        self._children: list[Value] = []

    @classmethod
    def of(cls, plain: Any) -> "Value":
        """Make one, with all that is in it, where no lines are known."""
        made = cls(plain, 0, str(plain) if not isinstance(plain, dict | list) else None)
        if isinstance(plain, dict):
            made._keys = [(key, 0) for key in plain]
            made._children = [cls.of(each) for each in plain.values()]
        elif isinstance(plain, list):
            made._children = [cls.of(each) for each in plain]
        return made

    @classmethod
    def of_node(cls, node: yaml.Node, constructor: yaml.constructor.SafeConstructor, depth: int = 0) -> "Value":
        line = node.start_mark.line + 1
        if depth > _DEEPEST:
            raise NotYAML(line, f"lists and objects are nested deeper than {_DEEPEST} levels here")
        if isinstance(node, yaml.MappingNode):
            constructor.flatten_mapping(node)
            made = cls({}, line)
            for key, value in node.value:
                child = cls.of_node(value, constructor, depth + 1)
                name = key.value if isinstance(key, yaml.ScalarNode) else ""
                made._keys.append((name, key.start_mark.line + 1))
                made._children.append(child)
                made.plain[name] = child.plain
            return made
        if isinstance(node, yaml.SequenceNode):
            made = cls([], line)
            made._children = [cls.of_node(each, constructor, depth + 1) for each in node.value]
            made.plain = [child.plain for child in made._children]
            return made
        return cls(_scalar(node, constructor), line, node.value)

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.plain, dict)

    @property
    def is_list(self) -> bool:
        return isinstance(self.plain, list)

    def items(self) -> Iterator[tuple[str, int, "Value"]]:
        """Yield key, the key's line, and value, of a mapping."""
        for (key, line), child in zip(self._keys, self._children, strict=True):
            yield key, line, child

    def elements(self) -> Iterator["Value"]:
        return iter(self._children if self.is_list else ())

    def find_lines(self, text: str, first_line: int) -> None:
        """Find the lines of keys, `key = …` in `text`, which begins in `first_line`."""
        for index, (key, _) in enumerate(self._keys):
            found = re.search(rf"(?m)^[ \t]*[\"']?{re.escape(key)}[\"']?[ \t]*=", text)
            if found:
                self._keys[index] = (key, first_line + text.count("\n", 0, found.end()))


def parse_yaml(text: str) -> Value:
    """Raises NotYAML."""
    if unfit := re.search("[\0-\x08\x0b\x0c\x0e-\x1f\x7f]", text):
        raise NotYAML(text.count("\n", 0, unfit.start()) + 1, f"has a control character, {unfit[0]!r}")
    try:
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
        return Value({}, 1) if node is None else Value.of_node(node, yaml.constructor.SafeConstructor())
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        raise NotYAML(mark.line + 1 if mark else 0, f"is not valid YAML: {exc.problem or exc.context}") from exc
    except (yaml.YAMLError, ValueError) as exc:
        raise NotYAML(0, f"is not valid YAML: {exc}") from exc


def parse_json(text: str) -> Value:
    """Raises NotYAML. JSON is read as YAML once it is known to be valid, for the sake of its lines."""
    if not text.strip():
        return Value({}, 1)
    try:
        plain = json.loads(text)
    except ValueError as exc:
        raise NotYAML(getattr(exc, "lineno", 0), f"is not valid JSON: {getattr(exc, 'msg', exc)}") from exc
    with_characters = _SURROGATES.sub(lambda match: str(json.loads(f'"{match[0]}"')), text)
    try:
        value = parse_yaml(with_characters.replace("\t", " "))
    except NotYAML:
        return Value.of(plain)  # what JSON may hold and YAML not: better without lines than not at all
    return value if value.plain == plain else Value.of(plain)


def _scalar(node: yaml.Node, constructor: yaml.constructor.SafeConstructor) -> Any:
    # Dates stay as they are written: our kinds take them as text.
    if node.tag == _TIMESTAMP:
        return node.value
    plain: Any = constructor.construct_object(node)
    return plain
