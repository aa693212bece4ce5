"""What the admin services of a kind take and answer: all made from the kind's declaration."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from zato.common.kinds import Kind
from zato.common.options import declared_options
from zato.server.admin.pages import listed_schema, listed_takes
from zato.server.describe.schemas import (
    Schema,
    array,
    boolean,
    integer,
    number,
    option_schema,
    record,
    text,
)

MAX_NAME_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class ActionDescription:
    """
    Args:
        help: One sentence for people.
        takes: JSON Schema of the input, an object.
        returns: JSON Schema of the output.
        tag: What it is about, e.g. the label of its kind.
    """

    help: str
    takes: Schema
    returns: Schema
    tag: str = ""


def object_schema(kind: Kind) -> Schema:
    """Return the schema of an object as it is shown: all of its options but secrets."""
    shown = {each.name: option_schema(each) for each in declared_options(kind.options) if not each.secret}
    # An object that was stored before an option was there does not have it.
    return record({**_HEAD, "version": integer("Configuration version that it is from"), **shown}, optional=shown)


_HEAD: Mapping[str, Schema] = {
    "id": integer("Number of the object"),
    "name": text("Name of the object, unique in its kind"),
    "is_active": boolean("Whether it is in use"),
}
_NAME: Schema = text("Name of the object, unique in its kind", minLength=1, maxLength=MAX_NAME_CHARACTERS)
_WHICH: Mapping[str, Schema] = {"id": integer("Number of the object, instead of its name"), "name": text("Name of the object")}
CHANGED = record(
    {
        "id": integer("Number of the object"),
        "name": text("Its name now"),
        "version": integer("Configuration version of the object"),
        "config_version": integer("Configuration version that has the change"),
        "is_changed": boolean("Whether anything was different before"),
    },
    optional=("config_version",),
)
_STATUS = record(
    {
        "name": text("Name of the object"),
        "reporter": text("Who says so: a server or another part"),
        "version_applied": integer("Version of the object that it runs with"),
        "is_connected": boolean("Whether it works"),
        "error": text("Why it does not"),
        "since": text("Since when, UTC", format="date-time"),
    }
)
_USER = record({"id": integer("Number of the object"), "kind": text("Its kind"), "name": text("Its name")})
PINGED = record(
    {
        "is_ok": boolean("Whether the other side answered"),
        "error": text("Why it did not"),
        "duration_ms": number("Milliseconds that it took"),
    }
)


def _closed(schema: Schema) -> Schema:
    return {**schema, "additionalProperties": False}


def which(more: Mapping[str, Schema], *, required: tuple[str, ...] = ()) -> Schema:
    """Return the schema of an input that says by id or name which object is meant."""
    made = record({**_WHICH, **more}, optional=(_WHICH.keys() | more.keys()) - set(required))
    return {**made, "anyOf": [{"required": ["id"]}, {"required": ["name"]}]}


def _create(kind: Kind) -> ActionDescription:
    declared = declared_options(kind.options)
    options = {each.name: option_schema(each) for each in declared}
    active = boolean("Whether it is in use", default=True)
    takes = record(
        {"name": _NAME, "is_active": active, **options},
        optional={"is_active", *(each.name for each in declared if not each.is_required)},
    )
    return ActionDescription(f"Create an object of the kind {kind.name}", _closed(takes), CHANGED)


def _edit(kind: Kind) -> ActionDescription:
    # What is not given stays: the defaults are those of new objects.
    options = {
        each.name: {key: value for key, value in option_schema(each).items() if key != "default"}
        for each in declared_options(kind.options)
    }
    more = {"new_name": {**_NAME, "description": "Renames it"}, "is_active": boolean("Whether it is in use"), **options}
    return ActionDescription("Change the given options of an object and keep the others", _closed(which(more)), CHANGED)


def _get_list(kind: Kind) -> ActionDescription:
    found = object_schema(kind)
    return ActionDescription(
        "Return all objects of the kind, by name, or a page of them", listed_takes(found), listed_schema(found)
    )


def _change_password(kind: Kind) -> ActionDescription:
    secret = next(iter(kind.secret_names), "")
    given = {
        "password1": text(f"The new value of '{secret}'", minLength=1, format="password", writeOnly=True),
        "password2": text("The same again", minLength=1, format="password", writeOnly=True),
    }
    return ActionDescription("Change the secret of an object", which(given, required=("password1", "password2")), CHANGED)


OPERATIONS: Mapping[str, Callable[[Kind], ActionDescription]] = {
    "create": _create,
    "edit": _edit,
    "delete": lambda kind: ActionDescription("Delete an object that no other one uses", which({}), CHANGED),
    "get": lambda kind: ActionDescription(
        "Return an object with all of its options but secrets", which({}), object_schema(kind)
    ),
    "get-list": _get_list,
    "get-users": lambda kind: ActionDescription(
        "Return the objects that refer to an object; while there are any it can't be deleted", which({}), array(_USER)
    ),
    "get-status": lambda kind: ActionDescription(
        "Return what each worker or part says of each object: whether it works, since when, and why not",
        record({}),
        array(_STATUS),
    ),
    "ping": lambda kind: ActionDescription(
        "Reach out to the other side now, and say whether it answers",
        record({"name": text("Name of the connection", minLength=1)}),
        PINGED,
    ),
    "change-password": _change_password,
}


def describe_operation(kind: Kind, operation: str) -> ActionDescription:
    """Return what `zato.<kind>.<operation>` takes and answers."""
    described = OPERATIONS[operation](kind)
    return ActionDescription(described.help, described.takes, described.returns, kind.label)
