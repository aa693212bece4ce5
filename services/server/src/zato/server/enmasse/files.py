"""
Files of objects. Each top-level key is a kind, below it are its objects:

    channel-http:
      - name: orders
        url_path: /orders
        service: orders.get

`include:` lists more files, and `protect:` patterns of objects that pruning leaves alone.
"""

import re
import tomllib
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zato.server.enmasse.findings import ERROR, Findings, Place
from zato.server.enmasse.yaml_nodes import NotYAML, Value, parse_json, parse_yaml

SUFFIXES = (".yaml", ".yml", ".json", ".toml")
_INCLUDE, _PROTECT = "include", "protect"
# How 2.0 names a file that stands for one object of a list.
_FILE_URL = "file://"


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One object of a file, as it is written there.

    Args:
        section: The key above it.
        values: By their keys. `texts` are the same, when they are scalars, as written: "1.10" rather than 1.1.
        lines: Where each key is.
    """

    section: str
    values: Mapping[str, Any]
    texts: Mapping[str, str]
    lines: Mapping[str, int]
    place: Place

    def place_of(self, key: str) -> Place:
        return Place(self.place.file, self.lines.get(key, self.place.line))


@dataclass(slots=True)
class Contents:
    """
    What files have, in their order.

    Args:
        known: Sections that are read. Others may have any form.
        sections: Every top-level key below which there is something, with where it is first.
    """

    known: Container[str]
    entries: list[Entry] = field(default_factory=list)
    sections: dict[str, Place] = field(default_factory=dict)
    protected: list[str] = field(default_factory=list)


def read_files(paths: Iterable[Path], known: Container[str], findings: Findings) -> Contents:
    """Read files, all files of folders, and what they include."""
    contents = Contents(known)
    seen: set[Path] = set()
    for path in paths:
        for file in _files_of(path, findings):
            _read_file(file, contents, seen, findings)
    return contents


def _files_of(path: Path, findings: Findings) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(each for each in path.iterdir() if each.suffix in SUFFIXES)
    if not found:
        findings.add(ERROR, Place(path), f"no file in this folder ends with {', '.join(SUFFIXES)}")
    return found


def _read_file(file: Path, contents: Contents, seen: set[Path], findings: Findings) -> None:
    resolved = file.resolve()
    if resolved in seen:
        return
    seen.add(resolved)
    document = _document(file, findings)
    if document is None:
        return
    if not document.is_mapping:
        findings.add(ERROR, Place(file, document.line), "a file has kinds at its top, and lists of objects below them")
        return
    for key, key_line, value in document.items():
        place = Place(file, key_line)
        if key == _INCLUDE:
            _include(value, file, contents, seen, findings)
        elif key == _PROTECT:
            contents.protected.extend(text for text, _ in _texts(value, place, "patterns of names", findings))
        elif value.plain:
            contents.sections.setdefault(key, place)
            if key in contents.known:
                contents.entries.extend(_entries(key, value, file, findings))


def _document(file: Path, findings: Findings) -> Value | None:
    try:
        text = file.read_text(encoding="utf-8-sig")
        if file.suffix == ".toml":
            return _toml(text)
        return parse_json(text) if file.suffix == ".json" else parse_yaml(text)
    except (OSError, UnicodeDecodeError) as exc:
        findings.add(ERROR, Place(file), f"cannot be read: {getattr(exc, 'strerror', None) or exc}")
    except tomllib.TOMLDecodeError as exc:
        findings.add(ERROR, Place(file), f"is not valid TOML: {exc}")
    except NotYAML as exc:
        findings.add(ERROR, Place(file, exc.line), exc.text)
    return None


def _include(value: Value, file: Path, contents: Contents, seen: set[Path], findings: Findings) -> None:
    for pattern, line in _texts(value, Place(file, value.line), "names of files", findings):
        pattern = pattern.removeprefix(_FILE_URL)
        if Path(pattern).is_absolute():
            found = [Path(pattern)]
        else:
            found = sorted(file.parent.glob(pattern)) if re.search(r"[*?\[]", pattern) else [file.parent / pattern]
        if not found:
            findings.add(ERROR, Place(file, line), f"no file is named like {pattern}")
        for each in found:
            _read_file(each, contents, seen, findings)


def _texts(value: Value, place: Place, what: str, findings: Findings) -> Iterator[tuple[str, int]]:
    for each in [value] if isinstance(value.plain, str) else value.elements():
        if isinstance(each.plain, str):
            yield each.plain, each.line
        else:
            findings.add(ERROR, Place(place.file, each.line), f"takes a list of {what}")


def _entries(section: str, value: Value, file: Path, findings: Findings) -> Iterator[Entry]:
    if not value.is_list:
        findings.add(ERROR, Place(file, value.line), f"'{section}' takes a list of objects, each with a name")
        return
    for each in value.elements():
        if isinstance(each.plain, str) and each.plain.startswith(_FILE_URL):
            yield from _object_of_a_file(section, file.parent / each.plain.removeprefix(_FILE_URL), findings)
        elif each.is_mapping:
            yield _entry(section, each, file, findings)
        else:
            findings.add(ERROR, Place(file, each.line), f"'{section}' takes objects with options by their names here")


def _object_of_a_file(section: str, file: Path, findings: Findings) -> Iterator[Entry]:
    document = _document(file, findings)
    if document is not None and document.is_mapping:
        yield _entry(section, document, file, findings)
    elif document is not None:
        findings.add(ERROR, Place(file, document.line), "an included file has one object: options by their names")


def _entry(section: str, value: Value, file: Path, findings: Findings) -> Entry:
    values: dict[str, Any] = {}
    texts: dict[str, str] = {}
    lines: dict[str, int] = {}
    for key, line, each in value.items():
        if key in values:
            findings.add(ERROR, Place(file, line), f"'{key}' is there twice, the first time in line {lines[key]}")
            continue
        values[key], lines[key] = each.plain, line
        if each.text is not None:
            texts[key] = each.text
    return Entry(section, values, texts, lines, Place(file, value.line))


def _toml(text: str) -> Value:
    """TOML tells no lines, so these are looked for: of [[kind]], and of the keys up to the next one."""
    value = Value.of(tomllib.loads(text))
    headers = [(match[1].strip("\"' "), match.start()) for match in re.finditer(r"(?m)^[ \t]*\[\[([^\]]+)\]\]", text)]
    for kind, _, objects in value.items():
        starts = [position for header, position in headers if header == kind]
        if not objects.is_list or len(starts) != len(list(objects.elements())):
            continue
        for each, start in zip(objects.elements(), starts, strict=True):
            each.line = text.count("\n", 0, start + 1) + 1
            end = next((position for _, position in headers if position > start), len(text))
            each.find_lines(text[start:end], each.line)
    return value
