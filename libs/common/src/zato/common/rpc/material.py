"""
What TLS works with, read from its files and read again when they change, so that new certificates need no restart.

Authorities may be followed by their revocation lists (PEM, "X509 CRL") in the same file: one file, replaced whole, says
whom we trust.
"""

import os
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from zato.common.clock import Clock, SystemClock
from zato.common.errors import InvalidOptions
from zato.common.logs import get_logger

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

log = get_logger(__name__)

# Calls ask each time, the file system not as often.
_LOOK_EVERY_S = 0.5
_ATTEMPTS = 5
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)

Revoked = frozenset[tuple[bytes, int]]
_Stamp = tuple[tuple[int, int, int], ...]


class Files(Protocol):
    @property
    def certificate(self) -> Path | None: ...
    @property
    def key(self) -> Path | None: ...
    @property
    def authorities(self) -> Path | None: ...


@dataclass(frozen=True)
class Material:
    """`revoked` holds the encoded issuer and the serial number of each certificate that the revocation lists name."""

    certificate: bytes
    key: bytes = field(repr=False)
    authorities: bytes
    revoked: Revoked


class MaterialReader:
    """
    Gives the newest certificate, key and authorities that fit together.

    Files are replaced one after the other; as long as a key does not belong to its certificate the old ones are used.

    Raises:
        InvalidOptions: They cannot be read, or do not fit together, the first time. Later that is logged.
    """

    def __init__(self, files: Files, clock: Clock | None = None) -> None:
        self._paths = [path for path in (files.certificate, files.key, files.authorities) if path is not None]
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._looked_at = self._clock.monotonic()
        self._stamp, self._material = self._read()

    def newest(self) -> Material:
        """Return what there is now: the same object until a file has changed."""
        now = self._clock.monotonic()
        if now - self._looked_at < _LOOK_EVERY_S or not self._lock.acquire(blocking=False):
            return self._material
        try:
            self._looked_at = now
            if _stamp_of(self._paths) != self._stamp:
                self._stamp, self._material = self._read()
                log.info("tls_files_taken", certificate=str(self._paths[0]))
        except InvalidOptions as exc:
            log.warning("tls_files_not_taken", reason=exc.message)
        finally:
            self._lock.release()
        return self._material

    def _read(self) -> tuple[_Stamp, Material]:
        error = InvalidOptions(f"TLS file {self._paths[0]} changes all the time: nothing that fits together could be read")
        for _attempt in range(_ATTEMPTS):
            before = _stamp_of(self._paths)
            certificate, key, authorities = map(_read_file, self._paths)
            if before != _stamp_of(self._paths):
                continue
            try:
                return before, self._material_of(certificate, key, authorities)
            except InvalidOptions as exc:
                error = exc
        raise error

    def _material_of(self, certificate: bytes, key: bytes, authorities: bytes) -> Material:
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
        from cryptography.x509 import load_pem_x509_certificate

        try:
            is_pair = load_pem_x509_certificate(certificate).public_key() == load_pem_private_key(key, None).public_key()
        except (ValueError, TypeError):
            # Without the cause, which may quote the key.
            raise InvalidOptions(f"TLS files {self._paths[0]} and {self._paths[1]}: not a certificate and its key") from None
        if not is_pair:
            raise InvalidOptions(f"The key in {self._paths[1]} does not belong to the certificate in {self._paths[0]}")
        try:
            return Material(certificate, key, *split_authorities(authorities))
        except ValueError:
            raise InvalidOptions(f"TLS file {self._paths[2]} holds a revocation list that cannot be read") from None


def split_authorities(pem: bytes) -> tuple[bytes, Revoked]:
    """Return the certificates of a file of authorities, and what its revocation lists revoke. Raises ValueError."""
    from cryptography.x509 import load_pem_x509_crl

    certificates, revoked = [], set()
    for block in _BLOCK.finditer(pem):
        if block[1] == b"X509 CRL":
            revocations = load_pem_x509_crl(block[0])
            issuer = revocations.issuer.public_bytes()
            revoked |= {(issuer, entry.serial_number) for entry in revocations}
        else:
            certificates.append(block[0] + b"\n")
    return b"".join(certificates), frozenset(revoked)


def revocation_key(certificate: "Certificate") -> tuple[bytes, int]:
    """Return what `Material.revoked` holds when this certificate is revoked."""
    return certificate.issuer.public_bytes(), certificate.serial_number


def _stamp_of(paths: list[Path]) -> _Stamp:
    return tuple(map(_file_stamp, paths))


def _file_stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = os.stat(path)
    except OSError as exc:
        raise _unreadable(path, exc) from exc
    return found.st_ino, found.st_mtime_ns, found.st_size


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise _unreadable(path, exc) from exc


def _unreadable(path: Path, exc: OSError) -> InvalidOptions:
    return InvalidOptions(f"TLS file {path} cannot be read: {exc.strerror}")
