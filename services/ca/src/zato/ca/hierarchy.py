"""The authorities themselves: made, imported, rotated; their keys encrypted; whom to trust, as parts are told."""

import threading
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from zato.ca.authorities import INTERMEDIATE, ROOT, Authorities, Authority
from zato.ca.certificates import (
    PrivateKey,
    Revocation,
    Signer,
    fingerprint_of,
    key_pem,
    make_authority,
    make_bridge,
    make_revocation_list,
    new_key,
    pem_of,
)
from zato.ca.errors import BadAuthority, RotationPending, StateNotUsable
from zato.ca.imports import Imported
from zato.ca.lifetimes import Lifetimes
from zato.ca.store import Store, Transaction
from zato.common.secrets import CannotDecrypt, SecretBox

_REVOCATION_LIST_S = 86400.0


class Hierarchy:
    def __init__(self, store: Store, box: SecretBox, name: str, lifetimes: Lifetimes) -> None:
        self._store = store
        self._box = box
        self._name = name
        self._lifetimes = lifetimes
        self._lock = threading.Lock()
        self._revocation_lists: dict[int, tuple[tuple[object, ...], bytes]] = {}

    def prepare(self, imported: Imported | None = None) -> bool:
        """
        Make a root and an intermediate, or take the imported ones, unless there are some. Says whether it did.

        Raises:
            StateNotUsable: The keys that are there were encrypted with another secret key.
        """
        with self._store.write() as write:
            if (issuing := self.at(write).issuing) is not None:
                self._signer(issuing)
                return False
            if imported:
                self._import(write, imported, write.now)
            else:
                root = self._make(write, ROOT, None, write.now)
                self._make(write, INTERMEDIATE, root, write.now)
        return True

    def at(self, transaction: Transaction) -> Authorities:
        """Return what there is at the moment of a transaction."""
        rows = transaction.rows("SELECT * FROM authority ORDER BY id")
        ends = transaction.rows("SELECT authority, max(not_after) AS last FROM certificate GROUP BY authority")
        authorities = [
            Authority(
                id=row["id"],
                level=row["level"],
                name=row["name"],
                parent=row["parent"],
                certificate=x509.load_pem_x509_certificate(row["certificate"].encode()),
                sealed_key=row["sealed_key"],
                active_from=row["active_from"],
                is_imported=bool(row["is_imported"]),
            )
            for row in rows
        ]
        return Authorities(authorities, {row["authority"]: row["last"] for row in ends}, transaction.now)

    def issuer(self, transaction: Transaction) -> tuple[Authority, Signer, bytes]:
        """Return who issues now, and the intermediates that a leaf's certificate is followed by, in PEM."""
        authorities = self.at(transaction)
        if authorities.issuing is None:
            raise StateNotUsable("There is no authority yet that could issue")
        chain = b"".join(pem_of(each.certificate) for each in authorities.chain(authorities.issuing)[:-1])
        return authorities.issuing, self._signer(authorities.issuing), chain

    def rotate(self, level: str, *, imported: Imported | None = None, after_s: float = -1.0) -> list[Authority]:
        """
        Make or take the next root or intermediate, and return what was added.

        Args:
            after_s: Seconds until it issues. Negative: the notice that a root needs, nothing for an intermediate.

        Raises:
            RotationPending: The one before does not issue yet.
            BadAuthority: `level` is neither, or an organisation keeps the root, so the next one has to be given.
        """
        if level not in (ROOT, INTERMEDIATE):
            raise BadAuthority(f"There is no level {level[:100]!r} of an authority: rotate 'root' or 'intermediate'")
        with self._store.write() as write:
            before = self.at(write)
            self._refuse_pending(before, level)
            known = {each.id for each in before.all}
            is_new_root = level == ROOT if imported is None else not _is_trusted(before, imported)
            notice_s = self._lifetimes.root_notice_s if is_new_root else 0.0
            active_from = write.now + (after_s if after_s >= 0 else notice_s)
            if imported is not None:
                self._import(write, imported, active_from)
            elif level == ROOT:
                self._make(write, INTERMEDIATE, self._make(write, ROOT, None, active_from), active_from)
            else:
                assert before.issuing is not None
                self._make(write, INTERMEDIATE, before.chain(before.issuing)[-1], active_from)
            return [each for each in self.at(write).all if each.id not in known]

    def rotate_when_due(self) -> None:
        """Make the next authority when the present one has lived most of its life."""
        with self._store.read() as read:
            authorities, now = self.at(read), read.now
        issuing = authorities.issuing
        if issuing is None or any(authorities.state(each) == "next" for each in authorities.all):
            return
        root = authorities.chain(issuing)[-1]
        if root.sealed_key is None:
            return
        if self._is_due(root, now):
            self.rotate(ROOT)
        elif self._is_due(issuing, now):
            self.rotate(INTERMEDIATE)

    def trusted(self, transaction: Transaction) -> bytes:
        """Return what parts trust now: roots, then the revocation lists of all that issued, in PEM."""
        authorities = self.at(transaction)
        roots = [pem_of(root.certificate) for root in authorities.trusted_roots]
        return b"".join([*roots, *(self._revocation_list(transaction, each) for each in authorities.in_use)])

    def roots(self, transaction: Transaction) -> bytes:
        return b"".join(pem_of(root.certificate) for root in self.at(transaction).trusted_roots)

    def bridges(self, transaction: Transaction) -> bytes:
        """
        Return certificates that lead from the root that issues to those before it, as far as we have their keys, in PEM.

        Who has a token from before a rotation trusts an earlier root alone; by these it believes the authority all the same.
        """
        authorities, made = self.at(transaction), []
        if authorities.issuing is None:
            return b""
        later = authorities.chain(authorities.issuing)[-1]
        earlier = [each for each in authorities.all if each.level == ROOT and each.id < later.id]
        for root in sorted(earlier, key=lambda each: each.id, reverse=True):
            if root.sealed_key is None or root.not_after <= transaction.now:
                break
            made.append(pem_of(make_bridge(later.certificate, self._signer(root), now=transaction.now)))
            later = root
        return b"".join(made)

    def _refuse_pending(self, authorities: Authorities, level: str) -> None:
        for each in authorities.all:
            if each.level == level and authorities.state(each) == "next":
                raise RotationPending(f"'{each.name}' is the next {level} already and does not issue yet: let it begin first")

    def _is_due(self, authority: Authority, now: float) -> bool:
        begin = authority.certificate.not_valid_before_utc.timestamp()
        return now > begin + (authority.not_after - begin) * self._lifetimes.renewed_part

    def _make(self, write: Transaction, level: str, parent: Authority | None, active_from: float) -> Authority:
        number = write.value("SELECT count(*) FROM authority WHERE level = ?", level) + 1
        name = f"{self._name} {level} {number}"
        lifetime_s = self._lifetimes.root_s if level == ROOT else self._lifetimes.intermediate_s
        key = new_key()
        signer = self._signer(parent) if parent else None
        certificate = make_authority(name, now=write.now, lifetime_s=lifetime_s, key=key, parent=signer)
        return self._add(write, level, certificate, key, parent, active_from, is_imported=False)

    def _import(self, write: Transaction, imported: Imported, active_from: float) -> None:
        intermediate, root_certificate = imported.chain
        known = {each.certificate: each for each in self.at(write).all}
        root = known.get(root_certificate) or self._add(
            write, ROOT, root_certificate, None, None, active_from, is_imported=True
        )
        self._add(write, INTERMEDIATE, intermediate, imported.key, root, active_from, is_imported=True)

    def _add(
        self,
        write: Transaction,
        level: str,
        certificate: x509.Certificate,
        key: PrivateKey | None,
        parent: Authority | None,
        active_from: float,
        *,
        is_imported: bool,
    ) -> Authority:
        name = certificate.subject.rfc4514_string().removeprefix("CN=")
        if write.value("SELECT count(*) FROM authority WHERE name = ?", name):
            raise BadAuthority(f"There is an authority '{name}' already: the next one needs a name of its own")
        sealed = self._box.encrypt(key_pem(key)) if key else None
        write.execute(
            "INSERT INTO authority (level, name, parent, certificate, sealed_key, active_from, is_imported)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            level,
            name,
            parent.id if parent else None,
            pem_of(certificate).decode(),
            sealed,
            active_from,
            int(is_imported),
        )
        row_id = write.value("SELECT last_insert_rowid()")
        fingerprint = fingerprint_of(certificate)
        write.audit("authority_added", level=level, name=name, fingerprint=fingerprint, is_imported=is_imported)
        return Authority(row_id, level, name, parent.id if parent else None, certificate, sealed, active_from, is_imported)

    def _signer(self, authority: Authority) -> Signer:
        if authority.sealed_key is None:
            raise BadAuthority(
                f"The key of '{authority.name}' is kept by its organisation: give the next intermediate with --certificate"
                " and --key-file"
            )
        try:
            key = load_pem_private_key(self._box.decrypt(authority.sealed_key).encode(), None)
        except CannotDecrypt:
            raise StateNotUsable(
                f"The key of '{authority.name}' was encrypted with another secret key: put the right one back as 'secret_key'"
            ) from None
        assert isinstance(key, PrivateKey)
        return Signer(authority.certificate, key)

    def _revocation_list(self, transaction: Transaction, authority: Authority) -> bytes:
        revocations = revocations_of(transaction, authority)
        # Made anew when something was revoked or forgotten, and long before the old one ends.
        version = (tuple(revocations), int(transaction.now // (_REVOCATION_LIST_S / 2)))
        with self._lock:
            known = self._revocation_lists.get(authority.id)
            if known is None or known[0] != version:
                made = make_revocation_list(
                    self._signer(authority), revocations, now=transaction.now, lifetime_s=_REVOCATION_LIST_S
                )
                known = self._revocation_lists[authority.id] = (version, pem_of(made))
            return known[1]


def revocations_of(transaction: Transaction, authority: Authority) -> Sequence[Revocation]:
    """What is revoked and would be valid without that."""
    rows = transaction.rows(
        "SELECT serial, revoked_at, reason FROM certificate"
        " WHERE authority = ? AND revoked_at IS NOT NULL AND not_after > ? ORDER BY serial",
        authority.id,
        transaction.now,
    )
    return [Revocation(int(row["serial"], 16), row["revoked_at"], row["reason"]) for row in rows]


def _is_trusted(authorities: Authorities, imported: Imported) -> bool:
    return imported.chain[-1] in [root.certificate for root in authorities.trusted_roots]
