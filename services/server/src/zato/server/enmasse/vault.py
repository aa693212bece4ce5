"""
Secrets in a Vault's key-value store, version 2: `vault:secret/crm#password` is the field `password` of `crm` in `secret`.

Where it is and who we are is said by the variables that Vault's own command reads: VAULT_ADDR, VAULT_TOKEN or the file
~/.vault-token, VAULT_NAMESPACE, VAULT_CACERT. A store whose own path has a slash ends with two: `vault:team/kv//crm#password`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import urllib3

_TIMEOUT_S = 10.0
_MAX_ANSWER_BYTES = 4 * 1024 * 1024
_FILE = ".vault-token"
_LOCAL = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Vault:
    """
    Each secret is asked for once, so that a file which names many of its fields reads one version of it.

    Args:
        environ: Variables, as above.
        home: Where the file with the token may be.
    """

    environ: Mapping[str, str]
    home: Path = field(default_factory=Path.home)
    _known: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict, repr=False)

    def read(self, reference: str) -> str:
        """
        Return the secret of e.g. "secret/crm#password".

        Raises:
            ValueError: It can't be had; says why, without the secret or the token.
        """
        store, path, name = _parse(reference)
        if (store, path) not in self._known:
            self._known[store, path] = self._fetch(store, path)
        values = self._known[store, path]
        if name not in values:
            known = ", ".join(sorted(values)) or "none"
            raise ValueError(f"the secret {store}/{path} in Vault has no field '{name}', only {known}")
        value = values[name]
        return value if isinstance(value, str) else json.dumps(value)

    def _fetch(self, store: str, path: str) -> Mapping[str, Any]:
        address = self._address()
        url = f"{address}/v1/{quote(store)}/data/{quote(path)}"
        status, body = self._get(url, address)
        if status == 404:
            raise ValueError(
                f"there is no secret {store}/{path} in Vault at {address}, or '{store}' is no KV store of version 2"
            )
        if status in (401, 403):
            raise ValueError(f"Vault at {address} does not let this token read {store}/{path}")
        if status != 200:
            raise ValueError(f"Vault at {address} answered {store}/{path} with the status {status}{_reasons(body)}")
        try:
            values = json.loads(body)["data"]["data"]
        except (ValueError, KeyError, TypeError):
            values = None
        if not isinstance(values, dict):
            raise ValueError(f"Vault at {address} answered {store}/{path} otherwise than a KV store of version 2 does")
        return values

    def _get(self, url: str, address: str) -> tuple[int, bytes]:
        headers = {"X-Vault-Token": self._token(), "X-Vault-Request": "true"}
        if namespace := self.environ.get("VAULT_NAMESPACE"):
            headers["X-Vault-Namespace"] = namespace
        authorities = self.environ.get("VAULT_CACERT") or None
        timeout = urllib3.Timeout(total=_TIMEOUT_S)
        try:
            # No redirect is followed: the token would go wherever it leads.
            with urllib3.PoolManager(ca_certs=authorities, timeout=timeout, retries=False) as pool:
                answer = pool.request("GET", url, headers=headers, redirect=False, preload_content=False)
                body = answer.read(_MAX_ANSWER_BYTES + 1)
                answer.close()
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise ValueError(f"Vault at {address} cannot be reached: {type(exc).__name__}") from exc
        if len(body) > _MAX_ANSWER_BYTES:
            raise ValueError(f"Vault at {address} answered with more than {_MAX_ANSWER_BYTES} bytes")
        return answer.status, body

    def _address(self) -> str:
        address = self.environ.get("VAULT_ADDR", "").rstrip("/")
        if not address:
            raise ValueError("the variable VAULT_ADDR is not set: where Vault is, e.g. https://vault.example.com:8200")
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise ValueError("the variable VAULT_ADDR takes an address such as https://vault.example.com:8200")
        if parts.scheme == "http" and parts.hostname not in _LOCAL:
            raise ValueError("the variable VAULT_ADDR takes an https:// address: the token would cross the network in clear")
        return address

    def _token(self) -> str:
        token = self.environ.get("VAULT_TOKEN", "").strip()
        if not token:
            try:
                token = (self.home / _FILE).read_text().strip()
            except (OSError, UnicodeDecodeError):
                token = ""
        if not token:
            raise ValueError(f"there is no token for Vault: set VAULT_TOKEN, or sign in, which writes ~/{_FILE}")
        if not token.isprintable() or not token.isascii():
            raise ValueError("the token for Vault has characters that no token has")
        return token


def _parse(reference: str) -> tuple[str, str, str]:
    where, _, name = reference.rpartition("#")
    store, slash, path = where.partition("//") if "//" in where else where.partition("/")
    store, path = store.strip("/"), path.strip("/")
    if not (store and slash and path and name) or ".." in path.split("/"):
        raise ValueError(f"vault: takes store/path#field, e.g. vault:secret/crm#password, not vault:{reference:.100}")
    return store, path, name


def _reasons(body: bytes) -> str:
    try:
        errors = json.loads(body)["errors"]
    except (ValueError, KeyError, TypeError):
        return ""
    return f": {'; '.join(map(str, errors)):.200}" if errors else ""
