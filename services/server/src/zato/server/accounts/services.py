"""What there is to do with accounts, as admin services `zato.account.*`."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from zato.common.errors import BadRequest
from zato.server.accounts.accounts import Accounts
from zato.server.control.changes import Author

if TYPE_CHECKING:
    from zato.server.admin.services import Action, Admin


def account_actions(accounts: Accounts) -> "dict[str, Action]":
    """Return the actions by the names of their services."""
    do: dict[str, Callable[[Mapping[str, Any], Author], Any]] = {
        "get-list": lambda _values, _author: accounts.get_list(),
        "get": lambda values, _author: accounts.get(_text(values, "name")),
        "create": accounts.create,
        "edit": accounts.edit,
        "delete": lambda values, author: accounts.delete(_text(values, "name"), author),
        "reset-password": lambda values, author: accounts.reset_password(_text(values, "name"), author),
        "get-own": lambda _values, author: accounts.get_own(author),
        "change-own-password": lambda values, author: accounts.change_own_password(
            _text(values, "old_password"), _text(values, "new_password"), author
        ),
        "begin-second-factor": lambda _values, author: accounts.begin_second_factor(author),
        "confirm-second-factor": lambda values, author: accounts.confirm_second_factor(_text(values, "code"), author),
        "remove-second-factor": lambda values, author: accounts.remove_second_factor(_text(values, "password"), author),
        "create-token": accounts.create_token,
        "get-token-list": lambda _values, author: accounts.get_token_list(author),
        "delete-token": lambda values, author: accounts.delete_token(_number(values, "id"), author),
    }

    def action(name: str) -> "Action":
        def run(_admin: "Admin", values: Mapping[str, Any], author: Author) -> Any:
            answer = do[name](values, author)
            return {} if answer is None else answer

        return run

    return {f"zato.account.{name}": action(name) for name in do}


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
