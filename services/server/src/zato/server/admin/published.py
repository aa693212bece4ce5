"""
Published names of admin services whose kinds are called otherwise here: zato.outgoing.sql.create is zato.outgoing-sql.create,
with their names of fields, numbers of objects where we have names, and their values, both ways. What is called how is known
to `zato.server.enmasse.published`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zato.common.errors import BadRequest, InvalidOptions, NotFound, Unavailable
from zato.common.kinds import Kind, KindRegistry
from zato.common.options import Option, declared_options
from zato.server.admin.actions import Action, Run, Values
from zato.server.admin.pages import TAKES, listed
from zato.server.admin.waiting import changing
from zato.server.control.changes import Author
from zato.server.describe.kinds import ActionDescription
from zato.server.describe.schemas import record
from zato.server.enmasse.published import SERVICES, PublishedKind, PublishedServices
from zato.server.security.kinds import SEC_TYPES

if TYPE_CHECKING:
    from zato.server.admin.services import Admin

# Their operation → ours.
OPERATIONS = {
    "create": "create",
    "edit": "edit",
    "delete": "delete",
    "get-list": "get-list",
    "get-by-id": "get",
    "change-password": "change-password",
    "ping": "ping",
}
_SERVICE, _SECURITY = "service", "security"
_FLAGS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
_RBAC = "ZATO_SEC_USE_RBAC"
# What lists had no use for.
_NOT_SHOWN = frozenset({"version"})


def published_actions(actions: Mapping[str, Action], kinds: KindRegistry) -> dict[str, Action]:
    """
    Return the actions by their published names, of the kinds that are known.

    Args:
        actions: Those that they stand for, by the names of their services.
    """
    made: dict[str, Action] = {}
    for group, services in SERVICES.items():
        present = {keys: each for keys, each in services.kinds.items() if each.kind in kinds}
        translations = {keys: _Translation(kinds.get(each.kind), each, services) for keys, each in present.items()}
        for operation, ours in OPERATIONS.items():
            targets = {
                keys: f"zato.{each.kind}.{ours}" for keys, each in present.items() if f"zato.{each.kind}.{ours}" in actions
            }
            if targets:
                names = tuple(sorted(targets.values()))
                group_of = _Group(services, {keys: translations[keys] for keys in targets}, actions)
                run, role = getattr(group_of, operation.replace("-", "_")), actions[names[0]].role
                action = Action(run, role, _described(names), alias_of=names)
                made[f"zato.{group}.{operation}"] = changing(action) if actions[names[0]].changes else action
    return made


def _described(targets: tuple[str, ...]) -> Callable[[], ActionDescription]:
    def describe() -> ActionDescription:
        takes, returns = record(TAKES, "As it was published", optional=TAKES), {"type": "object"}
        return ActionDescription(f"The same as {' or '.join(targets)}", takes, returns, "Published names")

    return describe


@dataclass(frozen=True, slots=True)
class _Translation:
    """Between what was published of a kind, and the kind."""

    kind: Kind
    published: PublishedKind
    services: PublishedServices

    def ours(self, admin: "Admin", values: Values, *, is_new: bool) -> dict[str, Any]:
        """
        Return the input of our service. Raises InvalidOptions, which names their field.

        Args:
            is_new: What is left out takes the default that it had.
        """
        options = {each.name: each for each in declared_options(self.kind.options)}
        made = dict(self.published.defaults) if is_new else {}
        for name, value in values.items():
            option = self.published.options.get(name, name)
            if value is None or self._says_nothing(name, option, options) or _is_empty(value, options.get(option)):
                continue
            made[option] = self._value(name, option, value)
        made.update(self._references(admin, values))
        if is_new and self.published.named_by:
            made.setdefault("name", ":".join(str(made.get(option, "")) for option in self.published.named_by))
        if "is_active" in values and values["is_active"] is not None:
            made["is_active"] = _flag("is_active", values["is_active"])
        return made

    def _says_nothing(self, name: str, option: str, options: Mapping[str, Option]) -> bool:
        if name in ("name", "is_active"):
            return False
        if self.published.is_meaningless(name) or name in self.services.left_out:
            return True
        # Numbers have been read by themselves, and what lists show of an object is given back by many.
        shown = {each for reference in self.published.references.values() for each in (reference.number, reference.name)}
        if name in shown - self.published.options.keys():
            return True
        return option not in options and option in self.services.shared

    def _value(self, name: str, option: str, value: Any) -> Any:
        convert = self.published.converts.get(option)
        try:
            return convert(value) if convert is not None else value
        except ValueError as exc:
            raise InvalidOptions(f"'{name}': {exc}", **{name: str(exc)}) from None

    def _references(self, admin: "Admin", values: Values) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for option, reference in self.published.references.items():
            number = reference.number
            given = values.get(number)
            if given in (None, ""):
                continue
            if option == _SECURITY and not _is_number(given):
                made[option] = ""
                made |= {"sec_use_rbac": True} if given == _RBAC else {}
            elif option == _SERVICE:
                made[option] = admin.store.known_by_id(_number(number, given)).name
            else:
                made[option] = self._name_of(admin, option, number, _number(number, given))
        return made

    def _name_of(self, admin: "Admin", option: str, field: str, number: int) -> str:
        for kind in self.kind.references[option]:
            if kind in admin.kinds.registry:
                try:
                    return str(admin.objects.get(kind, {"id": number})["name"])
                except NotFound:
                    continue
        wanted = f"has to be the number of one of {', '.join(self.kind.references[option])}"
        raise InvalidOptions(f"'{field}' {wanted}, not {number}", **{field: wanted})

    def theirs(self, admin: "Admin", rows: list[dict[str, Any]], keys: Values) -> list[dict[str, Any]]:
        """Return objects as they are shown under their published names."""
        known = {option: self._targets(admin, option) for option in self.published.references if option != _SERVICE}
        return [self._shown(admin, row, keys, known) for row in rows]

    def _targets(self, admin: "Admin", option: str) -> dict[str, tuple[int, str]]:
        """Return number and kind of what can be named, by name."""
        kinds = [kind for kind in self.kind.references[option] if kind in admin.kinds.registry]
        return {each["name"]: (each["id"], kind) for kind in kinds for each in admin.objects.get_list(kind)}

    def _shown(
        self, admin: "Admin", row: dict[str, Any], keys: Values, known: Mapping[str, Mapping[str, tuple[int, str]]]
    ) -> dict[str, Any]:
        made = {name: value for name, value in row.items() if name not in _NOT_SHOWN}
        for option, show in self.published.shows.items():
            made[option] = show(made.get(option, ""))
        for option, name in self.published.names.items():
            made[name] = made.pop(option, "")
        for option, reference in self.published.references.items():
            value = made[reference.name] = row.get(option, "")
            if option == _SERVICE:
                made[reference.number] = admin.store.known(value).id if value in admin.store else None
                continue
            made.pop(option, None)
            made[reference.number], kind = known[option].get(value, (None, ""))
            if kind in SEC_TYPES or option == _SECURITY:
                made["sec_type"] = SEC_TYPES.get(kind)
        derived = {name: derive(made) for name, derive in self.published.derives.items()}
        return {**made, **derived, **self.published.constants, **keys}


@dataclass(frozen=True, slots=True)
class _Group:
    """The services of one group; each method is one of them."""

    services: PublishedServices
    translations: Mapping[tuple[str, ...], _Translation]
    actions: Mapping[str, Action]

    def create(self, admin: "Admin", values: Values, author: Author) -> dict[str, Any]:
        translation = self._by_keys(values)
        return _told(self._run(translation, "create")(admin, translation.ours(admin, values, is_new=True), author))

    def edit(self, admin: "Admin", values: Values, author: Author) -> dict[str, Any]:
        translation, which = self._find(admin, values)
        given = translation.ours(admin, values, is_new=False)
        name = given.pop("name", None)
        renamed = {"new_name": name} if "id" in which and name is not None else {}
        return _told(self._run(translation, "edit")(admin, {**given, **which, **renamed}, author))

    def delete(self, admin: "Admin", values: Values, author: Author) -> dict[str, Any]:
        translation, which = self._find(admin, values)
        deleted = self._run(translation, "delete")(admin, which, author)
        return _told(deleted) if self.services.tells_deleted else {}

    def get_by_id(self, admin: "Admin", values: Values, _author: Author) -> dict[str, Any]:
        translation, which = self._find(admin, values)
        row = admin.objects.get(translation.kind.name, which)
        (shown,) = translation.theirs(admin, [row], self._keys_of(translation))
        return shown

    def get_list(self, admin: "Admin", values: Values, _author: Author) -> Any:
        wanted = {key: values[key] for key in self.services.keys if values.get(key)}
        found: list[dict[str, Any]] = []
        for translation in self.translations.values():
            keys = self._keys_of(translation)
            if wanted.items() <= keys.items():
                found += translation.theirs(admin, admin.objects.get_list(translation.kind.name), keys)
        return listed(sorted(found, key=lambda each: str(each["name"])), values)

    def change_password(self, admin: "Admin", values: Values, author: Author) -> dict[str, Any]:
        translation, which = self._find(admin, values)
        passwords = {name: values[name] for name in ("password1", "password2") if name in values}
        self._run(translation, "change-password")(admin, {**which, **passwords}, author)
        return {}

    def ping(self, admin: "Admin", values: Values, author: Author) -> dict[str, Any]:
        """Raises Unavailable, with what the other side said."""
        translation, which = self._find(admin, values)
        name = admin.objects.get(translation.kind.name, which)["name"]
        pinged = self._run(translation, "ping")(admin, {"name": name}, author)
        if not pinged["is_ok"]:
            raise Unavailable(pinged["error"])
        if self.services.pinged == "response_time":
            return {"response_time": pinged["duration_ms"] / 1000}
        return {"info": f"'{name}' answered after {pinged['duration_ms']} ms"}

    def _run(self, translation: _Translation, operation: str) -> Run:
        return self.actions[f"zato.{translation.kind.name}.{operation}"].run

    def _keys_of(self, translation: _Translation) -> dict[str, str]:
        keys = next(keys for keys, each in self.translations.items() if each is translation)
        return dict(zip(self.services.keys, keys, strict=True))

    def _by_keys(self, values: Values) -> _Translation:
        given = tuple(str(values.get(key, "")) for key in self.services.keys)
        found = self.translations.get(given)
        if found is None:
            known = "; ".join(
                " and ".join(f"'{key}' {value}" for key, value in zip(self.services.keys, keys, strict=True))
                for keys in self.translations
            )
            raise BadRequest(f"It takes one of: {known}")
        return found

    def _find(self, admin: "Admin", values: Values) -> tuple[_Translation, dict[str, Any]]:
        """Return whose the object is that is meant, and what says which: its number or its name. Raises NotFound."""
        has_id = values.get("id") not in (None, "")
        which = {"id": _number("id", values["id"])} if has_id else {"name": str(values.get("name") or "")}
        if self.services.keys and any(values.get(key) for key in self.services.keys):
            return self._by_keys(values), which
        missing: NotFound | None = None
        for translation in self.translations.values():
            try:
                admin.objects.get(translation.kind.name, which)
            except NotFound as exc:
                missing = exc
            else:
                return translation, which
        assert missing is not None
        raise missing


def _told(changed: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": changed["id"], "name": changed["name"]}


def _is_empty(value: Any, option: Option | None) -> bool:
    """Whether it is what forms sent for nothing, where an empty text is none of the values that there are."""
    if value != "" or option is None:
        return False
    return option.type not in ("str", "list") or bool(option.choices and "" not in option.choices)


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return value.isascii() and value.isdigit()
    return isinstance(value, int) and not isinstance(value, bool)


def _number(name: str, value: Any) -> int:
    """Numbers may be texts: that is how SOAP has them."""
    if not _is_number(value):
        raise InvalidOptions(f"'{name}' takes a whole number", **{name: "takes a whole number"})
    return int(value)


def _flag(name: str, value: Any) -> bool:
    found = value if isinstance(value, bool) else _FLAGS.get(str(value).lower())
    if found is None:
        raise InvalidOptions(f"'{name}' takes true or false", **{name: "takes true or false"})
    return found
