"""Enrolment, renewal and issuing: who gets a certificate. Whatever is refused is in the audit log, with the reason."""

import dataclasses
import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zato.ca.certificates import fingerprint_of, make_leaf, pem_of
from zato.ca.errors import BadGrant, CertificateRefused, InvalidToken, TokenUsed
from zato.ca.grants import Grant, checked_grant
from zato.ca.lifetimes import Limits
from zato.ca.names import checked_part_name
from zato.ca.requests import checked_request, requested_name
from zato.common.certificates.tokens import EnrolmentToken
from zato.common.errors import NotFound, TooManyRequests, ZatoError

if TYPE_CHECKING:
    import sqlite3

    from cryptography import x509

    from zato.ca.hierarchy import Hierarchy
    from zato.ca.metrics import Metrics
    from zato.ca.store import Store, Transaction
    from zato.common.rpc.refusals import Refusal

# Strangers must not fill the disk with refusals.
_MAX_UNKNOWN_TOKENS = 60
_WINDOW_S = 60.0
# More replicas of a part than this do not begin within a minute, unless somebody makes certificates for himself.
_MAX_REUSES = 60


@dataclass(frozen=True)
class Issued:
    """PEM: the certificate with its intermediates, and whom to trust."""

    certificate: bytes
    authorities: bytes


@dataclass(frozen=True)
class Addresses:
    """Where parts find the authority, host:port."""

    enrol: str
    renew: str


class Issuing:
    def __init__(
        self, store: "Store", hierarchy: "Hierarchy", limits: Limits, addresses: Addresses, metrics: "Metrics"
    ) -> None:
        self._store = store
        self._hierarchy = hierarchy
        self._limits = limits
        self._addresses = addresses
        self._metrics = metrics
        self._unknown_tokens: list[float] = []
        self._reuses: dict[str, list[float]] = {}

    def create_token(
        self, grant: Grant, lifetime_s: float = 0.0, *, is_reusable: bool = False
    ) -> tuple[EnrolmentToken, float, Grant]:
        """
        Return a token for one certificate, when it expires (seconds since the epoch), and what it grants.

        Args:
            lifetime_s: Of the token; the default of the limits when 0.
            is_reusable: For any number of certificates, for parts that are started anew or more than once, as containers are.
                Each may add to the token's name: "server.5f2a" enrols with a token for "server".
        """
        with self._audited("token", grant.name):
            grant = checked_grant(grant, self._limits)
            limits = self._limits
            longest_s = limits.reusable_token_lifetime_s if is_reusable else limits.max_token_lifetime_s
            lifetime_s = lifetime_s or (longest_s if is_reusable else limits.token_lifetime_s)
            if not 0 < lifetime_s <= longest_s:
                raise BadGrant(f"Such a token lives for at most {longest_s:g} s, not {lifetime_s:g}")
        secret = secrets.token_urlsafe(32)
        with self._store.write() as write:
            expires_at = write.now + lifetime_s
            write.execute(
                "INSERT INTO token (id, grant_json, name, expires_at, is_reusable) VALUES (?, ?, ?, ?, ?)",
                _digest(secret.encode()),
                _grant_json(grant),
                grant.name,
                expires_at,
                is_reusable,
            )
            described = {"token": _short(secret), "expires_at": expires_at, "is_reusable": is_reusable, **_described(grant)}
            write.audit("token_created", **described)
            roots = self._hierarchy.roots(write).decode()
        addresses = self._addresses
        token = EnrolmentToken(
            secret, grant.name, grant.alternative_names, addresses.enrol, addresses.renew, roots, is_reusable=is_reusable
        )
        return token, expires_at, grant

    def enrol(self, secret: str, request: bytes) -> Issued:
        """
        Raises:
            InvalidToken: There is none, or no more.
            TokenUsed: It was used, for another request than this one.
            TooManyRequests: It is reusable, and was used too often within a minute.
            BadCertificateRequest, WeakKey, NamesNotGranted: The request does not do; the token stays good.
        """
        with self._audited("enrolment", token=_short(secret)), self._store.write() as write:
            token = write.row("SELECT * FROM token WHERE id = ?", _digest(secret.encode()))
            if token is None:
                self._limit_strangers(write.now)
                raise InvalidToken("There is no such enrolment token: ask for a new one, zato ca token")
            self._check_token(token, request, write.now)
            grant = _grant_of(token["grant_json"])
            if token["is_reusable"]:
                self._limit_reuses(token, write.now)
                issued = self._issue(write, _for_replica(grant, request), request, source="token")[1]
                self._metrics.count_issued("token")
                return issued
            if token["serial"] is not None:
                # The answer was lost. Whoever has the key of this request is who got the certificate.
                return self._issued_before(write, token["serial"])
            serial, issued = self._issue(write, grant, request, source="token")
            write.execute("UPDATE token SET used_by = ?, serial = ? WHERE id = ?", _digest(request), serial, token["id"])
        self._metrics.count_issued("token")
        return issued

    def renew(self, certificate: "x509.Certificate | None", request: bytes) -> Issued:
        """
        Return the next certificate for who has `certificate`, with the same grant.

        Raises:
            CertificateRefused: It is not one of ours, or was revoked.
        """
        serial = f"{certificate.serial_number:x}" if certificate is not None else ""
        with self._audited("renewal", serial=serial), self._store.write() as write:
            grant = self._renewable(write, certificate)
            issued = self._issue(write, grant, request, source="renewal")[1]
        self._metrics.count_issued("renewal")
        return issued

    def issue(self, grant: Grant, request: bytes, *, source: str = "operator") -> Issued:
        """Issue what an operator vouches for."""
        with self._audited("issue", grant.name), self._store.write() as write:
            issued = self._issue(write, checked_grant(grant, self._limits), request, source=source)[1]
        self._metrics.count_issued(source)
        return issued

    def _issue(self, write: "Transaction", grant: Grant, request: bytes, *, source: str) -> tuple[str, Issued]:
        # What an operator has lowered since holds for old grants too.
        grant = dataclasses.replace(grant, lifetime_s=min(grant.lifetime_s, self._limits.max_lifetime_s))
        key = checked_request(request, grant)
        authority, signer, chain = self._hierarchy.issuer(write)
        leaf = make_leaf(grant, key, signer, now=write.now)
        serial = f"{leaf.serial_number:x}"
        write.execute(
            "INSERT INTO certificate (serial, authority, name, grant_json, source, not_before, not_after, certificate)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            serial,
            authority.id,
            grant.name,
            _grant_json(grant),
            source,
            leaf.not_valid_before_utc.timestamp(),
            leaf.not_valid_after_utc.timestamp(),
            (pem := pem_of(leaf) + chain).decode(),
        )
        write.audit(
            "issued",
            serial=serial,
            source=source,
            issuer=authority.name,
            not_after=leaf.not_valid_after_utc.isoformat(),
            fingerprint=fingerprint_of(leaf),
            **_described(grant),
        )
        return serial, Issued(pem, self._hierarchy.trusted(write))

    def _check_token(self, token: "sqlite3.Row", request: bytes, now: float) -> None:
        name = token["name"]
        if token["is_withdrawn"]:
            raise InvalidToken(f"The enrolment token of {name!r} was withdrawn: ask for a new one, zato ca token")
        if now >= token["expires_at"]:
            raise InvalidToken(f"The enrolment token of {name!r} has expired: ask for a new one, zato ca token")
        if token["used_by"] is not None and token["used_by"] != _digest(request):
            raise TokenUsed(f"The enrolment token of {name!r} was used already: one token, one certificate")

    def _issued_before(self, write: "Transaction", serial: str) -> Issued:
        row = write.row("SELECT certificate, revoked_at FROM certificate WHERE serial = ?", serial)
        if row is None or row["revoked_at"] is not None:
            raise CertificateRefused("The certificate that this token gave was revoked: ask for a new token, zato ca token")
        return Issued(row["certificate"].encode(), self._hierarchy.trusted(write))

    def _renewable(self, write: "Transaction", certificate: "x509.Certificate | None") -> Grant:
        if certificate is None:
            raise CertificateRefused("No certificate was shown: a renewal is made with the one that is to be renewed")
        row = write.row("SELECT * FROM certificate WHERE serial = ?", f"{certificate.serial_number:x}")
        if row is None or not row["certificate"].startswith(pem_of(certificate).decode()):
            raise CertificateRefused("The certificate is not one of this authority: enrol, with a token")
        if row["revoked_at"] is not None:
            raise CertificateRefused(f"The certificate of {row['name']!r} is revoked: enrol it with a new token")
        if write.now >= row["not_after"]:
            raise CertificateRefused(f"The certificate of {row['name']!r} has expired: enrol it with a new token")
        return _grant_of(row["grant_json"])

    def _limit_strangers(self, now: float) -> None:
        self._unknown_tokens = [at for at in self._unknown_tokens if at > now - _WINDOW_S] + [now]
        if len(self._unknown_tokens) > _MAX_UNKNOWN_TOKENS:
            del self._unknown_tokens[0]
            raise TooManyRequests("Too many unknown enrolment tokens: try again in a minute", retry_after_s=int(_WINDOW_S))

    def _limit_reuses(self, token: "sqlite3.Row", now: float) -> None:
        recent = [at for at in self._reuses.get(token["id"], ()) if at > now - _WINDOW_S]
        if len(recent) >= _MAX_REUSES:
            raise TooManyRequests(
                f"The enrolment token of {token['name']!r} was used {_MAX_REUSES} times within a minute: try again later",
                retry_after_s=int(_WINDOW_S),
            )
        self._reuses[token["id"]] = [*recent, now]

    @contextmanager
    def _audited(self, action: str, name: str = "", **fields: str) -> Iterator[None]:
        """Record what is refused inside, after whatever was begun is undone."""
        try:
            yield
        except ZatoError as exc:
            self.record_refusal(action, exc, {"name": name[:100]} if name else fields)
            raise

    def record_refused_peer(self, refusal: "Refusal") -> None:
        """Record a call or a connection that was refused for the certificate it came with, or without."""
        self._metrics.count_refused(refusal.kind)
        fields = {name: value for name, value in (("name", refusal.caller), ("method", refusal.method)) if value}
        with self._store.write() as write:
            write.audit("refused", action=refusal.kind, reason="CertificateRefused", message=refusal.reason, **fields)

    def record_refusal(self, action: str, exc: ZatoError, fields: Mapping[str, str]) -> None:
        self._metrics.count_refused(type(exc).__name__)
        if isinstance(exc, TooManyRequests | NotFound):
            return
        with self._store.write() as write:
            write.audit("refused", action=action, reason=type(exc).__name__, message=exc.message, **fields)


def _for_replica(grant: Grant, request: bytes) -> Grant:
    """Return the grant with the request's own name where that begins with the granted one."""
    name = requested_name(request)
    return dataclasses.replace(grant, name=checked_part_name(name)) if name.startswith(f"{grant.name}.") else grant


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _short(secret: str) -> str:
    """Return what a token is called in logs; nobody gets back from it to the secret."""
    return _digest(secret.encode())[:12]


def _grant_json(grant: Grant) -> str:
    return json.dumps(dataclasses.asdict(grant))


def _grant_of(text: str) -> Grant:
    fields = json.loads(text)
    return Grant(**{**fields, "alternative_names": tuple(fields["alternative_names"])})


def _described(grant: Grant) -> dict[str, object]:
    return {"name": grant.name, "alternative_names": list(grant.alternative_names), "purpose": grant.purpose}
