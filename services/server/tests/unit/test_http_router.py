import contextlib
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zato.common.errors import BadRequest, MethodNotAllowed, NotAcceptable, NotFound
from zato.server.http.channel import HTTPChannelOptions, compile_channel
from zato.server.http.request import Request
from zato.server.http.router import Router, decode_path, quality_of
from zato.server.http.soap.channel import SOAPChannelOptions


def router(**paths: str | dict[str, object]) -> Router:
    """Channels by name: a path, or options."""
    channels = []
    for name, declared in paths.items():
        options = {"url_path": declared} if isinstance(declared, str) else declared
        channels.append(compile_channel(name, HTTPChannelOptions(service="s", **options), None))  # type: ignore[arg-type]
    return Router(channels)


def find(table: Router, path: str, method: str = "GET", accept: str = "") -> tuple[str, dict[str, str]]:
    channel, parameters = table.find(method, path, accept)
    return channel.name, dict(parameters)


def test_a_fixed_path_wins_over_one_with_parameters() -> None:
    table = router(any="/a/{name}", fixed="/a/b")
    assert find(table, "/a/b") == ("fixed", {})
    assert find(table, "/a/c") == ("any", {"name": "c"})


def test_of_two_patterns_the_one_that_says_more_wins_whatever_they_are_called() -> None:
    table = router(a="/{anything}", b="/orders/{id}", c="/orders/{id}/lines")
    assert find(table, "/orders/7/lines") == ("c", {"id": "7"})
    assert find(table, "/orders/7") == ("b", {"id": "7"})
    assert find(table, "/others/7") == ("a", {"anything": "others/7"})


def test_between_equals_the_name_decides() -> None:
    assert find(router(b="/x/{one}", a="/x/{two}"), "/x/1") == ("a", {"two": "1"})


def test_a_parameter_may_hold_slashes_unless_told_otherwise() -> None:
    assert find(router(a="/files/{path}"), "/files/a/b") == ("a", {"path": "a/b"})
    with pytest.raises(NotFound):
        find(router(a={"url_path": "/files/{path}", "match_slash": False}), "/files/a/b")


@pytest.mark.parametrize("value", [*" $.-:|=~^_@,;!*'()&+%", "a b", "zażółć", "日本", "ÄÖ", "a/b", "x.y-z:1|2=3~4^5"])
def test_a_parameter_takes_any_character_that_was_ever_documented_and_more(value: str) -> None:
    assert find(router(a="/a/{b}/c"), f"/a/x{quote(value, safe='/')}/c") == ("a", {"b": f"x{value}"})


def test_an_encoded_slash_is_part_of_a_value_and_no_separator() -> None:
    table = router(a={"url_path": "/files/{path}", "match_slash": False}, b="/files/{one}/{two}")
    assert find(table, "/files/a%2Fb") == ("a", {"path": "a/b"})
    assert find(table, "/files/a%2fb/c") == ("b", {"one": "a/b", "two": "c"})
    with pytest.raises(NotFound):
        find(router(a="/a/b"), "/a%2Fb")


def test_an_encoded_slash_is_found_in_no_fixed_part_of_a_pattern() -> None:
    with pytest.raises(NotFound):
        find(router(a="/admin/{name}"), "/admin%2Fx")


def test_paths_are_compared_decoded() -> None:
    table = router(polish="/zażółć/{name}", plain="/a b")
    assert find(table, "/za%C5%BC%C3%B3%C5%82%C4%87/g%C4%99%C5%9B") == ("polish", {"name": "gęś"})
    assert find(table, "/%61%20b") == ("plain", {})


def test_joiners_of_scripts_that_need_them_are_no_control_characters() -> None:
    assert decode_path("/%D9%85%DB%8C%E2%80%8C%D8%AE%D9%88%D8%A7%D9%87%D9%85") == "/می‌خواهم"
    assert decode_path("/%F0%9F%91%A9%E2%80%8D%F0%9F%94%AC") == "/👩‍🔬"


@pytest.mark.parametrize("special", [".", "+", "(", "[a]", "$", "^", "|", "\\"])
def test_characters_of_regular_expressions_in_a_path_mean_themselves(special: str) -> None:
    from urllib.parse import quote

    table = router(a=f"/x{special}y/{{name}}")
    assert find(table, f"/x{quote(special)}y/1") == ("a", {"name": "1"})
    with pytest.raises(NotFound):
        find(table, "/xxy/1")


@pytest.mark.parametrize("path", ["/a%", "/a%4", "/a%zz", "/a%-1", "/a% 1", "/a%4\u0661"])
def test_a_broken_escape_is_refused(path: str) -> None:
    with pytest.raises(BadRequest):
        decode_path(path)


@pytest.mark.parametrize("path", ["/a%00", "/%0a", "/a%0D%0A", "/%7f", "/%C2%85", "/a%1b[2J"])
def test_control_characters_are_refused(path: str) -> None:
    with pytest.raises(BadRequest):
        decode_path(path)


@pytest.mark.parametrize("path", ["/..", "/a/../b", "/a/%2e%2e/b", "/./a", "/%2E/a", "/a/.", "/a/.%2e"])
def test_dot_segments_are_refused(path: str) -> None:
    with pytest.raises(BadRequest):
        decode_path(path)


@pytest.mark.parametrize("path", ["/...", "/.well-known/x", "/a..b", "/a/b."])
def test_other_dots_are_fine(path: str) -> None:
    assert decode_path(path) == path


@pytest.mark.parametrize("path", ["/%c0%af", "/%ff", "/%ed%a0%80", "/%e2%82"])
def test_what_is_not_utf_8_is_refused(path: str) -> None:
    with pytest.raises(BadRequest):
        decode_path(path)


@given(st.text(st.characters(codec="ascii", min_codepoint=0x21, max_codepoint=0x7E)))
def test_any_path_finds_a_channel_or_is_refused(text: str) -> None:
    table = router(a="/{one}", b="/x/{two}/y")
    with contextlib.suppress(BadRequest, NotFound):
        channel, _ = table.find("GET", f"/{text}", "")
        assert channel.name in "ab"


def test_an_unknown_path_is_not_found() -> None:
    with pytest.raises(NotFound):
        find(router(a="/a"), "/b")


def test_a_known_path_says_which_methods_it_takes() -> None:
    table = router(get={"url_path": "/a", "method": "GET"}, put={"url_path": "/a", "method": "PUT"})
    assert find(table, "/a", "PUT") == ("put", {})
    with pytest.raises(MethodNotAllowed) as raised:
        find(table, "/a", "DELETE")
    assert raised.value.allow == "GET, HEAD, PUT"


def test_head_is_answered_by_who_answers_get() -> None:
    assert find(router(get={"url_path": "/a", "method": "GET"}), "/a", "HEAD") == ("get", {})


def test_a_channel_for_one_method_wins_over_one_for_all() -> None:
    table = router(all="/a", post={"url_path": "/a", "method": "POST"})
    assert find(table, "/a", "POST") == ("post", {})
    assert find(table, "/a", "PUT") == ("all", {})


@pytest.fixture
def two_types() -> Router:
    return router(
        json={"url_path": "/a", "http_accept": "application/json"}, xml={"url_path": "/a", "http_accept": "application/xml"}
    )


@pytest.mark.parametrize(
    ("accept", "name"),
    [
        ("", "json"),
        ("*/*", "json"),
        ("application/*", "json"),
        ("application/xml", "xml"),
        ("APPLICATION/XML", "xml"),
        ("application/xml;q=0.5, application/json;q=0.4", "xml"),
        ("application/json;q=0.1, */*;q=0.9", "xml"),
        ("application/json;q=0, */*", "xml"),
        ("text/html, application/xml;q=0.9, */*;q=0.8", "xml"),
        ("application/xml; charset=utf-8; q=0.9, application/json;q=0.5", "xml"),
        ("application/json;q=nonsense, application/xml;q=0.1", "xml"),
        ("application/json;q=nan, application/xml;q=0.1", "xml"),
        ("application/json ; q = 0.1 , application/xml ; q = 0.2", "xml"),
        ("application/xml;q=1e9, application/json", "json"),
    ],
)
def test_the_client_says_which_type_it_wants_most(two_types: Router, accept: str, name: str) -> None:
    assert find(two_types, "/a", accept=accept)[0] == name


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0, application/xml;q=0", "*/*;q=0", ",;,"])
def test_who_accepts_nothing_that_there_is_is_told_what_there_is(two_types: Router, accept: str) -> None:
    with pytest.raises(NotAcceptable, match="application/json, application/xml"):
        find(two_types, "/a", accept=accept)


def test_a_channels_own_media_type_is_compared_without_regard_to_case() -> None:
    table = router(xml={"url_path": "/a", "http_accept": "Application/XML"})
    assert find(table, "/a", accept="application/xml")[0] == "xml"


@given(st.text(max_size=40))
def test_quality_is_a_number_from_0_to_1_whatever_the_client_sends(accept: str) -> None:
    assert 0 <= quality_of(accept, ("application", "json")) <= 1


@pytest.mark.parametrize(
    "options",
    [
        {"url_path": "a"},
        {"url_path": "/a?b"},
        {"url_path": "/{a}/{a}"},
        {"url_path": "/{1}"},
        {"url_path": "/{a"},
        {"url_path": "/a\n"},
        {"url_path": "/a%20b"},
        {"url_path": "/a", "method": "get"},
        {"url_path": "/a", "method": "GET POST"},
        {"url_path": "/a", "http_accept": "json"},
        {"url_path": "/a", "rate_limit_def": "* = many"},
        {"url_path": "/a", "cors_origins": ("app.example.com",)},
        {"url_path": "/a", "cors_origins": ("https://app.example.com/path",)},
        {"url_path": "/a", "cors_origins": ("*",), "cors_credentials": True},
        {"url_path": "/a", "cors_methods": ("get",)},
        {"url_path": "/a", "cors_headers": ("a b",)},
        {"url_path": "/a", "cors_expose_headers": ("a\r\nb",)},
    ],
    ids=str,
)
def test_a_channel_that_could_never_be_reached_or_be_safe_is_refused(options: dict[str, object]) -> None:
    make: Callable[..., object] = HTTPChannelOptions
    with pytest.raises(ValueError):
        make(service="s", **options)


@pytest.mark.parametrize(
    "options",
    [
        {"url_path": "/a/{b}"},
        {"url_path": "a"},
        {"url_path": "/a", "soap_action": 'a"b'},
        {"url_path": "/a", "soap_action": "a\nb"},
        {"url_path": "/a", "namespace": "no uri"},
        {"url_path": "/a", "content_type": "text/xml\r\nX: y"},
        {"url_path": "/a", "rate_limit_def": "* = many"},
    ],
    ids=str,
)
def test_a_soap_channel_that_could_never_be_called_is_refused(options: dict[str, object]) -> None:
    make: Callable[..., object] = SOAPChannelOptions
    with pytest.raises(ValueError):
        make(service="s", **options)


# SOAP


def soap_router(*actions: str, plain: bool = False) -> Router:
    """SOAP channels by their actions, all on one path; beside a plain one if wanted."""
    made = [
        compile_channel(f"soap {action}", SOAPChannelOptions(url_path="/a", service="s", soap_action=action), None)
        for action in actions
    ]
    others = [compile_channel("plain", HTTPChannelOptions(url_path="/a", service="s"), None)] if plain else []
    return Router([*made, *others])


def soap_find(table: Router, method: str = "POST", target: str = "/a", **headers: str) -> str:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    request = Request(method, target, pairs, b"", cid="cid")
    return table.find(method, request.path, "", request)[0].name


_SOAP_1_2 = 'application/soap+xml; charset=utf-8; action="b"; start=x'


def test_a_soap_channel_is_found_by_its_action() -> None:
    table = soap_router("a", "b", "")
    assert [soap_find(table, soapaction=action) for action in ('"a"', "b", '""', '"other"')] == [
        "soap a",
        "soap b",
        "soap ",
        "soap ",
    ]
    assert soap_find(table, content_type=_SOAP_1_2) == "soap b"
    assert soap_find(table) == "soap ", "a client that names none gets the channel that asks for none"
    with pytest.raises(NotFound, match="action"):
        soap_find(soap_router("a"), soapaction='"A"')


def test_on_a_path_with_a_plain_channel_soap_is_what_says_so() -> None:
    table = soap_router("b", plain=True)
    assert soap_find(table) == soap_find(table, "GET") == "plain"
    assert soap_find(table, soapaction="b") == soap_find(table, content_type=_SOAP_1_2) == "soap b"
    assert soap_find(table, "GET", "/a?wsdl") == soap_find(table, "GET", "/a?WSDL=b") == "soap b"


def test_of_several_soap_channels_of_a_path_each_can_be_described() -> None:
    table = soap_router("a", "urn:b")
    assert soap_find(table, "GET", "/a?wsdl=urn%3Ab") == soap_find(table, "GET", "/a?wsdl=urn:b&x=1") == "soap urn:b"
    assert soap_find(table, "GET", "/a?wsdl") == soap_find(table, "GET", "/a?wsdl=a") == "soap a"
    with pytest.raises(NotFound):
        soap_find(table, "GET", "/a?wsdl=c")


def test_a_soap_channel_answers_post_and_shows_itself_to_get() -> None:
    table = soap_router("")
    assert soap_find(table, "GET", "/a?wsdl") == "soap "
    with pytest.raises(MethodNotAllowed):
        soap_find(table, "PUT")
