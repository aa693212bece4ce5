"""Admin services for whole sets of objects: `zato.enmasse.plan`, `zato.enmasse.apply` and `zato.enmasse.export`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zato.common.errors import BadRequest
from zato.common.options import declared_options
from zato.common.secrets import MASK
from zato.common.spelling import did_you_mean
from zato.server.accounts.roles import Role
from zato.server.admin.actions import Action, Area
from zato.server.admin.waiting import changing
from zato.server.control.changes import Author
from zato.server.control.planning import (
    MOST_HINTS,
    ObjectState,
    Plan,
    PlannedChange,
    Problem,
    Pruning,
    WantedObject,
    is_of_the_platform,
)
from zato.server.control.sets import ObjectSets
from zato.server.describe.schemas import anything, array, boolean, integer, nullable, record, text
from zato.server.services.store import ServiceStore

if TYPE_CHECKING:
    from zato.server.admin.services import Admin

_MOST_OBJECTS = 100_000


_SETS = Area("Sets of objects")
_WANTED_OBJECT = {
    **record(
        {"kind": text("Name of its kind"), "name": text("Name of the object"), "is_active": boolean("Whether it is in use")},
        "An object and its options",
        optional=("is_active",),
    ),
    "additionalProperties": True,
}
_WANTED_SET = record(
    {
        "objects": array(_WANTED_OBJECT, "The objects that there have to be"),
        "prune": boolean("Whether to delete those that are not among them", default=False),
        "protect": array(text(), "Patterns of what is never deleted, e.g. security-basic-auth/ops*"),
    },
    optional=("prune", "protect"),
)
_WANTED_BY_PLAN = record(
    {
        **_WANTED_SET["properties"],
        "planned_at": nullable(integer("Configuration version of the plan; refused when there is a newer one", minimum=0)),
    },
    optional=("prune", "protect", "planned_at"),
)
_CHANGE = record(
    {
        "action": text("create, edit or delete"),
        "kind": text("Kind of the object"),
        "name": text("Its name"),
        "options": array(
            record({"name": text("Option that changes"), "before": anything("Value before"), "after": anything("Value after")})
        ),
    }
)
_PROBLEM = record(
    {
        "kind": text("Kind of the object"),
        "name": text("Its name"),
        "option": text("Option that does not fit; empty when it is none of them"),
        "message": text("What is wrong, and what was wanted"),
    }
)
_PLAN = record(
    {
        "config_version": integer("Configuration version that it was compared with, or that has the changes"),
        "is_applied": boolean("Whether it was done"),
        "changes": array(_CHANGE, "What would be done, or was"),
        "problems": array(_PROBLEM, "What does not fit; with any, nothing is done"),
        "warnings": array(_PROBLEM, "What may be as it is, but does not work yet: services that nobody has deployed"),
        "protected": array(record({"kind": text("Kind"), "name": text("Name")}), "What would be deleted, but is protected"),
        "total": integer("Objects that there are afterwards"),
    }
)
_EXPORTED = record(
    {
        "kind": text("Kind of the object"),
        "name": text("Its name"),
        "is_active": boolean("Whether it is in use"),
        "options": {"type": "object", "description": "Its options without secrets"},
        "secrets": array(text(), "Options that are secret and have a value"),
    }
)


def set_actions(sets: ObjectSets, services: ServiceStore) -> dict[str, Action]:
    """
    Return the actions by the names of their services.

    Args:
        services: Those that there are: objects may name others, which is a warning.
    """

    def plan(_admin: "Admin", values: Mapping[str, Any], _author: Author) -> dict[str, Any]:
        version, made = sets.plan(_wanted(values), _pruning(values))
        return _described(version, made, services, is_applied=False)

    def apply(_admin: "Admin", values: Mapping[str, Any], author: Author) -> dict[str, Any]:
        version, made = sets.apply(_wanted(values), _pruning(values), author, values.get("planned_at"))
        return _described(version, made, services, is_applied=bool(made.changes and not made.problems))

    def export(_admin: "Admin", _values: Mapping[str, Any], _author: Author) -> dict[str, Any]:
        snapshot = sets.read()
        objects = [_exported(state) for state in snapshot.states.values() if not is_of_the_platform(state.name)]
        return {"config_version": snapshot.version, "objects": objects}

    return {
        "zato.enmasse.plan": _SETS.action(
            plan, Role.VIEWER, "Say what applying a set of objects would do", takes=_WANTED_SET, returns=_PLAN
        ),
        "zato.enmasse.apply": changing(
            _SETS.action(
                apply,
                Role.DEPLOYER,
                "Make the objects those of the set, all or nothing, in one transaction",
                takes=_WANTED_BY_PLAN,
                returns=_PLAN,
            )
        ),
        "zato.enmasse.export": _SETS.action(
            export,
            Role.VIEWER,
            "Return all objects that somebody configured",
            returns=record({"config_version": integer("Configuration version that it is"), "objects": array(_EXPORTED)}),
        ),
    }


def _wanted(values: Mapping[str, Any]) -> list[WantedObject]:
    objects = values.get("objects")
    if not isinstance(objects, list) or len(objects) > _MOST_OBJECTS:
        raise BadRequest(f"'objects' takes a list of at most {_MOST_OBJECTS} objects")
    return [_wanted_object(each) for each in objects]


def _wanted_object(each: Any) -> WantedObject:
    given = dict(each) if isinstance(each, dict) else {}
    kind, name = given.pop("kind", None), given.pop("name", None)
    if not isinstance(kind, str) or not isinstance(name, str):
        raise BadRequest("Each of 'objects' has to have a 'kind', a 'name' and the options by their names")
    return WantedObject(kind, name, given)


def _pruning(values: Mapping[str, Any]) -> Pruning:
    is_on, protected = values.get("prune", False), values.get("protect", [])
    if not isinstance(is_on, bool) or not isinstance(protected, list) or not all(isinstance(each, str) for each in protected):
        raise BadRequest("'prune' takes true or false, and 'protect' a list of patterns, e.g. security-basic-auth/ops*")
    return Pruning(is_on, tuple(protected))


def _described(version: int, plan: Plan, services: ServiceStore, *, is_applied: bool) -> dict[str, Any]:
    return {
        "config_version": version,
        "is_applied": is_applied,
        "changes": [_described_change(change) for change in plan.changes],
        "problems": _described_problems(plan.problems),
        "warnings": _described_problems(list(_services_to_come(plan, services))),
        "protected": [{"kind": kind, "name": name} for kind, name in plan.protected],
        "total": len(plan.states),
    }


def _described_problems(problems: Sequence[Problem]) -> list[dict[str, str]]:
    return [{"kind": each.kind, "name": each.name, "option": each.option, "message": each.message} for each in problems]


def _services_to_come(plan: Plan, services: ServiceStore) -> Iterator[Problem]:
    """A service may be deployed after what invokes it was made: who does the reverse by mistake is told."""
    names = [entry.name for entry in services.entries()]
    hinted = 0
    for change in plan.changes:
        state = change.after
        for option in declared_options(state.kind.options) if state else ():
            name = state.options.get(option.name) if state and "service" in option.references else ""
            if state and name and name not in services:
                hinted += 1
                hint = did_you_mean(name, names if hinted <= MOST_HINTS else ())
                yield Problem(*state.key, option.name, f"there is no service '{name}' yet{hint}")


def _described_change(change: PlannedChange) -> dict[str, Any]:
    kind, name = change.state.key
    before, after = _shown(change.before), _shown(change.after)
    secrets = change.state.kind.secret_names
    options = [
        {"name": option, "before": _mask(option, before, secrets), "after": _mask(option, after, secrets)}
        for option in ["is_active", *change.state.options]
        if before.get(option) != after.get(option)
    ]
    return {"action": change.action, "kind": kind, "name": name, "options": options}


def _shown(state: ObjectState | None) -> dict[str, Any]:
    return {} if state is None else {"is_active": state.is_active, **state.options}


def _mask(option: str, values: Mapping[str, Any], secrets: frozenset[str]) -> Any:
    """That a secret changes is told, not what it is."""
    value = values.get(option)
    return MASK if option in secrets and value else value


def _exported(state: ObjectState) -> dict[str, Any]:
    secrets = state.kind.secret_names
    return {
        "kind": state.kind.name,
        "name": state.name,
        "is_active": state.is_active,
        "options": {name: value for name, value in state.options.items() if name not in secrets},
        "secrets": sorted(name for name in secrets if state.options.get(name)),
    }
