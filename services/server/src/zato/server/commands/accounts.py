"""`zato login`, `zato account` and `zato token`: who manages the cluster, and as whom."""

import argparse
import getpass
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from zato.common.cli.admin import Servers, add_cluster_arguments, connect, find_servers, sign_in_servers
from zato.common.cli.commands import Command, ExitCode, Group, completes_files
from zato.common.cli.console import Console
from zato.common.cli.signed_in import TOKEN_VARIABLE, keep_token, token_for
from zato.common.errors import BadRequest, NotFound, Unavailable, ZatoError
from zato.common.lifecycle.folders import write_secret

if TYPE_CHECKING:
    from zato.common.rpc.client import Client
    from zato.proto.accounts.v1.accounts_pb2 import SignInResponse

T = TypeVar("T")
_ROLES = ("viewer", "operator", "developer", "deployer", "admin")
_CALL_S = 30.0
_PURPOSE = "zato command"


def _secret(file: Path | None, question: str) -> str:
    """Return what a file holds, or what is typed without being shown. On the command line it would be in the history."""
    if file is not None:
        return file.read_text().rstrip("\n")
    if sys.stdin.isatty():
        return getpass.getpass(question)
    return sys.stdin.readline().rstrip("\n")


def _password_file(parser: argparse.ArgumentParser, option: str, what: str) -> None:
    help = f"{what}; asked for, or read from the standard input, without it"
    completes_files(parser.add_argument(option, metavar="FILE", type=Path, help=help))


# Signing in


def _login_configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="Your account")
    _password_file(parser, "--password-file", "File with your password")
    parser.add_argument("--code", metavar="DIGITS", default="", help="Of your authenticator, when the account has one")
    add_cluster_arguments(parser)


def _login(options: argparse.Namespace, console: Console) -> int:
    servers = sign_in_servers(options)
    password = _secret(options.password_file, f"Password of {options.name}: ")
    response = _sign_in(servers, options.name, password, options.code)
    if response.needs_code:
        response = _sign_in(servers, options.name, password, _secret(None, "Code of your authenticator: "))
    if not response.token:
        raise BadRequest("The account has a second factor: give the code of your authenticator with --code")
    file = keep_token(servers.where, response.token)
    console.data({"name": response.name, "role": response.role, "expires_at": response.expires_at})
    console.print(f"Signed in at {servers.where} as {response.name}, {response.role}, until {response.expires_at[:16]} UTC")
    if response.must_change_password:
        console.warn("The password has to be changed before anything else: 'zato account password' does it")
    console.hint(f"The token is in {file}; 'zato logout' ends it")
    return ExitCode.OK


def _sign_in(servers: Servers, name: str, password: str, code: str) -> "SignInResponse":
    from zato.proto.accounts.v1.accounts_pb2 import SignInRequest
    from zato.proto.accounts.v1.accounts_pb2_grpc import AccountsStub

    request = SignInRequest(name=name, password=password, code=code, purpose=_PURPOSE)
    return _on_any(servers, lambda client: client.call(AccountsStub(client.channel).SignIn, request, timeout_s=_CALL_S))


def _on_any(servers: Servers, call: "Callable[[Client], T]") -> T:
    from zato.common.rpc.client import Client

    failure: ZatoError = Unavailable(f"{servers.where} has no servers")
    for address in servers.addresses:
        client = Client(address, token=servers.token, tls=servers.tls)
        try:
            return call(client)
        except Unavailable as exc:
            failure = exc
        finally:
            client.close()
    raise failure


def _logout(options: argparse.Namespace, console: Console) -> int:
    from zato.proto.accounts.v1.accounts_pb2 import SignOutRequest
    from zato.proto.accounts.v1.accounts_pb2_grpc import AccountsStub

    where = sign_in_servers(options).where
    token = token_for(where, {name: value for name, value in os.environ.items() if name != TOKEN_VARIABLE})
    if not token:
        raise NotFound(f"You are not signed in at {where}")
    servers = find_servers(options)
    try:
        _on_any(servers, lambda client: client.call(AccountsStub(client.channel).SignOut, SignOutRequest(), timeout_s=_CALL_S))
    finally:
        # One that the servers do not know any more is forgotten all the same.
        keep_token(where, "")
    console.print(f"Signed out of {where}")
    return ExitCode.OK


def _whoami(options: argparse.Namespace, console: Console) -> int:
    with connect(options) as admin:
        own: dict[str, Any] = admin.invoke("zato.account.get-own", {}, is_idempotent=True)
    console.data(own)
    console.panel(
        own["name"],
        [
            ("Role", own["role"]),
            ("Second factor", "yes" if own["has_second_factor"] else "no: 'zato account second-factor' sets one up"),
            ("Signed in", _time(own["signed_in_at"]) or "never"),
        ],
    )
    return ExitCode.OK


# Accounts


def _list(options: argparse.Namespace, console: Console) -> int:
    with connect(options) as admin:
        found: list[dict[str, Any]] = admin.invoke("zato.account.get-list", {}, is_idempotent=True)
    console.data(found)
    console.table(
        ("Name", "Role", "State", "Second factor", "Signed in"),
        [
            (
                each["name"],
                each["role"],
                console.state("active" if each["is_active"] else "off"),
                "yes" if each["has_second_factor"] else "no",
                _time(each["signed_in_at"]) or "never",
            )
            for each in found
        ],
        empty="There are no accounts yet. 'zato account create NAME --role admin' makes the first",
    )
    return ExitCode.OK


def _name_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="Which account")
    add_cluster_arguments(parser)


def _create_configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="What one signs in as: small letters, digits and . _ @ -")
    parser.add_argument("--role", choices=_ROLES, required=True, help="What it may do: each role all that those before it may")
    help = "File with its password; without it one is made, shown once, and changed at the first sign-in"
    passwords = parser.add_mutually_exclusive_group()
    completes_files(passwords.add_argument("--password-file", metavar="FILE", type=Path, help=help))
    _save_password_argument(passwords)
    add_cluster_arguments(parser)


def _save_password_argument(parser: Any) -> None:
    help = "Write the password that is made into a new file that you alone can read, instead of showing it"
    completes_files(parser.add_argument("--save-password", metavar="FILE", type=Path, help=help))


def _create(options: argparse.Namespace, console: Console) -> int:
    values: dict[str, Any] = {"name": options.name, "role": options.role}
    if options.password_file is not None:
        values |= {"password": _secret(options.password_file, ""), "must_change_password": False}
    _refuse_existing(options.save_password)
    with connect(options) as admin:
        made: dict[str, Any] = admin.invoke("zato.account.create", values)
    _hand_over_password(made, options.save_password, f"Made account {made['name']}, {made['role']}", console)
    return ExitCode.OK


def _refuse_existing(file: Path | None) -> None:
    """Before anything is made: a password that can't be kept would be lost."""
    if file is not None and (file.exists() or not file.parent.is_dir()):
        what = "exists already" if file.exists() else f"can't be made: there is no folder {file.parent}"
        raise BadRequest(f"{file} {what}; --save-password takes the name of a new file")


def _hand_over_password(made: Mapping[str, Any], file: Path | None, says: str, console: Console) -> None:
    """Show the password that was made, this one time, or keep it in a file."""
    if file is not None and "password" in made:
        write_secret(file, f"{made['password']}\n")
        console.data({**made, "password": "", "password_file": str(file)})
    else:
        console.data(made)
    console.print(says, style="green")
    if "password" in made:
        where = f"Its password is in {file}" if file is not None else f"Password, shown this one time: {made['password']}"
        console.print(where)
        console.hint(f"It has to be changed first: 'zato login {made['name']}', then 'zato account password'")


def _edit_configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="Which account")
    parser.add_argument("--role", choices=_ROLES, help="Its new role")
    states = parser.add_mutually_exclusive_group()
    states.add_argument("--on", dest="is_active", action="store_true", default=None, help="Let it sign in again")
    states.add_argument(
        "--off", dest="is_active", action="store_false", default=None, help="End its sessions, and let it in no more"
    )
    add_cluster_arguments(parser)


def _edit(options: argparse.Namespace, console: Console) -> int:
    values = {"name": options.name, "role": options.role, "is_active": options.is_active}
    with connect(options) as admin:
        made: dict[str, Any] = admin.invoke(
            "zato.account.edit", {key: each for key, each in values.items() if each is not None}
        )
    console.data(made)
    console.print(f"{made['name']} is {made['role']}, {'active' if made['is_active'] else 'switched off'}")
    return ExitCode.OK


def _delete(options: argparse.Namespace, console: Console) -> int:
    with connect(options) as admin:
        admin.invoke("zato.account.delete", {"name": options.name})
    console.print(f"Deleted account {options.name}, with its sessions and tokens")
    return ExitCode.OK


def _reset_password_configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="Which account")
    _save_password_argument(parser)
    add_cluster_arguments(parser)


def _reset_password(options: argparse.Namespace, console: Console) -> int:
    _refuse_existing(options.save_password)
    with connect(options) as admin:
        made: dict[str, Any] = admin.invoke("zato.account.reset-password", {"name": options.name})
    says = f"{made['name']} has a new password, no second factor, and no sessions or tokens any more"
    _hand_over_password(made, options.save_password, says, console)
    return ExitCode.OK


def _password_configure(parser: argparse.ArgumentParser) -> None:
    _password_file(parser, "--old-password-file", "File with the password that you have")
    _password_file(parser, "--new-password-file", "File with the one that you want")
    add_cluster_arguments(parser)


def _password(options: argparse.Namespace, console: Console) -> int:
    old = _secret(options.old_password_file, "Password now: ")
    new = _secret(options.new_password_file, "New password: ")
    if options.new_password_file is None and sys.stdin.isatty() and getpass.getpass("The new one again: ") != new:
        raise BadRequest("The two were not the same: nothing was changed")
    with connect(options) as admin:
        admin.invoke("zato.account.change-own-password", {"old_password": old, "new_password": new})
    console.print("The password is changed; all other sessions have ended", style="green")
    return ExitCode.OK


def _second_factor_configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--remove", action="store_true", help="Sign in with the password alone again")
    add_cluster_arguments(parser)


def _second_factor(options: argparse.Namespace, console: Console) -> int:
    with connect(options) as admin:
        if options.remove:
            admin.invoke("zato.account.remove-second-factor", {"password": _secret(None, "Your password: ")})
            console.print("The second factor is removed")
            return ExitCode.OK
        made: dict[str, str] = admin.invoke("zato.account.begin-second-factor", {})
        console.print(f"Give this key to your authenticator: {made['key']}")
        console.hint(f"or this address, if it takes one: {made['url']}")
        admin.invoke("zato.account.confirm-second-factor", {"code": _secret(None, "The code that it shows: ")})
    console.print("From now on signing in takes a code too", style="green")
    return ExitCode.OK


# Tokens


def _token_list(options: argparse.Namespace, console: Console) -> int:
    with connect(options) as admin:
        found: list[dict[str, Any]] = admin.invoke("zato.account.get-token-list", {}, is_idempotent=True)
    console.data(found)
    console.table(
        ("Id", "Name", "Sort", "Role", "Used", "Ends"),
        [
            (
                each["id"],
                each["name"],
                "session" if each["is_session"] else "token",
                each["role"] or "yours",
                _time(each["used_at"]) or "never",
                _time(each["expires_at"]) or "never",
            )
            for each in found
        ],
        empty="You have no tokens. 'zato token create NAME' makes one, for a program",
    )
    return ExitCode.OK


def _token_create_configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="What it is for, e.g. 'build server'")
    parser.add_argument("--role", choices=_ROLES, default="", help="If it is to do less than you may")
    parser.add_argument("--days", metavar="NUMBER", type=int, default=90, help="Until it ends; 0 for never (default: 90)")
    add_cluster_arguments(parser)


def _token_create(options: argparse.Namespace, console: Console) -> int:
    values = {"name": options.name, "role": options.role, "expires_days": options.days}
    with connect(options) as admin:
        made: dict[str, Any] = admin.invoke("zato.account.create-token", values)
    console.data(made)
    console.print(f"Token, shown this one time: {made['token']}")
    console.hint("Programs send it as 'Authorization: Bearer …'; the zato command takes it from $ZATO_TOKEN")
    return ExitCode.OK


def _token_delete_configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", type=int, help="As 'zato token list' shows it")
    add_cluster_arguments(parser)


def _token_delete(options: argparse.Namespace, console: Console) -> int:
    with connect(options) as admin:
        admin.invoke("zato.account.delete-token", {"id": options.id})
    console.print(f"Token {options.id} is good for nothing any more")
    return ExitCode.OK


def _time(text: str) -> str:
    return text[:16].replace("T", " ")


ACCOUNT_COMMANDS: tuple[Command | Group, ...] = (
    Command(
        path=("login",),
        help="Sign in, for all further commands on that cluster",
        configure=_login_configure,
        run=_login,
        examples=("zato login ann", "zato login ann --server 10.0.0.5:17110"),
    ),
    Command(path=("logout",), help="End the session that login began", configure=add_cluster_arguments, run=_logout),
    Command(path=("whoami",), help="As whom commands are carried out", configure=add_cluster_arguments, run=_whoami),
    Group(("account",), "Who may manage the cluster"),
    Command(path=("account", "list"), help="All accounts", configure=add_cluster_arguments, run=_list),
    Command(
        path=("account", "create"),
        help="Make an account",
        configure=_create_configure,
        run=_create,
        examples=(
            "zato account create ann --role deployer",
            "zato account create admin --role admin --save-password admin_password",
        ),
    ),
    Command(
        path=("account", "edit"),
        help="Give an account another role, or switch it on or off",
        configure=_edit_configure,
        run=_edit,
        examples=("zato account edit ann --role admin", "zato account edit ann --off"),
    ),
    Command(path=("account", "delete"), help="Delete an account", configure=_name_argument, run=_delete),
    Command(
        path=("account", "reset-password"),
        help="Give somebody a new password who has lost theirs, or their second factor",
        configure=_reset_password_configure,
        run=_reset_password,
    ),
    Command(path=("account", "password"), help="Change your own password", configure=_password_configure, run=_password),
    Command(
        path=("account", "second-factor"),
        help="Have signing in take a code of your authenticator too",
        configure=_second_factor_configure,
        run=_second_factor,
    ),
    Group(("token",), "Your tokens, for programs that act for you"),
    Command(path=("token", "list"), help="Your tokens and sessions", configure=add_cluster_arguments, run=_token_list),
    Command(
        path=("token", "create"),
        help="Make a token",
        configure=_token_create_configure,
        run=_token_create,
        examples=("zato token create 'build server' --role deployer --days 365",),
    ),
    Command(path=("token", "delete"), help="Delete a token", configure=_token_delete_configure, run=_token_delete),
)
