"""What was issued: lists, single certificates, revocation, and the state of the whole."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509

from zato.ca import audit
from zato.ca.authorities import Authority
from zato.ca.certificates import fingerprint_of
from zato.common.errors import BadRequest, NotFound

if TYPE_CHECKING:
    import sqlite3

    from zato.ca.hierarchy import Hierarchy
    from zato.ca.metrics import Metrics
    from zato.ca.store import Store, Transaction

_REASONS = tuple(flag.value for flag in x509.ReasonFlags if flag is not x509.ReasonFlags.remove_from_crl)


@dataclass(frozen=True)
class CertificateRecord:
    """`state` is "valid", "expired" or "revoked"; times are seconds since the epoch."""

    serial: str
    name: str
    alternative_names: tuple[str, ...]
    purpose: str
    issuer: str
    not_before: float
    not_after: float
    state: str
    revoked_at: float
    reason: str
    source: str
    fingerprint: str
    certificate: bytes


@dataclass(frozen=True)
class AuthorityRecord:
    """`state` is "active", "next", "retiring" or "retired"."""

    authority: Authority
    state: str
    trusted_until: float


@dataclass(frozen=True)
class State:
    authorities: tuple[AuthorityRecord, ...]
    valid: int
    revoked: int
    open_tokens: int
    next_expiry: float


@dataclass(frozen=True)
class Revoked:
    serials: tuple[str, ...]
    tokens: int


class Registry:
    def __init__(self, store: "Store", hierarchy: "Hierarchy", metrics: "Metrics") -> None:
        self._store = store
        self._hierarchy = hierarchy
        self._metrics = metrics

    def certificates(self, *, name: str = "", is_all: bool = False) -> list[CertificateRecord]:
        """Return those that have not expired, the newest first; expired ones too if asked for."""
        with self._store.read() as read:
            rows = read.rows(
                f"{_SELECT} WHERE (? OR c.not_after > ?) AND (? = '' OR c.name = ?) ORDER BY c.not_before DESC, c.rowid DESC",
                is_all,
                read.now,
                name,
                name,
            )
            return [_record(row, read.now) for row in rows]

    def certificate(self, serial: str) -> CertificateRecord:
        """Raises NotFound."""
        with self._store.read() as read:
            row = read.row(f"{_SELECT} WHERE c.serial = ?", _normal_serial(serial))
            if row is None:
                raise NotFound(f"There is no certificate with the serial number {serial[:100]!r}: zato ca list shows them")
            return _record(row, read.now)

    def revoke(self, *, serial: str = "", name: str = "", reason: str = "") -> Revoked:
        """
        Revoke a certificate, or all of a name that are valid and the name's open tokens.

        Raises:
            NotFound: There is nothing to revoke.
            BadRequest: There is no such reason.
        """
        reason = reason or x509.ReasonFlags.unspecified.value
        if reason not in _REASONS:
            raise BadRequest(f"There is no reason {reason[:100]!r}; there are: {', '.join(_REASONS)}")
        if bool(serial) == bool(name):
            raise BadRequest("Give a serial number or a name to revoke, one of them")
        with self._store.write() as write:
            serials = self._revocable(write, _normal_serial(serial) if serial else "", name)
            tokens = write.execute(
                "UPDATE token SET is_withdrawn = 1 WHERE name = ? AND serial IS NULL AND expires_at > ? AND NOT is_withdrawn",
                name,
                write.now,
            )
            if not serials and not tokens:
                raise NotFound(f"There is nothing valid of {(serial or name)[:100]!r} to revoke: see zato ca list")
            for each in serials:
                write.execute("UPDATE certificate SET revoked_at = ?, reason = ? WHERE serial = ?", write.now, reason, each)
            write.audit("revoked", serials=serials, name=name, reason=reason, withdrawn_tokens=tokens)
        self._metrics.count_revoked(len(serials))
        return Revoked(tuple(serials), tokens)

    def state(self) -> State:
        with self._store.read() as read:
            authorities = self._hierarchy.at(read)
            records = [
                AuthorityRecord(each, authorities.state(each), authorities.trusted_until(each)) for each in authorities.all
            ]
            counts = read.row(
                "SELECT count(*) FILTER (WHERE revoked_at IS NULL) AS valid,"
                " count(*) FILTER (WHERE revoked_at IS NOT NULL) AS revoked,"
                " min(not_after) FILTER (WHERE revoked_at IS NULL) AS next_expiry FROM certificate WHERE not_after > ?",
                read.now,
            )
            open_tokens = read.value(
                "SELECT count(*) FROM token WHERE serial IS NULL AND NOT is_withdrawn AND expires_at > ?", read.now
            )
        assert counts is not None
        return State(tuple(records), counts["valid"], counts["revoked"], open_tokens, counts["next_expiry"] or 0.0)

    def audit(self, limit: int) -> tuple[list[str], int]:
        """Return the last entries and how many there are. Raises ChainBroken when the log is not whole."""
        with self._store.read() as read:
            lines = [row["line"] for row in read.rows("SELECT line FROM audit ORDER BY number")]
        total = audit.verify(lines)
        return lines[-limit:] if limit > 0 else lines, total

    def _revocable(self, write: "Transaction", serial: str, name: str) -> list[str]:
        rows = write.rows(
            "SELECT serial FROM certificate WHERE (serial = ? OR name = ?) AND revoked_at IS NULL AND not_after > ?",
            serial,
            name,
            write.now,
        )
        return [row["serial"] for row in rows]


_SELECT = (
    "SELECT c.*, a.name AS issuer, json_extract(c.grant_json, '$.alternative_names') AS names,"
    " json_extract(c.grant_json, '$.purpose') AS purpose FROM certificate c JOIN authority a ON a.id = c.authority"
)


def _normal_serial(serial: str) -> str:
    """Take it as others print it too, e.g. "0A:BC"."""
    return serial.replace(":", "").lower().lstrip("0")


def _record(row: "sqlite3.Row", now: float) -> CertificateRecord:
    is_revoked = row["revoked_at"] is not None
    pem = row["certificate"].encode()
    return CertificateRecord(
        serial=row["serial"],
        name=row["name"],
        alternative_names=tuple(json.loads(row["names"])),
        purpose=row["purpose"],
        issuer=row["issuer"],
        not_before=row["not_before"],
        not_after=row["not_after"],
        state="revoked" if is_revoked else "expired" if row["not_after"] <= now else "valid",
        revoked_at=row["revoked_at"] or 0.0,
        reason=row["reason"] or "",
        source=row["source"],
        fingerprint=fingerprint_of(x509.load_pem_x509_certificate(pem)),
        certificate=pem,
    )
