"""
Secrets in Vault. Neither PyPI nor Debian has a Vault to test with: what answers is a server of the test that follows the
documented format of a KV store of version 2.

    GET /v1/<store>/data/<path> with X-Vault-Token → {"data": {"data": {…}, "metadata": {…}}}
"""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from zato.server.enmasse.references import References, is_reference
from zato.server.enmasse.vault import Vault

TOKEN = "hvs.the-token"


@dataclass
class KeyValueStore:
    """Secrets by path, e.g. "secret/data/crm", and the requests that came."""

    secrets: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    address: str = ""

    def answer(self, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
        self.requests.append((path, headers))
        if path in self.answers:
            return self.answers[path]
        if headers.get("x-vault-token") != TOKEN:
            return 403, b'{"errors": ["permission denied"]}'
        if path not in self.secrets:
            return 404, b'{"errors": []}'
        metadata = {"created_time": "2027-01-01T00:00:00Z", "deletion_time": "", "destroyed": False, "version": 1}
        return 200, json.dumps({"request_id": "r", "data": {"data": self.secrets[path], "metadata": metadata}}).encode()


@pytest.fixture
def store() -> Iterator[KeyValueStore]:
    made = KeyValueStore({"/v1/secret/data/crm": {"password": "hush", "port": 5, "żółw": "ż"}})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = made.answer(self.path, {name.lower(): value for name, value in self.headers.items()})
            self.send_response(status)
            if status == 302:
                self.send_header("Location", body.decode())
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def read(store: KeyValueStore, reference: str, **more: str) -> str:
    return Vault({"VAULT_ADDR": store.address, "VAULT_TOKEN": TOKEN, **more}, Path("/nowhere")).read(reference)


def test_a_secret_of_an_object_is_read_from_vault(store: KeyValueStore, tmp_path: Path) -> None:
    references = References({"VAULT_ADDR": store.address, "VAULT_TOKEN": TOKEN})
    for name in ("password", "port", "żółw"):
        found = references.resolve(f"vault:secret/crm#{name}", tmp_path, is_secret=True)
        assert found == {"password": "hush", "port": "5", "żółw": "ż"}[name]
    assert len(store.requests) == 1, "one version of it, and one request"
    assert references.resolve("vault:secret/crm#password", tmp_path) == "vault:secret/crm#password", "no secret option"
    assert is_reference("vault:secret/crm#password")


def test_the_token_may_be_where_vault_s_own_command_keeps_it(store: KeyValueStore, tmp_path: Path) -> None:
    (tmp_path / ".vault-token").write_text(TOKEN + "\n")
    assert Vault({"VAULT_ADDR": store.address + "/"}, tmp_path).read("secret/crm#password") == "hush"


def test_paths_and_namespaces_are_sent_as_vault_has_them(store: KeyValueStore) -> None:
    store.secrets |= {"/v1/team/kv/data/a/b": {"x": "1"}, "/v1/secret/data/with%20space%3F": {"x": "2"}}
    assert read(store, "team/kv//a/b#x", VAULT_NAMESPACE="ours") == "1"
    assert store.requests[-1][1]["x-vault-namespace"] == "ours"
    assert read(store, "secret/with space?#x") == "2"
    assert store.requests[-1][1]["x-vault-token"] == TOKEN


@pytest.mark.parametrize(
    ("reference", "environ", "said"),
    [
        ("secret/crm#user", {}, "has no field 'user', only password, port"),
        ("secret/nothing#x", {}, "there is no secret secret/nothing"),
        ("secret/crm#password", {"VAULT_TOKEN": "wrong"}, "does not let this token read secret/crm"),
        ("secret/crm#password", {"VAULT_TOKEN": ""}, "no token for Vault"),
        ("secret/crm#password", {"VAULT_TOKEN": "a\r\nX: b"}, "characters that no token has"),
        ("secret/crm#password", {"VAULT_ADDR": ""}, "VAULT_ADDR is not set"),
        ("secret/crm#password", {"VAULT_ADDR": "ftp://x"}, "VAULT_ADDR takes an address"),
        ("secret/crm#password", {"VAULT_ADDR": "https://user:hush@x"}, "VAULT_ADDR takes an address"),
        ("secret/crm#password", {"VAULT_ADDR": "http://vault.example.com"}, "in clear"),
        ("secret/crm#password", {"VAULT_ADDR": "http://127.0.0.1:1"}, "cannot be reached"),
        ("secret/crm", {}, "takes store/path#field"),
        ("secret#password", {}, "takes store/path#field"),
        ("secret/../sys/x#y", {}, "takes store/path#field"),
        ("#", {}, "takes store/path#field"),
    ],
)
def test_what_cannot_be_read_is_said_without_a_secret(
    store: KeyValueStore, reference: str, environ: dict[str, str], said: str
) -> None:
    with pytest.raises(ValueError, match=said) as raised:
        read(store, reference, **environ)
    assert "hush" not in str(raised.value)
    assert TOKEN not in str(raised.value)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, b"no JSON"), "otherwise than a KV store of version 2"),
        ((200, b'{"data": {"password": "hush"}}'), "otherwise than a KV store of version 2"),
        ((200, b'{"data": {"data": null, "metadata": {"destroyed": true}}}'), "otherwise than a KV store of version 2"),
        ((200, b"x" * 5_000_000), "more than"),
        ((503, b'{"errors": ["Vault is sealed"]}'), "status 503: Vault is sealed"),
        ((500, b"[]"), "status 500"),
        ((302, b"http://127.0.0.1:1/"), "status 302"),
    ],
)
def test_an_answer_that_is_none_is_told(store: KeyValueStore, answer: tuple[int, bytes], said: str) -> None:
    store.answers["/v1/secret/data/crm"] = answer
    with pytest.raises(ValueError, match=said) as raised:
        read(store, "secret/crm#password")
    assert "hush" not in str(raised.value)
