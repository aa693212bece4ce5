"""From entries of files to objects of our kinds."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from zato.common.spelling import did_you_mean
from zato.server.enmasse.files import Contents, Entry
from zato.server.enmasse.findings import ERROR, SKIPPED, WARNING, Findings, Place
from zato.server.enmasse.published import SECTIONS, ByType, PublishedKind
from zato.server.enmasse.references import References, is_reference

_COMMON = ("name", "is_active")
_FLAGS = {**dict.fromkeys(("true", "yes", "on", "1"), True), **dict.fromkeys(("false", "no", "off", "0"), False)}
# How much a name is like a known one that is the known one with a mistake.
_MISSPELT = 0.85


@dataclass(frozen=True, slots=True)
class FileObject:
    """
    One object as the server is asked for it.

    Args:
        lines: Where each option is, by our name of it.
    """

    kind: str
    name: str
    values: Mapping[str, Any] = field(repr=False)
    place: Place
    lines: Mapping[str, int]

    def place_of(self, option: str) -> Place:
        return Place(self.place.file, self.lines.get(option, self.place.line))


@dataclass(frozen=True, slots=True)
class Options:
    """What a kind's options are, from its description: types by name, and which are secrets."""

    types: Mapping[str, str]
    secrets: frozenset[str]

    @classmethod
    def of(cls, kind: Mapping[str, Any]) -> "Options":
        types = {option["name"]: option["type"] for option in kind["options"]}
        return cls(types, frozenset(option["name"] for option in kind["options"] if option["secret"]))


def wanted_objects(
    contents: Contents, kinds: Iterable[Mapping[str, Any]], references: References, findings: Findings
) -> list[FileObject]:
    """
    Return the objects that files ask for.

    Args:
        kinds: Descriptions of those that the cluster has.
    """
    known = {kind["name"]: Options.of(kind) for kind in kinds}
    reader = _Reader(known, references, findings)
    for section, place in contents.sections.items():
        what = SECTIONS.get(section)
        if section not in known and what is None:
            names = [*known, *SECTIONS]
            # What is written wrong would be left out in silence, or pruned; of what others have, files may tell.
            severity = ERROR if did_you_mean(section, names, likeness=_MISSPELT) else WARNING
            hint = did_you_mean(section, names, "; 'zato kind list' has them all")
            findings.add(severity, place, f"there is no kind '{section}'{hint}")
        elif isinstance(what, str):
            findings.add(SKIPPED, place, f"{section}: there are no objects for {what} here yet")
    found: dict[tuple[str, str], FileObject] = {}
    for entry in contents.entries:
        made = reader.read(entry)
        if made is None:
            continue
        first = found.setdefault((made.kind, made.name), made)
        if first is not made:
            findings.add(ERROR, made.place, f"{made.kind} '{made.name}' is there twice, the first time in {first.place}")
    if secrets := reader.readable_secrets:
        text = (
            f"{len(secrets)} secrets are in the files for all to read, this is the first: 'env:NAME' or 'file:PATH' name them"
        )
        findings.add(WARNING, secrets[0], text if len(secrets) > 1 else "a secret is in the file: 'env:NAME' would name it")
    return list(found.values())


def readable_sections(kinds: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Return the top-level keys that `wanted_objects` makes objects of."""
    published = (section for section, what in SECTIONS.items() if not isinstance(what, str))
    return frozenset({*(kind["name"] for kind in kinds), *published})


@dataclass(frozen=True)
class _Reader:
    known: Mapping[str, Options]
    references: References
    findings: Findings
    readable_secrets: list[Place] = field(default_factory=list)

    def read(self, entry: Entry) -> FileObject | None:
        """Return nothing of what is skipped, or wrong; that is said."""
        if entry.section in self.known:
            return self._made(_named(entry, PublishedKind(entry.section)), entry.section, is_published=False)
        published: Any = SECTIONS[entry.section]
        if isinstance(published, ByType):
            published = self._of_type(entry, published)
            if published is None:
                return None
        if isinstance(published, str):
            self._skip(entry, f"there are no objects for {published} here yet")
            return None
        if published.kind not in self.known:
            self._skip(entry, f"no part of this cluster has registered the kind {published.kind}")
            return None
        return self._made(self._translated(entry, published), published.kind, is_published=True)

    def _of_type(self, entry: Entry, by_type: ByType) -> PublishedKind | str | None:
        given = next((str(entry.values[key]) for key in by_type.keys if entry.values.get(key)), "")
        if not given:
            key = by_type.keys[0]
            self.findings.add(ERROR, entry.place, f"{_what(entry)} has no '{key}': one of {', '.join(by_type.kinds)}")
            return None
        return by_type.kinds.get(given, f"'{given}'")

    def _skip(self, entry: Entry, reason: str) -> None:
        self.findings.add(SKIPPED, entry.place, f"{_what(entry)}: {reason}")

    def _translated(self, entry: Entry, published: PublishedKind) -> Entry | None:
        named = _named(entry, published)
        options = self.known[published.kind]
        values = dict(published.defaults)
        for name, value in named.values.items():
            if value is None or published.is_meaningless(name):
                continue
            if name not in options.types and name not in _COMMON:
                hint = did_you_mean(name, options.types)
                text = f"{_what(entry)}: '{name}' has no counterpart in {published.kind} and is left out{hint}"
                self.findings.add(WARNING, named.place_of(name), text)
                continue
            values[name] = value
        texts = {name: text for name, text in named.texts.items() if values.get(name) is named.values[name]}
        return self._converted(dataclasses.replace(named, values=values, texts=texts), published)

    def _converted(self, entry: Entry, published: PublishedKind) -> Entry | None:
        values, texts = dict(entry.values), dict(entry.texts)
        for option, convert in published.converts.items():
            if option not in values:
                continue
            try:
                # Variables come first: what they hold has to be converted too.
                resolved = self.references.resolve(values[option], entry.place.file.parent, is_published=True)
            except ValueError:
                continue  # is said when all values are resolved
            try:
                values[option] = convert(resolved)
            except ValueError as exc:
                self._skip(entry, str(exc))
                return None
            texts.pop(option, None)
        return dataclasses.replace(entry, values=values, texts=texts)

    def _made(self, entry: Entry | None, kind: str, *, is_published: bool) -> FileObject | None:
        if entry is None:
            return None
        options = self.known[kind]
        values: dict[str, Any] = {}
        for key, value in entry.values.items():
            is_secret = key in options.secrets
            # A number may be meant as text: then it is the one that is written.
            is_text = options.types.get(key, "str" if key == "name" else "") in ("str", "list")
            written = entry.texts.get(key, value) if is_text and value is not None else value
            try:
                folder = entry.place.file.parent
                values[key] = self.references.resolve(written, folder, is_secret=is_secret, is_published=is_published)
            except ValueError as exc:
                self.findings.add(ERROR, entry.place_of(key), f"{_what(entry)}, '{key}': {exc}")
                continue
            if is_secret and written and not is_reference(written):
                self.readable_secrets.append(entry.place_of(key))
        name = values.pop("name", None)
        if not isinstance(name, str) or not name:
            self.findings.add(ERROR, entry.place, f"an object of '{entry.section}' has no name")
            return None
        if isinstance(values.get("is_active"), str):
            is_active = _FLAGS.get(values["is_active"].lower())
            if is_active is None:
                text = f"{_what(entry)}, 'is_active': takes true or false, not '{values['is_active']}'"
                self.findings.add(ERROR, entry.place_of("is_active"), text)
                return None
            values["is_active"] = is_active
        return FileObject(kind, name, values, entry.place, entry.lines)


def _named(entry: Entry, published: PublishedKind) -> Entry:
    """Return the entry with our names of options."""

    def ours(name: str) -> str:
        return published.options.get(name, name)

    if not published.options:
        return entry
    return Entry(
        entry.section,
        {ours(name): value for name, value in entry.values.items()},
        {ours(name): text for name, text in entry.texts.items()},
        {ours(name): line for name, line in entry.lines.items()},
        entry.place,
    )


def _what(entry: Entry) -> str:
    return f"{entry.section} '{entry.values.get('name', '')}'"
