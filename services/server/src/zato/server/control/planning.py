"""What has to change so that the configuration becomes the wanted one. Nothing here touches a database."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from zato.common.errors import InvalidOptions
from zato.common.kinds import Kind, KindRegistry
from zato.common.options import declared_options, option_values, parse_options
from zato.common.spelling import or_list
from zato.server.control.objects import bad_reference, split_values, stored_after

# Kind and name.
Key = tuple[str, str]

CREATE, EDIT, DELETE = "create", "edit", "delete"
# Objects that parts of the platform make for themselves: no set of files knows them, so none may delete them.
_PLATFORM_PREFIX = "zato."
# For so many names that there are none of, a similar one is looked for, which takes a while among many.
MOST_HINTS = 20


@dataclass(frozen=True, slots=True)
class ObjectState:
    """One object as it is, or shall be. `options` holds secrets in clear, and other objects by their names."""

    kind: Kind
    name: str
    is_active: bool
    options: Mapping[str, Any] = field(repr=False)

    @property
    def key(self) -> Key:
        return self.kind.name, self.name


@dataclass(frozen=True, slots=True)
class WantedObject:
    """
    One object of a file. Options that are not there take their defaults; secrets that are not there stay what they are.

    Args:
        values: `is_active` and options by name.
    """

    kind: str
    name: str
    values: Mapping[str, Any] = field(repr=False)


def is_of_the_platform(name: str) -> bool:
    return name.startswith(_PLATFORM_PREFIX)


@dataclass(frozen=True, slots=True)
class Pruning:
    """
    Whether objects that nobody wants are deleted.

    Args:
        protected: Patterns of those that stay, e.g. "security-basic-auth/ops*" or, of any kind, "ops*".
    """

    is_on: bool = False
    protected: tuple[str, ...] = ()

    def protects(self, key: Key) -> bool:
        kind, name = key
        if is_of_the_platform(name):
            return True
        return any(fnmatchcase(f"{kind}/{name}" if "/" in pattern else name, pattern) for pattern in self.protected)


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """`before` is None of what is created, `after` of what is deleted."""

    before: ObjectState | None
    after: ObjectState | None

    @property
    def action(self) -> str:
        if self.before is None:
            return CREATE
        return DELETE if self.after is None else EDIT

    @property
    def state(self) -> ObjectState:
        state = self.after or self.before
        assert state is not None
        return state


@dataclass(frozen=True, slots=True)
class Problem:
    """Why the wanted configuration can't be. `option` is empty when it is not about a single one."""

    kind: str
    name: str
    option: str
    message: str


@dataclass(frozen=True, slots=True)
class Plan:
    """
    Args:
        protected: What pruning would have deleted, and left.
        states: All objects as they are in the end.
    """

    changes: tuple[PlannedChange, ...]
    problems: tuple[Problem, ...]
    protected: tuple[Key, ...]
    states: Mapping[Key, ObjectState]


def make_plan(
    current: Mapping[Key, ObjectState], wanted: Sequence[WantedObject], kinds: KindRegistry, pruning: Pruning
) -> Plan:
    """Compare, and check everything, so that all problems are known at once."""
    problems: list[Problem] = []
    states = dict(current)
    seen: set[Key] = set()
    for each in wanted:
        key = (each.kind, each.name)
        if key in seen:
            problems.append(Problem(each.kind, each.name, "", "is there twice"))
            continue
        seen.add(key)
        if each.kind not in kinds:
            hint = or_list(each.kind, (kind.name for kind in kinds))
            problems.append(Problem(each.kind, each.name, "", f"there is no kind '{each.kind}'{hint}"))
            continue
        try:
            states[key] = _wanted_state(kinds.get(each.kind), each, current.get(key))
        except InvalidOptions as exc:
            problems.extend(_problems_of(each, exc))
    unwanted = {key for key in current if key not in seen} if pruning.is_on else set()
    protected = _protected(unwanted, current, pruning)
    for key in unwanted.difference(protected):
        del states[key]
    changes = tuple(_changes(current, states))
    changed = {change.state.key for change in changes}
    problems.extend(_bad_references(states, changed))
    problems.extend(_not_unique(states, changed))
    return Plan(changes, tuple(problems), protected, states)


def _protected(unwanted: set[Key], current: Mapping[Key, ObjectState], pruning: Pruning) -> tuple[Key, ...]:
    """Return what is protected, and what that refers to: it could not work without."""
    found: set[Key] = set()
    ahead = [key for key in unwanted if pruning.protects(key)]
    while ahead:
        key = ahead.pop()
        if key not in found:
            found.add(key)
            state = current[key]
            targets = ((kind, state.options.get(option)) for option, kinds in state.kind.references.items() for kind in kinds)
            ahead.extend((kind, name) for kind, name in targets if name and (kind, name) in unwanted)
    return tuple(sorted(found))


def _wanted_state(kind: Kind, wanted: WantedObject, current: ObjectState | None) -> ObjectState:
    name, is_active, given = split_values(kind, {**wanted.values, "name": wanted.name})
    what = f"{kind.name} '{name}'"
    kept = {secret: current.options[secret] for secret in kind.secret_names if current and secret in current.options}
    options: object = kind.parse({**kept, **given}, what=what)
    if hasattr(options, "stored_after"):
        stored = None if current is None else parse_options(kind.options, current.options, what=what)
        options = stored_after(options, stored, kind, name)
    return ObjectState(kind, name, is_active, option_values(options))


def _problems_of(wanted: WantedObject, exc: InvalidOptions) -> list[Problem]:
    if exc.attributes:
        return [Problem(wanted.kind, wanted.name, option, text) for option, text in exc.attributes.items()]
    message = exc.message.removeprefix(f"{wanted.kind} '{wanted.name}': ")
    return [Problem(wanted.kind, wanted.name, "", message)]


def _changes(current: Mapping[Key, ObjectState], states: Mapping[Key, ObjectState]) -> Iterator[PlannedChange]:
    for key, state in states.items():
        before = current.get(key)
        if before is None or (before.is_active, before.options) != (state.is_active, state.options):
            yield PlannedChange(before, state)
    for key, state in current.items():
        if key not in states:
            yield PlannedChange(state, None)


def with_defaults(kind: Kind, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return stored options, with those that the kind got since at their defaults."""
    defaults = {
        each.name: list(each.default) if isinstance(each.default, tuple) else each.default
        for each in declared_options(kind.options)
        if not each.is_required
    }
    return {**defaults, **options}


def _bad_references(states: Mapping[Key, ObjectState], changed: set[Key]) -> Iterator[Problem]:
    kinds_by_name: dict[str, list[str]] = defaultdict(list)
    hinted = 0
    for kind, name in states:
        kinds_by_name[name].append(kind)
    for key, state in states.items():
        for option, kinds in state.kind.references.items():
            target = state.options.get(option)
            if not target:
                continue
            count = sum(kind in kinds for kind in kinds_by_name.get(target, ()))
            # One that is stored refers to its target by id, whatever others of that name there are now.
            if count == 0 or (count > 1 and key in changed):
                hinted += 1
                possible = kinds_by_name if hinted <= MOST_HINTS else {}
                names = [name for name, there in possible.items() if not set(there).isdisjoint(kinds)]
                yield Problem(*key, option, bad_reference(target, kinds, names, count))


def _not_unique(states: Mapping[Key, ObjectState], changed: set[Key]) -> Iterator[Problem]:
    owners: dict[tuple[Any, ...], list[ObjectState]] = defaultdict(list)
    for state in states.values():
        if state.kind.unique:
            owners[state.kind.name, *(repr(state.options.get(name)) for name in state.kind.unique)].append(state)
    for sharing in owners.values():
        if len(sharing) == 1:
            continue
        for state in sharing:
            others = [other for other in sharing if other is not state]
            # Of two that are new it is enough to hear of the second one.
            if state.key in changed and (others[0].key not in changed or state is not sharing[0]):
                shared = ", ".join(f"{name}={state.options.get(name)!r}" for name in state.kind.unique)
                yield Problem(
                    *state.key, state.kind.unique[0], f"'{others[0].name}' already has {shared}: no two may share these"
                )
