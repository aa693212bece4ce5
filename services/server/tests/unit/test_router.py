"""Which channel a request is for."""

import pytest

from zato.common.errors import BadRequest, MethodNotAllowed, NotAcceptable, NotFound
from zato.server.http.channel import HTTPChannelOptions, compile_channel
from zato.server.http.router import Router, quality_of


def router(**channels):
    return Router(
        compile_channel(name, HTTPChannelOptions(**{"service": "s", **options}), None) for name, options in channels.items()
    )


def test_a_fixed_path_wins_over_a_parameter():
    found = router(a={"url_path": "/x/{id}"}, b={"url_path": "/x/me"}).find("GET", "/x/me", "")
    assert found[0].name == "b"


def test_the_pattern_that_says_more_wins():
    found = router(a={"url_path": "/{rest}"}, b={"url_path": "/x/{id}"}).find("GET", "/x/1", "")
    assert (found[0].name, found[1]) == ("b", {"id": "1"})


def test_an_encoded_slash_is_part_of_a_value():
    found = router(a={"url_path": "/x/{id}", "match_slash": False}).find("GET", "/x/a%2Fb", "")
    assert found[1] == {"id": "a/b"}


def test_a_method_that_no_channel_takes_gets_those_that_are_allowed():
    with pytest.raises(MethodNotAllowed) as caught:
        router(a={"url_path": "/x", "method": "GET"}, b={"url_path": "/x", "method": "PUT"}).find("POST", "/x", "")
    assert caught.value.allow == "GET, HEAD, PUT"


def test_accept_chooses_between_representations():
    both = router(
        j={"url_path": "/x", "http_accept": "application/json"}, x={"url_path": "/x", "http_accept": "application/xml"}
    )
    assert both.find("GET", "/x", "application/xml")[0].name == "x"
    assert both.find("GET", "/x", "*/*")[0].name == "j"
    assert both.find("GET", "/x", "application/json;q=0.1, application/xml")[0].name == "x"
    with pytest.raises(NotAcceptable):
        both.find("GET", "/x", "text/html")


@pytest.mark.parametrize("path", ["/x/%00", "/x/%zz", "/x/%", "/../x", "/%2e%2e/x", "/x/%c0%af", "/x/%ff", "/x/%0a"])
def test_paths_with_tricks_are_refused(path):
    with pytest.raises(BadRequest):
        router(a={"url_path": "/{any}"}).find("GET", path, "")


def test_an_unknown_path_is_not_found():
    with pytest.raises(NotFound):
        router(a={"url_path": "/x"}).find("GET", "/y", "")


def test_the_most_specific_range_decides():
    assert quality_of("application/*;q=0.5, application/json;q=0", ("application", "json")) == 0
