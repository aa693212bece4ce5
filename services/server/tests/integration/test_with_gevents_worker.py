"""With gunicorn's own gevent worker services answer as with ours; what it accepts and how long it waits is up to it."""

import json

import pytest

from .conftest import Server, StartServer, deploy_samples, fetch
from .test_bad_requests import CASES, Case
from .test_http_connections import (
    test_a_service_that_waits_keeps_no_other_request_waiting as test_waiting,
)
from .test_http_connections import test_bodies_of_megabytes_go_both_ways as test_megabytes
from .test_http_connections import test_head_is_get_without_the_body as test_head
from .test_http_connections import test_path_parameters_and_query_become_input as test_parameters
from .test_http_connections import test_pipelined_requests_are_all_answered_in_their_order as test_pipelining
from .test_http_connections import test_who_asks_to_close_is_answered_and_closed as test_close

__all__ = ["test_close", "test_head", "test_megabytes", "test_parameters", "test_pipelining", "test_waiting"]
pytestmark = pytest.mark.redis

# Requests that are whole and valid, whatever is in them.
_READABLE = [case for case in CASES if CASES.index(case) < 14 or case.status in (401, 404)]


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> Server:
    server = start_server(http_worker="gevent")
    deploy_samples(server)
    return server


@pytest.mark.parametrize("case", _READABLE, ids=lambda case: case.name.replace(" ", "-"))
def test_what_can_be_read_and_is_wrong_is_answered_as_ever(server: Server, case: Case) -> None:
    answer = fetch(server.http_port, case.request, is_head=case.is_head)
    assert answer is not None and answer.status == case.status
    if not case.is_head:
        assert answer.cid.encode() in answer.body


def test_a_body_beyond_the_limit_is_refused(server: Server) -> None:
    answer = server.request("POST", "/raw", b"x" * (10 * 1024 * 1024 + 1))
    assert answer.status == 413


def test_calls_by_grpc_arrive_and_only_by_the_sidecar(server: Server) -> None:
    assert json.loads(server.invoke("zato.ping").payload) == {"pong": "zato"}
    assert server.request("POST", "/__rpc/Invoker/Invoke", b"\x0a\x09zato.ping").status == 404, "nobody calls by HTTP"


@pytest.mark.parametrize("how", ["raise", "exit", "timeout", "header", "status", "payload"])
def test_a_service_that_breaks_is_a_500(server: Server, how: str) -> None:
    answer = server.request("POST", "/fail", json.dumps({"how": how}).encode())
    assert answer.status == 500
    assert answer.json["cid"] == answer.cid
    assert b"secret reason" not in answer.body
