"""The PEM files of a definition: whom it trusts, what it shows of itself. Read here, so that errors name option and file."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from zato.common.errors import InvalidOptions
from zato.connector_mq.kinds import DefinitionOptions

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stores:
    """
    The same as PKCS#12, which is what Java reads; None where the definition says nothing.

    Args:
        trusted: The authorities.
        identity: Our certificate with its chain and its key.
        password: Of both. Java wants one, though neither is ever in a file.
    """

    trusted: bytes | None
    identity: bytes | None
    password: str = field(repr=False)


def read_stores(options: DefinitionOptions) -> Stores:
    """
    Raises:
        InvalidOptions: A file cannot be used; says which, and why.
    """
    password = secrets.token_hex(16)
    sealed = serialization.BestAvailableEncryption(password.encode())
    trusted = identity = None
    if options.ssl_ca_file:
        authorities = _read("ssl_ca_file", options.ssl_ca_file, x509.load_pem_x509_certificates)
        entries = [pkcs12.PKCS12Certificate(each, f"authority-{at}".encode()) for at, each in enumerate(authorities)]
        trusted = pkcs12.serialize_java_truststore(entries, sealed)
    if options.ssl_certificate_file:
        chain = _read("ssl_certificate_file", options.ssl_certificate_file, x509.load_pem_x509_certificates)
        # One file may hold both.
        name = "ssl_key_file" if options.ssl_key_file else "ssl_certificate_file"
        key = _read(name, options.ssl_key_file or options.ssl_certificate_file, _private_key)
        if key.public_key() != chain[0].public_key():
            raise InvalidOptions(f"'ssl_key_file' {options.ssl_key_file} is not the key of {options.ssl_certificate_file}")
        identity = pkcs12.serialize_key_and_certificates(b"identity", key, chain[0], chain[1:], sealed)
    return Stores(trusted, identity, password)


def _private_key(content: bytes) -> pkcs12.PKCS12PrivateKeyTypes:
    # Of the types that a certificate can have, the ones that PKCS#12 takes.
    return serialization.load_pem_private_key(content, None)  # type: ignore[return-value]


def _read(option: str, path: str, load: Callable[[bytes], T]) -> T:
    try:
        return load(Path(path).read_bytes())
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else f"it is not what it should be, in PEM: {exc}"
        raise InvalidOptions(f"'{option}' {path} cannot be used: {reason}") from exc
