"""Signing in, and what the tokens stand for that people then show."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NoReturn

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from zato.common.cid import new_cid
from zato.common.errors import Unauthorized, Unavailable
from zato.common.logs import get_logger
from zato.common.secrets import SecretBox
from zato.server.accounts.identity import Identity
from zato.server.accounts.roles import role_named
from zato.server.accounts.second_factor import matching_step
from zato.server.accounts.tokens import digest, new_token
from zato.server.control.audit_chain import REFUSED
from zato.server.control.changes import Author, audit
from zato.server.odb.database import Database
from zato.server.odb.tables import AccountRow, AccountTokenRow, utc_now
from zato.server.security.log_in_throttle import LogInThrottle
from zato.server.security.passwords import impossible_hash, is_password

log = get_logger(__name__)

# Of the audit log's entries.
KIND = "account"
SESSION = timedelta(hours=12)
# When a token was last used is for people to see; each call writing it down would be too much.
_USED_EVERY = timedelta(minutes=1)
_MOST_NAME_CHARACTERS = 100
# The same sentence whatever was wrong: nobody learns which accounts there are.
_REFUSED = "Name, password or code is wrong, or the account is switched off"
_ENDED = "The token is not valid any more: sign in again"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """
    Args:
        token: "" when the account's second factor is needed still.
    """

    identity: Identity | None
    token: str = ""
    expires_at: datetime | None = None


class SignIn:
    """
    Args:
        throttle: Slows down whoever guesses.
        clock: Tells the time of codes, in seconds since 1970.
    """

    def __init__(
        self,
        database: Database,
        box: SecretBox,
        throttle: LogInThrottle,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._box = box
        self._throttle = throttle
        self._clock = clock

    def sign_in(self, name: str, password: str, code: str, *, address: str, purpose: str) -> SignedIn:
        """
        Return a session's token, or that the second factor is needed too.

        Raises:
            Unauthorized: Something was wrong; what, only the audit log says.
            TooManyRequests: Too often, from this address.
            Unavailable: Redis, which counts attempts, or the ODB can't be asked.
        """
        name = name.strip().lower()
        self._throttle.begin(name, address)
        account = self._check_password(name, password, address)
        if account.second_factor and not code:
            return SignedIn(None)
        with self._database.transaction() as session:
            row = _locked(session, account.id)
            if row is None or row.password_hash != account.password_hash or not row.is_active:
                self._refuse(name, address, "the account was changed meanwhile")
            is_known = not row.second_factor or self._takes_code(row, code)
            signed_in = self._begin_session(session, row, address, purpose) if is_known else SignedIn(None)
        if not is_known:
            self._refuse(name, address, "wrong code")
        self._throttle.succeed(name, address)
        log.info("signed_in", account=name, remote_address=address)
        return signed_in

    def check_basic(self, name: str, password: str, *, address: str) -> Identity:
        """
        Return who it is that gives name and password with each call. Raises as `sign_in` does.

        An account with a second factor can't be used so: what is asked for once must not be left out elsewhere.
        """
        name = name.strip().lower()
        self._throttle.begin(name, address)
        account = self._check_password(name, password, address)
        if account.second_factor:
            self._refuse(name, address, "an account with a second factor uses tokens")
        self._throttle.succeed(name, address)
        return _identity(account)

    def identify(self, token: str) -> Identity:
        """Return whose token it is. Raises Unauthorized."""
        now = utc_now()
        with self._database.reading() as session:
            found = session.execute(
                select(AccountTokenRow, AccountRow)
                .join(AccountRow, AccountRow.id == AccountTokenRow.account_id)
                .where(AccountTokenRow.digest == digest(token))
            ).one_or_none()
        if found is None:
            raise Unauthorized(_ENDED)
        row, account = found
        if not account.is_active or (row.expires_at is not None and row.expires_at <= now):
            raise Unauthorized(_ENDED)
        if row.used_at is None or row.used_at < now - _USED_EVERY:
            self._note_use(row.id, now)
        return _identity(account, row)

    def sign_out(self, author: Author) -> None:
        """End the session whose token was shown; of a program's own token nothing ends."""
        token_id = author.identity.token_id if author.identity is not None else 0
        with self._database.transaction() as session:
            row = session.get(AccountTokenRow, token_id)
            if row is not None and row.is_session:
                session.delete(row)
                audit(session, author, "sign-out", kind=KIND, name=author.name)

    def _takes_code(self, row: AccountRow, code: str) -> bool:
        step = matching_step(self._box.decrypt(row.second_factor), code, self._clock(), row.last_step)
        if step is not None:
            row.last_step = step
        return step is not None

    def _begin_session(self, session: Session, row: AccountRow, address: str, purpose: str) -> SignedIn:
        now, token = utc_now(), new_token()
        row.signed_in_at = now
        session.execute(delete(AccountTokenRow).where(AccountTokenRow.is_session, AccountTokenRow.expires_at < now))
        session.add(
            AccountTokenRow(
                account_id=row.id,
                digest=digest(token),
                name=purpose[:_MOST_NAME_CHARACTERS] or "session",
                is_session=True,
                address=address[:64],
                expires_at=now + SESSION,
            )
        )
        audit(session, Author(row.name, new_cid(), address), "sign-in", kind=KIND, name=row.name)
        return SignedIn(_identity(row), token, now + SESSION)

    def _check_password(self, name: str, password: str, address: str) -> AccountRow:
        try:
            with self._database.reading() as session:
                account = session.execute(select(AccountRow).where(AccountRow.name == name)).scalar_one_or_none()
        except Unavailable:
            # Else an outage would end with everybody locked out who went on trying. Only here: once a password was found to
            # be wrong, that counts whatever comes after.
            self._throttle.take_back(name, address)
            raise
        # As much work for a name that does not exist: the time tells nothing either.
        expected = account.password_hash if account is not None and account.is_active else impossible_hash()
        if not is_password(password, expected) or account is None:
            self._refuse(name, address, "wrong password" if account is not None else "no such account")
        return account

    def _refuse(self, name: str, address: str, reason: str) -> NoReturn:
        log.warning("sign_in_refused", reason=reason, remote_address=address)
        with self._database.transaction() as session:
            # People type their password in the place of their name: only names that exist are written down.
            known = session.execute(select(AccountRow.name).where(AccountRow.name == name)).scalar_one_or_none()
            author = Author(known or "unknown", new_cid(), address)
            audit(session, author, "sign-in", kind=KIND, name=known or "", result=REFUSED, details=reason)
        raise Unauthorized(_REFUSED)

    def _note_use(self, token_id: int, now: datetime) -> None:
        with self._database.transaction() as session:
            row = session.get(AccountTokenRow, token_id)
            if row is not None:
                row.used_at = now


def _locked(session: Session, account_id: int) -> AccountRow | None:
    return session.execute(select(AccountRow).where(AccountRow.id == account_id).with_for_update()).scalar_one_or_none()


def _identity(account: AccountRow, token: AccountTokenRow | None = None) -> Identity:
    role = role_named(account.role)
    if token is not None and token.role:
        role = min(role, role_named(token.role))
    return Identity(account.id, account.name, role, token.id if token is not None else 0, account.must_change_password)
