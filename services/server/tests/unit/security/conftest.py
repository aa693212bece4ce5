"""Requests and keys for the tests of security definitions."""

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from zato.server.http.request import Request

ISSUER = "https://login.example.com/"
AUDIENCE = "orders-api"


def request(method: str = "GET", body: bytes = b"", *headers: tuple[str, str], is_from_proxy: bool = False) -> Request:
    pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    made = Request(method, "/a", pairs, body, cid="the-cid")
    made.is_from_proxy = is_from_proxy
    return made


def bearer(token: str) -> Request:
    return request("GET", b"", ("Authorization", f"Bearer {token}"))


def basic(credentials: str | bytes) -> Request:
    raw = credentials.encode() if isinstance(credentials, str) else credentials
    return request("GET", b"", ("Authorization", f"Basic {base64.b64encode(raw).decode()}"))


@dataclass(frozen=True)
class SigningKey:
    """A private key of an issuer, with what its key set says of it."""

    private: Any
    algorithm: str
    public_jwk: dict[str, Any]

    @property
    def public_pem(self) -> bytes:
        pem: bytes = self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return pem

    def sign(self, claims: dict[str, Any] | None = None, **header: Any) -> str:
        headers = {"kid": self.public_jwk["kid"], **header}
        headers = {name: value for name, value in headers.items() if value is not None}
        return jwt.encode(good_claims() if claims is None else claims, self.private, self.algorithm, headers=headers)


def good_claims(**others: Any) -> dict[str, Any]:
    """Claims of a good token; one that is None is left out."""
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "iat": now, "exp": now + 300, **others}
    return {name: value for name, value in claims.items() if value is not None}


def make_key(algorithm: str, key_id: str) -> SigningKey:
    private: Any
    if algorithm.startswith(("RS", "PS")):
        private = rsa.generate_private_key(65537, 2048)
        described = RSAAlgorithm.to_jwk(private.public_key())
    elif algorithm == "EdDSA":
        private = ed25519.Ed25519PrivateKey.generate()
        described = OKPAlgorithm.to_jwk(private.public_key())
    else:
        curve = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}[algorithm]
        private = ec.generate_private_key(curve)
        described = ECAlgorithm.to_jwk(private.public_key())
    jwk: dict[str, Any] = json.loads(described) if isinstance(described, str) else dict(described)
    return SigningKey(private, algorithm, {**jwk, "kid": key_id, "use": "sig"})


@pytest.fixture(scope="session")
def keys() -> Callable[[str], SigningKey]:
    """Return the key of an id; ids begin with the algorithm: "RS256-1"."""
    made: dict[str, SigningKey] = {}

    def key(key_id: str) -> SigningKey:
        if key_id not in made:
            made[key_id] = make_key(key_id.split("-")[0], key_id)
        return made[key_id]

    return key


def key_set(*keys: SigningKey) -> str:
    return json.dumps({"keys": [key.public_jwk for key in keys]})
