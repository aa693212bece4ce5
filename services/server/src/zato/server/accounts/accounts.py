"""Managing accounts: one's own, and those of others."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from zato.common.errors import AlreadyExists, BadRequest, Conflict, Forbidden, NotFound, Unauthorized
from zato.common.options import option, options, parse_options
from zato.common.secrets import SecretBox, generate_password
from zato.server.accounts.identity import Identity
from zato.server.accounts.roles import Role, role_named
from zato.server.accounts.second_factor import enrolment_url, matching_step, new_key
from zato.server.accounts.sign_in import KIND
from zato.server.accounts.tokens import digest, new_token
from zato.server.control.changes import Author, audit, lock_changes
from zato.server.odb.database import Database
from zato.server.odb.tables import AccountRow, AccountTokenRow, utc_now
from zato.server.security.passwords import hash_password, is_password

_LEAST_PASSWORD_CHARACTERS = 10
_MOST_PASSWORD_CHARACTERS = 200
_MOST_TOKENS = 50
_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,99}")
ROLES = tuple(role.label for role in Role)


@options
class NewAccount:
    """An account as it is made."""

    name: str = option("What one signs in as: small letters, digits and . _ @ -")
    role: str = option("What it may do", choices=ROLES)
    password: str = option("Made when empty, and returned once", default="", secret=True)
    must_change_password: bool = option("Whether the password is good for changing it only", default=True)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"'name' takes 1 to 100 small letters, digits and . _ @ -, not {self.name!r:.60}")


@options
class AccountChange:
    """What can be changed of an account of somebody else."""

    name: str = option("Which account")
    role: str = option("What it may do; as it is when empty", default="", choices=("", *ROLES))
    is_active: bool | None = option("Whether one can sign in with it; as it is when empty", default=None)


@options
class NewToken:
    """A token for a program."""

    name: str = option("What it is for, e.g. build server", max_length=100)
    role: str = option("Less than the account's own, if it is to do less", default="", choices=("", *ROLES))
    expires_days: int = option("Days until it ends; never when 0", default=90, minimum=0, maximum=3650)


class Accounts:
    """
    Args:
        cluster: Its name, which authenticators show.
    """

    def __init__(self, database: Database, box: SecretBox, cluster: str) -> None:
        self._database = database
        self._box = box
        self._cluster = cluster

    def get_list(self) -> list[dict[str, Any]]:
        with self._database.reading() as session:
            return [_public(row) for row in session.execute(select(AccountRow).order_by(AccountRow.name)).scalars()]

    def get(self, name: str) -> dict[str, Any]:
        """Raises NotFound."""
        with self._database.reading() as session:
            return _public(_row(session, name))

    def create(self, values: Mapping[str, Any], author: Author) -> dict[str, Any]:
        """
        Return the account, with its `password` if that was made here: it is shown this one time.

        Raises:
            InvalidOptions: Names what does not fit.
            AlreadyExists: There is an account of this name.
        """
        wanted = parse_options(NewAccount, dict(values), what="account")
        password = wanted.password or generate_password()
        _check_new_password(password, wanted.name)
        row = AccountRow(
            name=wanted.name,
            role=wanted.role,
            is_active=True,
            password_hash=hash_password(password),
            must_change_password=wanted.must_change_password,
        )
        try:
            with self._database.transaction() as session:
                session.add(row)
                session.flush()
                audit(session, author, "create", kind=KIND, name=row.name, after={"role": row.role})
        except IntegrityError as exc:
            if not self._is_there(wanted.name):
                # Something else was wrong, which choosing another name would not mend.
                raise
            raise AlreadyExists(f"There is an account '{wanted.name}' already: choose another name") from exc
        return _public(row) | ({} if wanted.password else {"password": password})

    def _is_there(self, name: str) -> bool:
        with self._database.reading() as session:
            return session.execute(select(AccountRow.id).where(AccountRow.name == name)).first() is not None

    def edit(self, values: Mapping[str, Any], author: Author) -> dict[str, Any]:
        """
        Raises:
            NotFound: There is no such account.
            Conflict: Nobody would be left who manages accounts.
        """
        wanted = parse_options(AccountChange, dict(values), what="account")
        with self._database.transaction() as session:
            # Two administrators who switch each other off at the same time must not both succeed.
            lock_changes(session)
            row = _row(session, wanted.name)
            before = {"role": row.role, "is_active": row.is_active}
            row.role = wanted.role or row.role
            row.is_active = row.is_active if wanted.is_active is None else wanted.is_active
            _check_that_an_admin_is_left(session)
            after = {"role": row.role, "is_active": row.is_active}
            if not row.is_active:
                _end_sessions(session, row)
            audit(session, author, "edit", kind=KIND, name=row.name, before=before, after=after)
            return _public(row)

    def delete(self, name: str, author: Author) -> None:
        """Raises as `edit` does."""
        with self._database.transaction() as session:
            lock_changes(session)
            row = _row(session, name)
            session.execute(delete(AccountTokenRow).where(AccountTokenRow.account_id == row.id))
            session.delete(row)
            _check_that_an_admin_is_left(session)
            audit(session, author, "delete", kind=KIND, name=name)

    def reset_password(self, name: str, author: Author) -> dict[str, Any]:
        """
        Return a new password, to be changed at the next sign-in. The second factor goes too: its owner has lost it, or
        somebody else has it. Raises NotFound.
        """
        password = generate_password()
        password_hash = hash_password(password)
        with self._database.transaction() as session:
            row = _row(session, name)
            row.password_hash, row.must_change_password = password_hash, True
            row.second_factor = row.pending_second_factor = ""
            session.execute(delete(AccountTokenRow).where(AccountTokenRow.account_id == row.id))
            audit(session, author, "reset-password", kind=KIND, name=name)
            return _public(row) | {"password": password}

    def get_own(self, author: Author) -> dict[str, Any]:
        identity = _own(author)
        with self._database.reading() as session:
            return _public(_by_id(session, identity)) | {"role": identity.role.label}

    def change_own_password(self, old: str, new: str, author: Author) -> None:
        """
        All other sessions end.

        Raises:
            BadRequest: The new one is not acceptable.
            Unauthorized: The old one is wrong.
        """
        identity = _own(author)
        with self._database.reading() as session:
            row = _by_id(session, identity)
        _check_new_password(new, row.name)
        if not is_password(old, row.password_hash):
            raise Unauthorized("The old password is wrong")
        if old == new:
            raise BadRequest("The new password has to be another one")
        password_hash = hash_password(new)
        with self._database.transaction() as session:
            row = _by_id(session, identity)
            row.password_hash, row.must_change_password = password_hash, False
            _end_sessions(session, row, but=identity.token_id)
            audit(session, author, "change-password", kind=KIND, name=row.name)

    def begin_second_factor(self, author: Author) -> dict[str, str]:
        """Return the key for an authenticator. It counts when its first code was confirmed."""
        key = new_key()
        with self._database.transaction() as session:
            row = _by_id(session, _own(author))
            row.pending_second_factor = self._box.encrypt(key)
            return {"key": key, "url": enrolment_url(key, row.name, self._cluster)}

    def confirm_second_factor(self, code: str, author: Author) -> None:
        """Raises Unauthorized for a wrong code, Conflict when none was begun."""
        with self._database.transaction() as session:
            row = _by_id(session, _own(author))
            if not row.pending_second_factor:
                raise Conflict("There is no second factor to confirm: begin with 'zato account second-factor'")
            step = matching_step(self._box.decrypt(row.pending_second_factor), code, utc_now().timestamp(), 0)
            if step is None:
                raise Unauthorized("The code is wrong: is the clock of your authenticator right?")
            row.second_factor, row.pending_second_factor, row.last_step = row.pending_second_factor, "", step
            _end_sessions(session, row, but=_own(author).token_id)
            audit(session, author, "set-second-factor", kind=KIND, name=row.name)

    def remove_second_factor(self, password: str, author: Author) -> None:
        """Raises Unauthorized for a wrong password: whoever finds an open session must not remove it."""
        with self._database.reading() as session:
            row = _by_id(session, _own(author))
        if not is_password(password, row.password_hash):
            raise Unauthorized("The password is wrong")
        with self._database.transaction() as session:
            row = _by_id(session, _own(author))
            row.second_factor = row.pending_second_factor = ""
            audit(session, author, "remove-second-factor", kind=KIND, name=row.name)

    def create_token(self, values: Mapping[str, Any], author: Author) -> dict[str, Any]:
        """
        Return the token, this one time.

        Raises:
            InvalidOptions: Names what does not fit.
            Forbidden: Its role would be more than the caller's.
        """
        identity = _own(author)
        wanted = parse_options(NewToken, dict(values), what="token")
        if wanted.role and role_named(wanted.role) > identity.role:
            raise Forbidden(f"A token can't have the role {wanted.role}: yours is {identity.role.label}")
        # Of a token that is less than its account, others come out that are not more.
        role = wanted.role or identity.role.label
        token = new_token()
        with self._database.transaction() as session:
            row = _by_id(session, identity)
            count = session.execute(_tokens_of(row).with_only_columns(func.count()).order_by(None)).scalar_one()
            if count >= _MOST_TOKENS:
                raise Conflict(f"There are {count} tokens of this account already: delete those that nobody uses")
            made = AccountTokenRow(
                account_id=row.id,
                digest=digest(token),
                name=wanted.name,
                is_session=False,
                role="" if role == row.role else role,
                expires_at=utc_now() + timedelta(days=wanted.expires_days) if wanted.expires_days else None,
            )
            session.add(made)
            session.flush()
            audit(session, author, "create-token", kind=KIND, name=row.name, after={"token": wanted.name, "role": role})
            return _public_token(made) | {"token": token}

    def get_token_list(self, author: Author) -> list[dict[str, Any]]:
        """Return the caller's sessions and tokens."""
        with self._database.reading() as session:
            row = _by_id(session, _own(author))
            return [_public_token(each) for each in session.execute(_tokens_of(row)).scalars()]

    def delete_token(self, token_id: int, author: Author) -> None:
        """Raises NotFound: the caller has no such token."""
        with self._database.transaction() as session:
            row = _by_id(session, _own(author))
            found = session.execute(_tokens_of(row).where(AccountTokenRow.id == token_id)).scalar_one_or_none()
            if found is None:
                raise NotFound(f"You have no token {token_id}: see 'zato token list'")
            session.delete(found)
            audit(session, author, "delete-token", kind=KIND, name=row.name, before={"token": found.name})


def _own(author: Author) -> Identity:
    if author.identity is None:
        raise Forbidden("This is for people with an account: parts of the cluster have none")
    return author.identity


def _row(session: Session, name: str) -> AccountRow:
    row = session.execute(select(AccountRow).where(AccountRow.name == name)).scalar_one_or_none()
    if row is None:
        raise NotFound(f"There is no account '{name:.100}': see 'zato account list'")
    return row


def _by_id(session: Session, identity: Identity) -> AccountRow:
    row = session.get(AccountRow, identity.account_id)
    if row is None:
        raise Unauthorized("Your account does not exist any more")
    return row


def _tokens_of(row: AccountRow) -> Any:
    now = utc_now()
    is_good = AccountTokenRow.expires_at.is_(None) | (AccountTokenRow.expires_at > now)
    return select(AccountTokenRow).where(AccountTokenRow.account_id == row.id, is_good).order_by(AccountTokenRow.id)


def _end_sessions(session: Session, row: AccountRow, *, but: int = 0) -> None:
    mine = (AccountTokenRow.account_id == row.id) & AccountTokenRow.is_session
    session.execute(delete(AccountTokenRow).where(mine, AccountTokenRow.id != but))


def _check_that_an_admin_is_left(session: Session) -> None:
    session.flush()
    others = session.execute(select(func.count()).select_from(AccountRow)).scalar_one()
    admins = select(func.count()).where(AccountRow.role == Role.ADMIN.label, AccountRow.is_active)
    if others and not session.execute(admins).scalar_one():
        raise Conflict("Nobody would be left who manages accounts: give somebody else the role admin first")


def _check_new_password(password: str, name: str) -> None:
    if not isinstance(password, str) or not _LEAST_PASSWORD_CHARACTERS <= len(password) <= _MOST_PASSWORD_CHARACTERS:
        raise BadRequest(f"A password has {_LEAST_PASSWORD_CHARACTERS} to {_MOST_PASSWORD_CHARACTERS} characters")
    if name in password.lower():
        raise BadRequest("A password does not have the account's name in it")


def _iso(time: datetime | None) -> str:
    return time.isoformat() if time is not None else ""


def _public(row: AccountRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "role": row.role,
        "is_active": row.is_active,
        "has_second_factor": bool(row.second_factor),
        "must_change_password": row.must_change_password,
        "created_at": _iso(row.created_at),
        "signed_in_at": _iso(row.signed_in_at),
    }


def _public_token(row: AccountTokenRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "is_session": row.is_session,
        "role": row.role,
        "address": row.address,
        "created_at": _iso(row.created_at),
        "expires_at": _iso(row.expires_at),
        "used_at": _iso(row.used_at),
    }
