"""What two versions of a package differ in, file by file."""

import difflib
import io
from collections.abc import Mapping
from dataclasses import dataclass

# Comparing grows with the square of the lines: beyond this it would hold up the requests of a worker.
_MAX_LINES = 5000
_MAX_BYTES = 512 * 1024


@dataclass(frozen=True, slots=True)
class Difference:
    """
    Args:
        change: "added", "removed" or "changed".
        diff: Unified, as `diff -u` has it; "" where the contents are no text, or too long to compare.
        is_text: Whether there is one.
    """

    path: str
    change: str
    diff: str
    is_text: bool
    bytes_before: int
    bytes_after: int


def differences(before: Mapping[str, bytes], after: Mapping[str, bytes], names: tuple[str, str]) -> list[Difference]:
    """
    Return what changed, by path.

    Args:
        names: What the two are called, e.g. ("version 3", "version 4").
    """
    paths = sorted(path for path in {**before, **after} if before.get(path) != after.get(path))
    return [_difference(path, before.get(path), after.get(path), names) for path in paths]


def _difference(path: str, before: bytes | None, after: bytes | None, names: tuple[str, str]) -> Difference:
    change = "added" if before is None else "removed" if after is None else "changed"
    old, new = _lines(before or b""), _lines(after or b"")
    sizes = len(before or b""), len(after or b"")
    if old is None or new is None:
        return Difference(path, change, "", False, *sizes)
    from_name = "/dev/null" if before is None else f"a/{path}"
    to_name = "/dev/null" if after is None else f"b/{path}"
    lines = difflib.unified_diff(old, new, from_name, to_name, *names)
    return Difference(path, change, "".join(_whole(line) for line in lines), True, *sizes)


def _lines(content: bytes) -> list[str] | None:
    if len(content) > _MAX_BYTES or b"\0" in content:
        return None
    try:
        # Lines as editors have them: a form feed ends none.
        lines = list(io.StringIO(content.decode(), newline="\n"))
    except UnicodeDecodeError:
        return None
    return lines if len(lines) <= _MAX_LINES else None


def _whole(line: str) -> str:
    return line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
