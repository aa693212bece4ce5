"""Each step of the pipeline alone, with a lambda for the next one."""

import base64
import ipaddress
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import pytest
from greenlet import GreenletExit
from structlog.testing import capture_logs

from zato.common.errors import (
    BadRequest,
    Forbidden,
    InternalError,
    MethodNotAllowed,
    PayloadTooLarge,
    Unauthorized,
    Unavailable,
    ZatoError,
)
from zato.server.http.channel import HTTPChannelOptions, compile_channel
from zato.server.http.client_address import make_client_address_step
from zato.server.http.errors import make_error_response, make_error_step
from zato.server.http.formats import load_xml
from zato.server.http.limits import make_limits_step
from zato.server.http.match import make_match_step
from zato.server.http.probes import make_probe_step
from zato.server.http.rate_limits import LocalCounter, RateLimiter
from zato.server.http.request import Request, Response
from zato.server.http.router import Router
from zato.server.http.steps import fold
from zato.server.security.api_key import APIKeyOptions
from zato.server.security.api_key import make_verifier as make_key_verifier
from zato.server.security.basic_auth import BasicAuthOptions, make_verifier
from zato.server.security.check import check_security
from zato.server.security.definitions import Verifier
from zato.server.worker_state import WorkerState


def request(target: str = "/", *, body: bytes = b"", remote_address: str = "", **headers: str) -> Request:
    pairs = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return Request("GET", target, pairs, body, cid="the-cid", remote_address=remote_address)


def on_channel(made: Request, verify: Verifier | None = None, **options: Any) -> Request:
    made.channel = compile_channel("a", HTTPChannelOptions(url_path="/a", service="s", **options), verify)
    return made


def answer(_request: Request) -> Response:
    return Response(200, b"reached")


def fail_with(error: BaseException) -> Callable[[Request], Response]:
    def fail(_request: Request) -> Response:
        raise error

    return fail


def test_steps_run_in_order_around_the_endpoint() -> None:
    seen: list[str] = []

    def step(name: str) -> Any:
        def run(made: Request, next: Any) -> Response:
            seen.append(f"{name} in")
            response: Response = next(made)
            seen.append(f"{name} out")
            return response

        return run

    assert fold([step("a"), step("b")], answer)(request()).body == b"reached"
    assert seen == ["a in", "b in", "b out", "a out"]


# Errors

errors = make_error_step(return_tracebacks=False)


@pytest.mark.parametrize("error", [BadRequest("no"), Forbidden("no"), PayloadTooLarge("no"), Unavailable("no")])
def test_an_error_of_ours_is_its_status_and_its_sentence(error: ZatoError) -> None:
    response = errors(request(), fail_with(error))
    assert response.status == error.http_status
    assert json.loads(response.body) == {"result": "Error", "cid": "the-cid", "details": "no"}


@pytest.mark.parametrize(
    "error", [RuntimeError("secret"), SystemExit("secret"), KeyboardInterrupt("secret"), gevent.Timeout(1), RecursionError()]
)
def test_anything_else_is_a_500_that_says_nothing(error: BaseException) -> None:
    response = errors(request(), fail_with(error))
    assert response.status == 500
    assert b"secret" not in response.body
    assert b"cid" in response.body


def test_the_base_of_all_errors_says_nothing_either() -> None:
    assert b"secret" not in errors(request(), fail_with(ZatoError("secret"))).body


def test_a_sentence_for_clients_comes_instead_of_the_one_for_the_log() -> None:
    error = Unavailable("http://10.0.0.1: refused", public="Connection 'crm' is away")
    with capture_logs() as logged:
        response = errors(request(), fail_with(error))
    assert json.loads(response.body)["details"] == "Connection 'crm' is away"
    assert b"10.0.0.1" not in response.body
    assert [line["details"] for line in logged] == ["http://10.0.0.1: refused"]


def test_a_greenlet_that_is_ended_ends() -> None:
    with pytest.raises(GreenletExit):
        errors(request(), fail_with(GreenletExit()))


def test_a_traceback_is_shown_where_it_was_asked_for() -> None:
    response = make_error_step(return_tracebacks=True)(request(), fail_with(RuntimeError("reason")))
    assert "RuntimeError: reason" in json.loads(response.body)["details"]


def test_an_error_comes_in_the_format_of_its_channel() -> None:
    response = errors(on_channel(request(), data_format="xml"), fail_with(BadRequest("<no>")))
    assert response.content_type == "application/xml"
    root = load_xml(response.body)
    assert (root.result, root.cid, root.details) == ("Error", "the-cid", "<no>")


@pytest.mark.parametrize("data_format", ["", "csv", "form", "post"])
def test_where_a_format_has_no_form_for_an_error_it_is_text(data_format: str) -> None:
    response = errors(on_channel(request(), data_format=data_format), fail_with(BadRequest("no")))
    assert (response.content_type, response.body) == ("text/plain; charset=utf-8", b"no (cid the-cid)\n")


@pytest.mark.parametrize("data_format", ["json", "xml"])
@pytest.mark.parametrize("text", ["\x00", "a\x0bb", "\ud800", "\ufffe", "zażółć 👩‍🔬", "]]>"])
def test_an_error_of_any_text_is_an_answer(data_format: str, text: str) -> None:
    response = make_error_response(BadRequest(f"before{text}after"), "the-cid", data_format)
    assert response.status == 400
    assert b"before" in response.body and b"after" in response.body


def test_errors_bring_the_headers_that_belong_to_them() -> None:
    assert errors(request(), fail_with(MethodNotAllowed("no", allow="GET"))).headers == {"Allow": "GET"}
    assert errors(request(), fail_with(Unauthorized("no", challenge="Basic"))).headers == {"WWW-Authenticate": "Basic"}
    assert errors(request(), fail_with(Unavailable("no"))).headers == {"Retry-After": "1"}
    assert errors(request(), fail_with(InternalError("no"))).headers == {}


# Who the client is

find_address = make_client_address_step([ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::1")])


def address_of(made: Request) -> str:
    find_address(made, answer)
    return made.remote_address


def test_a_load_balancers_word_is_taken() -> None:
    assert address_of(request(remote_address="10.1.2.3", x_forwarded_for="192.0.2.7")) == "192.0.2.7"
    assert address_of(request(remote_address="::1", x_forwarded_for="2001:db8::1")) == "2001:db8::1"


def test_a_strangers_word_is_not() -> None:
    assert address_of(request(remote_address="192.0.2.1", x_forwarded_for="10.0.0.1")) == "192.0.2.1"
    assert address_of(request(remote_address="", x_forwarded_for="10.0.0.1")) == ""


def test_what_the_client_told_the_load_balancer_is_not_believed() -> None:
    assert address_of(request(remote_address="10.1.2.3", x_forwarded_for="127.0.0.1, 192.0.2.7")) == "192.0.2.7"


def test_a_client_that_sends_the_header_itself_is_not_believed_when_the_load_balancer_adds_its_own() -> None:
    made = request(remote_address="10.1.2.3")
    made.headers = [(b"x-forwarded-for", b"127.0.0.1"), (b"host", b"x"), (b"x-forwarded-for", b"192.0.2.7")]
    assert address_of(made) == "192.0.2.7"


@pytest.mark.parametrize("forwarded", ["", "unknown", "x" * 500, "1.2.3", "192.0.2.7,", "\xff"])
def test_what_is_no_address_does_not_become_one(forwarded: str) -> None:
    assert address_of(request(remote_address="10.1.2.3", x_forwarded_for=forwarded)) == "10.1.2.3"


# Probes


@pytest.fixture
def probe(tmp_path: Path) -> Callable[[str, bool], Response]:
    def ask(path: str, is_ready: bool) -> Response:
        return make_probe_step(lambda: is_ready, tmp_path)(request(path), answer)

    return ask


def test_readiness_is_a_status_that_load_balancers_understand(probe: Callable[[str, bool], Response]) -> None:
    assert (probe("/health/ready", True).status, probe("/health/ready", False).status) == (200, 503)
    assert probe("/health/live", False).status == 200
    assert probe("/health/ready?now", True).body == b'{"is_ready":true}'


def test_metrics_are_in_the_format_of_prometheus(probe: Callable[[str, bool], Response]) -> None:
    assert probe("/metrics", True).content_type.startswith("text/plain; version=0.0.4")


def test_other_paths_go_on(probe: Callable[[str, bool], Response]) -> None:
    assert probe("/health", True).body == b"reached"
    assert probe("/health/ready/", True).body == b"reached"


# The channel


def test_a_request_keeps_the_configuration_it_began_with() -> None:
    channel = compile_channel("a", HTTPChannelOptions(url_path="/a/{b}", service="s"), None)
    state = WorkerState(router=Router([channel]))
    made = request("/a/1")
    make_match_step(lambda: state)(made, answer)
    assert made.state is state
    assert made.channel is channel
    assert made.path_parameters == {"b": "1"}


def test_several_accept_headers_are_one_list() -> None:
    channels = [
        compile_channel(name, HTTPChannelOptions(url_path="/a", service="s", http_accept=f"application/{name}"), None)
        for name in ("json", "xml")
    ]
    state = WorkerState(router=Router(channels))
    made = request("/a")
    made.headers = [
        (b"accept", b"text/html, application/json;q=0.1"),
        (b"x-other", b"1"),
        (b"accept", b"application/xml;q=0.5"),
    ]
    make_match_step(lambda: state)(made, answer)
    assert made.channel is channels[1]


# Security

verify_password = make_verifier("def", BasicAuthOptions(username="user", password="pass:word ż", realm="Orders"))
verify_key = make_key_verifier("def", APIKeyOptions(header="X-Own-Key", key="the-key ż"))


def basic(credentials: str) -> str:
    return "Basic " + base64.b64encode(credentials.encode()).decode()


@pytest.mark.parametrize("authorization", [basic("user:pass:word ż"), basic("user:pass:word ż").replace("Basic", "bAsIc  ")])
def test_the_right_password_lets_in_and_says_who_it_is(authorization: str) -> None:
    made = on_channel(request(authorization=authorization), verify_password)
    assert check_security(made, answer).body == b"reached"
    assert made.identity is not None
    assert (made.identity.definition, made.identity.username) == ("def", "user")


_WRONG = [
    "",
    "Basic",
    "Basic ",
    "Basic ***",
    "Basic \xff\xfe",
    basic(""),
    basic(":"),
    basic("user"),
    basic("user:"),
    basic("user:pass:word"),
    basic("User:pass:word ż"),
    basic("user:pass:word ż") + "AAAA",
    basic("user:pass:word ż").replace("Basic", "Bearer"),
    basic("user:pass:word ż").replace(" ", ""),
    "Basic " + "A" * 5000,
]


def test_every_wrong_password_gets_the_same_answer() -> None:
    answers = set()
    for authorization in _WRONG:
        with pytest.raises(Unauthorized) as raised:
            check_security(on_channel(request(authorization=authorization), verify_password), answer)
        answers.add((raised.value.message, raised.value.challenge))
    with pytest.raises(Unauthorized) as raised:
        check_security(on_channel(request(), verify_password), answer)
    assert answers == {(raised.value.message, 'Basic realm="Orders", charset="UTF-8"')}


def test_the_right_key_lets_in() -> None:
    made = on_channel(request(), verify_key)
    made.headers = [(b"x-own-key", "the-key ż".encode())]
    assert check_security(made, answer).body == b"reached"


@pytest.mark.parametrize("key", [None, "", "the-key", "THE-KEY Ż", "\xff"])
def test_a_wrong_key_does_not(key: str | None) -> None:
    headers = {} if key is None else {"x_own_key": key.encode().decode("latin-1")}
    with pytest.raises(Unauthorized, match="X-Own-Key"):
        check_security(on_channel(request(**headers), verify_key), answer)


def test_a_channel_without_a_definition_is_open() -> None:
    assert check_security(on_channel(request()), answer).body == b"reached"


@pytest.mark.parametrize(
    ("make", "values"),
    [
        (BasicAuthOptions, {"username": "", "password": "x"}),
        (BasicAuthOptions, {"username": "a:b", "password": "x"}),
        (BasicAuthOptions, {"username": "a", "password": "x", "realm": "a\r\nb"}),
        (APIKeyOptions, {"key": " x"}),
        (APIKeyOptions, {"key": "x\r\ny"}),
        (APIKeyOptions, {"key": "x", "header": "Host"}),
        (APIKeyOptions, {"key": "x", "header": "a b"}),
    ],
    ids=str,
)
def test_a_definition_that_could_let_anyone_in_or_break_a_header_is_refused(make: Any, values: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        make(**values)


def test_a_definition_shows_no_secret() -> None:
    assert "the-key" not in repr(APIKeyOptions(key="the-key"))
    assert "the-word" not in repr(BasicAuthOptions(username="a", password="the-word"))


# Limits

check_limits = make_limits_step(RateLimiter(LocalCounter(), LocalCounter()))


def test_a_channels_own_limit_holds() -> None:
    assert check_limits(on_channel(request(body=b"12345"), max_body_bytes=5), answer).body == b"reached"
    with pytest.raises(PayloadTooLarge):
        check_limits(on_channel(request(body=b"123456"), max_body_bytes=5), answer)


def test_without_one_the_servers_holds() -> None:
    assert check_limits(on_channel(request(body=b"x" * 10**6)), answer).body == b"reached"
