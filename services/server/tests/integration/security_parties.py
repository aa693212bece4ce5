"""Whom the security of a server deals with: an issuer of tokens, an OAuth 2 server, an API. Over real HTTP."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

ISSUER = "https://login.example.com/"
AUDIENCE = "orders-api"


class Issuer:
    """Signs tokens with its newest key, and shows its public ones."""

    def __init__(self) -> None:
        self.keys: dict[str, rsa.RSAPrivateKey] = {}
        self.fetched = 0
        self.is_down = False

    def add_key(self, key_id: str) -> None:
        self.keys[key_id] = rsa.generate_private_key(65537, 2048)

    def token(self, key_id: str, **claims: Any) -> str:
        now = int(time.time())
        payload = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "iat": now, "exp": now + 300, **claims}
        return jwt.encode(payload, self.keys[key_id], "RS256", headers={"kid": key_id})

    def key_set(self) -> dict[str, Any]:
        described = ((key_id, RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)) for key_id, key in self.keys.items())
        return {"keys": [{**jwk, "kid": key_id, "use": "sig"} for key_id, jwk in described]}


class OAuthServer:
    """Gives tokens to who knows the secret; takes those it gave until they are withdrawn. Keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.calls: Counter[str] = Counter()
        self.withdrawn: set[str] = set()
        self.answer: Any = None
        self.expires_in: Any = 3600
        self._lock = threading.Lock()

    def give(self, fields: dict[str, str]) -> tuple[int, Any]:
        with self._lock:
            self.asked.append(fields)
            if self.answer is not None:
                return 200, self.answer
            if fields.get("client_secret") != "the secret":
                return 401, {"error": "invalid_client", "error_description": f"not {fields.get('client_secret')}"}
            return 200, {"access_token": f"token-{len(self.asked)}", "token_type": "Bearer", "expires_in": self.expires_in}

    def take(self, authorization: str) -> int:
        with self._lock:
            token = authorization.removeprefix("Bearer ")
            self.calls[token] += 1
            return 200 if token.startswith("token-") and token not in self.withdrawn else 401


@contextmanager
def serve(issuer: Issuer, oauth: OAuthServer) -> Iterator[str]:
    """Yield the address of /keys, /token (form), /token-json and /api."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/keys":
                issuer.fetched += 1
                self.reply(503 if issuer.is_down else 200, issuer.key_set())
            else:
                self.reply(oauth.take(self.headers.get("Authorization", "")), {"got": "GET"})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            if self.path == "/token":
                self.reply(*oauth.give({name: values[0] for name, values in parse_qs(body).items()}))
            elif self.path == "/token-json":
                self.reply(*oauth.give(json.loads(body)))
            else:
                self.reply(oauth.take(self.headers.get("Authorization", "")), {"got": body})

        def reply(self, status: int, payload: Any) -> None:
            body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
