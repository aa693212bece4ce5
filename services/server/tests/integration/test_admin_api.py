"""
The admin API against its own OpenAPI document: whatever it is sent, over gRPC and over HTTP, it answers as the document says,
and never breaks.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from zato.common.errors import ZatoError
from zato.common.rpc.client import Client
from zato.proto.accounts.v1.accounts_pb2 import SignInRequest
from zato.proto.accounts.v1.accounts_pb2_grpc import AccountsStub
from zato.proto.invoker.v1.invoker_pb2 import InvokeRequest
from zato.proto.invoker.v1.invoker_pb2_grpc import InvokerStub
from zato.server.describe.admin import PATH_PREFIX, response_element
from zato.server.kinds import own_kinds

from .conftest import Server, StartServer

_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
_DOCUMENT = "/zato/openapi-admin.json"
_EXAMPLES = 3
# One object of each of these is there, so that not everything that is asked for is missing.
_SEEDS: dict[str, dict[str, Any]] = {
    "channel-http": {"url_path": "/seed", "service": "zato.ping"},
    "channel-soap": {"url_path": "/soap-seed", "service": "zato.ping"},
    "security-basic-auth": {"username": "seed", "password": "seed-password"},
    "security-api-key": {"key": "seed-key-seed-key"},
    "outgoing-http": {"host": "http://127.0.0.1:1"},
    "outgoing-smtp": {"host": "127.0.0.1", "port": 1},
}
# These wait for a connector, and there is none: that they answer 503 then is right. They are tested beside one.
_NEED_CONNECTORS = {f"{PATH_PREFIX}zato.outgoing.{name}" for name in ("amqp.publish", "jms-wmq.send-message")}
_SEED = "seed"
_PASSWORD = "correct horse battery"
_KINDS = {kind.name for kind in own_kinds()}

Start = Callable[[str, list[tuple[str, str]]], Any]


class InvokerAsHTTP:
    """A WSGI application that calls admin services as other parts do, and answers as POST /zato/json/<service> would."""

    def __init__(self, server: Server) -> None:
        self._server, self._client = server, server.client

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == _DOCUMENT:
            return self._answer(start, 200, self._server.admin("zato.openapi.get", document="admin"))
        service = path.removeprefix(PATH_PREFIX)
        try:
            request = InvokeRequest(service=service, payload=environ["wsgi.input"].read())
            answer = self._client.call(InvokerStub(self._client.channel).Invoke, request, timeout_s=20)
        except ZatoError as exc:
            return self._answer(start, exc.http_status, {"zato_env": _env("ZATO_ERROR", exc.message)})
        made = json.loads(answer.payload) if answer.payload else None
        return self._answer(start, 200, {"zato_env": _env("ZATO_OK"), response_element(service): made})

    def _answer(self, start: Start, status: int, body: Any) -> Iterable[bytes]:
        headers = [("Content-Type", "application/json"), ("X-Zato-CID", "test")]
        start(f"{status} {HTTPStatus(status).phrase}", headers)
        return [json.dumps(body).encode()]


def _env(result: str, details: str = "") -> dict[str, str]:
    return {"result": result, "cid": "test", "details": details}


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> Server:
    server = start_server()
    for kind, values in _SEEDS.items():
        server.admin(f"zato.{kind}.create", name=_SEED, **values)
    server.wait_until_applied()
    return server


@pytest.fixture(scope="module", params=["grpc", "http"])
def api(server: Server, request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "grpc":
        yield schemathesis.openapi.from_wsgi(_DOCUMENT, InvokerAsHTTP(server))
        return
    document = server.admin("zato.openapi.get", document="admin")
    made = schemathesis.openapi.from_dict(document)
    made.config.update(base_url=f"http://127.0.0.1:{server.http_port}")
    # With a token rather than a password, which takes as long to check as the whole rest.
    server.admin("zato.account.create", name="tester", role="admin", password=_PASSWORD, must_change_password=False)
    headers = {"Authorization": f"Bearer {_token(server)}"}
    made.config.update(headers=headers)
    yield made
    # Otherwise all that was tried was being refused.
    assert server.request("POST", f"{PATH_PREFIX}zato.account.get-own", b"{}", headers).status == 200


def _token(server: Server) -> str:
    client = Client(f"127.0.0.1:{server.grpc_port}", token="")
    try:
        request = SignInRequest(name="tester", password=_PASSWORD)
        token: str = client.call(AccountsStub(client.channel).SignIn, request, timeout_s=20).token
    finally:
        client.close()
    return token


@pytest.mark.timeout(180)
@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: mode.value)
def test_whatever_admin_services_are_sent_they_answer_as_documented(
    api: Any, mode: schemathesis.GenerationMode, subtests: Any
) -> None:
    for found in api.get_all_operations():
        operation = found.ok()
        if _is_shared(operation.path) or operation.path in _NEED_CONNECTORS:
            continue
        # Some operations take anything: there is nothing that their input must not be.
        try:
            cases = operation.as_strategy(generation_mode=mode)
        except schemathesis.errors.SchemathesisError:
            continue
        with subtests.test(operation.path):
            _try(cases)


def _is_shared(path: str) -> bool:
    """Of kinds without a seed, only what their own options decide: the rest is the code of all kinds, tried with the others."""
    kind, _, operation = path.removeprefix(f"{PATH_PREFIX}zato.").rpartition(".")
    return kind in _KINDS - _SEEDS.keys() and operation not in ("create", "edit")


def _try(cases: st.SearchStrategy[schemathesis.Case]) -> None:
    @seed(1)
    @settings(
        max_examples=_EXAMPLES, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(case=cases, is_about_seed=st.booleans())
    def answers_as_documented(case: schemathesis.Case, is_about_seed: bool) -> None:
        if is_about_seed and isinstance(case.body, dict) and not case.path.endswith((".create", ".delete")):
            case.body = {
                "name": _SEED,
                **{name: value for name, value in case.body.items() if name not in ("id", "name", "new_name")},
            }
        case.call_and_validate(checks=_CHECKS)

    answers_as_documented()
