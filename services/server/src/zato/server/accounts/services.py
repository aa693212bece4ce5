"""What there is to do with accounts, as admin services `zato.account.*`."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from zato.common.errors import BadRequest
from zato.server.accounts.accounts import ROLES, AccountChange, Accounts, NewAccount, NewToken
from zato.server.accounts.roles import Role
from zato.server.admin.actions import Action, Area, Run, Values, options_schema
from zato.server.control.changes import Author
from zato.server.describe.schemas import Schema, boolean, integer, record, text

if TYPE_CHECKING:
    from zato.server.admin.services import Admin

_ACCOUNTS = Area("Accounts")
_ACCOUNT = record(
    {
        "id": integer("Number of the account"),
        "name": text("What one signs in as"),
        "role": text("What it may do", enum=list(ROLES)),
        "is_active": boolean("Whether one can sign in with it"),
        "has_second_factor": boolean("Whether signing in takes a code of an authenticator too"),
        "must_change_password": boolean("Whether the password is good for changing it only"),
        "created_at": text("When it was made, UTC", format="date-time"),
        "signed_in_at": text("When somebody signed in with it last; empty for never"),
    }
)
_PASSWORD = text("The password that was made; it is shown this one time")
_TOKEN = record(
    {
        "id": integer("Number of the token"),
        "name": text("What it is for"),
        "is_session": boolean("Whether signing in made it"),
        "role": text("Its role when that is less than the account's; else empty"),
        "address": text("Where the session began; empty for a token"),
        "created_at": text("When it was made, UTC", format="date-time"),
        "expires_at": text("When it ends; empty for never"),
        "used_at": text("When it was used last; empty for never"),
    }
)
_NAME = record({"name": text("Which account", minLength=1)})
_NOTHING = record({}, "Nothing: it is done")


def account_actions(accounts: Accounts) -> dict[str, Action]:
    """Return the actions by the names of their services."""
    everybody = {f"zato.account.{name}": each for name, each in (_own(accounts) | _own_second_factor(accounts)).items()}
    return everybody | {f"zato.account.{name}": each for name, each in _of_others(accounts).items()}


def _of_others(accounts: Accounts) -> dict[str, Action]:
    action = partial(_ACCOUNTS.action, role=Role.ADMIN)
    return {
        "get-list": _ACCOUNTS.listing(
            lambda _admin, _values, _author: accounts.get_list(),
            Role.ADMIN,
            "Return the accounts, by name",
            item=_ACCOUNT,
        ),
        "get": action(
            lambda _admin, values, _author: accounts.get(_text(values, "name")),
            help="Return an account",
            takes=_NAME,
            returns=_ACCOUNT,
        ),
        "create": action(
            lambda _admin, values, author: accounts.create(values, author),
            help="Create an account of a person, with a role",
            takes=options_schema(NewAccount),
            returns=_with(_ACCOUNT, password=_PASSWORD, optional=("password",)),
        ),
        "edit": action(
            lambda _admin, values, author: accounts.edit(values, author),
            help="Change the role of an account, or switch it off or on",
            takes=options_schema(AccountChange),
            returns=_ACCOUNT,
        ),
        "delete": action(
            _acting(lambda values, author: accounts.delete(_text(values, "name"), author)),
            help="Delete an account, with its tokens",
            takes=_NAME,
            returns=_NOTHING,
        ),
        "reset-password": action(
            lambda _admin, values, author: accounts.reset_password(_text(values, "name"), author),
            help="Give an account a new password, to be changed at its next sign-in",
            takes=_NAME,
            returns=_with(_ACCOUNT, password=_PASSWORD),
        ),
    }


def _own(accounts: Accounts) -> dict[str, Action]:
    """What anybody who is signed in may do with their own account, whatever their role."""
    action = partial(_ACCOUNTS.action, role=Role.VIEWER)
    return {
        "get-own": action(
            lambda _admin, _values, author: accounts.get_own(author),
            help="Return the account that asks, with its role",
            returns=_ACCOUNT,
        ),
        "change-own-password": action(
            _acting(
                lambda values, author: accounts.change_own_password(
                    _text(values, "old_password"), _text(values, "new_password"), author
                )
            ),
            help="Change the password of the account that asks",
            takes=record({"old_password": _secret("The one that it has"), "new_password": _secret("The one that it gets")}),
            returns=_NOTHING,
        ),
        "create-token": action(
            lambda _admin, values, author: accounts.create_token(values, author),
            help="Make a personal token for the command line or for CI; it is shown once",
            takes=options_schema(NewToken),
            returns=_with(_TOKEN, token=text("What programs send; it is shown this one time")),
        ),
        "get-token-list": _ACCOUNTS.listing(
            lambda _admin, _values, author: accounts.get_token_list(author),
            Role.VIEWER,
            "Return one's own tokens and sessions, without what they are",
            item=_TOKEN,
        ),
        "delete-token": action(
            _acting(lambda values, author: accounts.delete_token(_number(values, "id"), author)),
            help="Delete one of one's own tokens, or end a session",
            takes=record({"id": integer("Number of the token", minimum=0)}),
            returns=_NOTHING,
        ),
    }


def _own_second_factor(accounts: Accounts) -> dict[str, Action]:
    action = partial(_ACCOUNTS.action, role=Role.VIEWER)
    return {
        "begin-second-factor": action(
            lambda _admin, _values, author: accounts.begin_second_factor(author),
            help="Make a secret for the second factor of the account that asks, to be confirmed",
            returns=record({"key": text("For an authenticator, in base 32"), "url": text("The same, as a picture shows it")}),
        ),
        "confirm-second-factor": action(
            _acting(lambda values, author: accounts.confirm_second_factor(_text(values, "code"), author)),
            help="Switch the second factor on, given a first code",
            takes=record({"code": text("Six digits that the authenticator shows", minLength=1)}),
            returns=_NOTHING,
        ),
        "remove-second-factor": action(
            _acting(lambda values, author: accounts.remove_second_factor(_text(values, "password"), author)),
            help="Switch the second factor of the account that asks off",
            takes=record({"password": _secret("Its password")}),
            returns=_NOTHING,
        ),
    }


def _secret(help: str) -> Schema:
    return text(help, minLength=1, format="password", writeOnly=True)


def _with(schema: Schema, optional: tuple[str, ...] = (), **more: Schema) -> Schema:
    return record({**schema["properties"], **more}, optional=optional)


def _acting(act: Callable[[Values, Author], None]) -> Run:
    """Return an action of which there is nothing to tell but that it is done."""

    def run(_admin: "Admin", values: Values, author: Author) -> dict[str, Any]:
        act(values, author)
        return {}

    return run


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str) or not value:
        raise BadRequest(f"'{name}' has to be a text that is not empty")
    return value


def _number(values: Mapping[str, Any], name: str) -> int:
    value = values.get(name)
    if isinstance(value, bool) or not str(value).isascii() or not str(value).isdigit():
        raise BadRequest(f"'{name}' has to be a whole number")
    return int(str(value))
