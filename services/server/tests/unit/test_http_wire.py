import pytest

from zato.common.errors import InternalError
from zato.server.http.request import Response
from zato.server.http.wire import HeadWriter


def encode(
    response: Response, *, is_head: bool = False, keep_alive: bool = True, is_http_1_0: bool = False
) -> tuple[str, bytes]:
    head, body = HeadWriter().encode(response, "the-cid", is_head=is_head, keep_alive=keep_alive, is_http_1_0=is_http_1_0)
    assert head.endswith(b"\r\n\r\n")
    assert head.count(b"\r\n\r\n") == 1
    return head.decode("latin-1"), body


def test_a_response_has_its_frame_and_its_cid() -> None:
    head, body = encode(Response(200, b"{}"))
    assert head.startswith("HTTP/1.1 200 OK\r\n")
    for line in ("X-Zato-CID: the-cid", "Content-Length: 2", "Content-Type: application/json"):
        assert f"\r\n{line}\r\n" in head
    assert "\r\nDate: " in head
    assert "Connection" not in head
    assert body == b"{}"


def test_the_answer_to_head_has_the_length_but_no_body() -> None:
    head, body = encode(Response(200, b"{}"), is_head=True)
    assert "Content-Length: 2\r\n" in head
    assert body == b""


@pytest.mark.parametrize("status", [204, 304])
def test_some_statuses_have_no_body_and_no_length(status: int) -> None:
    head, body = encode(Response(status, b"not to be sent"))
    assert "Content-Length" not in head
    assert "Content-Type" not in head
    assert body == b""


def test_an_empty_body_has_a_length_so_that_the_client_does_not_wait() -> None:
    assert "Content-Length: 0\r\n" in encode(Response(200, b""))[0]


def test_http_1_0_is_told_when_its_connection_is_kept() -> None:
    assert "Connection: keep-alive\r\n" in encode(Response(), is_http_1_0=True)[0]
    assert "Connection: close\r\n" in encode(Response(), keep_alive=False)[0]


@pytest.mark.parametrize("value", ["a\r\nInjected: yes", "a\nb", "a\rb", "a\0b", "zażółć ✓", "\x7f"])
def test_a_header_that_would_break_the_message_is_refused(value: str) -> None:
    with pytest.raises(InternalError, match="X-Own"):
        encode(Response(headers={"X-Own": value}))


@pytest.mark.parametrize("name", ["a b", "a:b", "a\r\nb", "", "ż"])
def test_a_header_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InternalError):
        encode(Response(headers={name: "a"}))


def test_a_content_type_cannot_inject_either() -> None:
    with pytest.raises(InternalError):
        encode(Response(content_type="text/plain\r\nInjected: yes"))


@pytest.mark.parametrize("name", ["Content-Length", "content-length", "Transfer-Encoding", "Connection", "Date", "X-Zato-CID"])
def test_what_frames_a_message_is_for_us_to_say(name: str) -> None:
    head, _ = encode(Response(200, b"{}", headers={name: "777", "X-Own": "kept"}))
    assert "777" not in head
    assert "X-Own: kept\r\n" in head


@pytest.mark.parametrize("status", [0, 100, 199, 600, -1, "200", None, 200.0, True])
def test_a_status_that_is_none_is_the_services_fault(status: object) -> None:
    with pytest.raises(InternalError, match="status"):
        encode(Response(status))  # type: ignore[arg-type]


def test_latin_1_is_what_headers_can_have() -> None:
    assert "X-Own: é\r\n" in encode(Response(headers={"X-Own": "é"}))[0]


def test_numbers_are_fine_as_values() -> None:
    response = Response()
    response.headers["X-Count"] = 7
    assert "X-Count: 7\r\n" in encode(response)[0]
