"""OAuth 1.0: signatures as a client of its own makes them."""

import time
from typing import Any

import pytest
from oauthlib.oauth1 import SIGNATURE_HMAC_SHA1, SIGNATURE_HMAC_SHA256, SIGNATURE_PLAINTEXT, Client

from zato.server.http.request import Request
from zato.server.security.oauth import OAuthOptions, Refused, check_request

URL = "http://api.example.com/a%20b?x=1&x=2&y=%C3%BC"
SECRET = "s&cret"


def signed(
    url: str = URL,
    method: str = "GET",
    body: str | None = None,
    signed_url: str = "",
    is_from_proxy: bool = False,
    **client: Any,
) -> Request:
    given = {"client_secret": SECRET, "signature_method": SIGNATURE_HMAC_SHA1, **client}
    headers = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
    _, headers, _ = Client("ada", **given).sign(signed_url or url, method, body, headers)
    return made(url, method, headers, body, is_from_proxy=is_from_proxy)


def made(url: str, method: str, headers: dict[str, str], body: str | None = None, *, is_from_proxy: bool = False) -> Request:
    host, _, target = url.partition("://")[2].partition("/")
    pairs = [(name.lower().encode(), value.encode()) for name, value in {**headers, "Host": host}.items()]
    request = Request(method, f"/{target}", pairs, (body or "").encode(), cid="c")
    request.is_from_proxy = is_from_proxy
    return request


def check(request: Request, now: float | None = None, **others: Any) -> None:
    check_request(request, OAuthOptions(**{"username": "ada", "password": SECRET, **others}), now or time.time())


def test_a_signed_request_is_good() -> None:
    check(signed())
    check(signed(resource_owner_key="ada", resource_owner_secret=SECRET))
    check(signed(method="POST", body="a=1&b=%20"))
    check(signed(url="http://api.example.com:80/", signed_url="http://api.example.com/"))
    check(signed(signature_method=SIGNATURE_PLAINTEXT), sig_method="PLAINTEXT")


def test_what_the_client_saw_as_https_is_told_by_the_load_balancer_only() -> None:
    secure = URL.replace("http", "https")
    for is_from_proxy in (True, False):
        request = signed(signed_url=secure, is_from_proxy=is_from_proxy)
        request.headers.append((b"x-forwarded-proto", b"https"))
        if is_from_proxy:
            check(request)
        else:
            with pytest.raises(Refused):
                check(request)


def changed(request: Request, **changes: Any) -> Request:
    for name, value in changes.items():
        setattr(request, name, value)
    return request


def header(text: str) -> Request:
    return made(URL, "GET", {"Authorization": text})


def without(name: str) -> Request:
    """A signed request whose header has lost one parameter."""
    request = signed()
    value = request.header(b"authorization")
    kept = [part for part in value.removeprefix("OAuth ").split(", ") if not part.startswith(name)]
    return header("OAuth " + ", ".join(kept))


BAD = {
    "nothing": made(URL, "GET", {}),
    "another scheme": header("Basic eDp5"),
    "an empty one": header("OAuth "),
    "no parameters": header("OAuth x"),
    "broken parameters": header('OAuth oauth_consumer_key="ada'),
    "a parameter twice": header('OAuth oauth_consumer_key="ada", oauth_consumer_key="ada"'),
    "another secret": signed(client_secret="x"),
    "another secret of the token": signed(resource_owner_key="ada", resource_owner_secret="x"),
    "another token": signed(resource_owner_key="eve", resource_owner_secret=SECRET),
    "another method of signing": signed(signature_method=SIGNATURE_HMAC_SHA256),
    "the secret itself": signed(signature_method=SIGNATURE_PLAINTEXT),
    "another path": signed(signed_url=URL.replace("a%20b", "b")),
    "another query": changed(signed(), query="x=1"),
    "another verb": changed(signed(), method="DELETE"),
    "another form": changed(signed(method="POST", body="a=1"), body=b"a=2"),
    "a form that is no text": changed(signed(method="POST", body="a=1"), body=b"\xff"),
    "another host": signed(url="http://evil.example.com/", signed_url="http://api.example.com/"),
    "an old time": signed(timestamp=str(int(time.time()) - 900)),
    "a time in the future": signed(timestamp=str(int(time.time()) + 900)),
    "a time that is none": signed(timestamp="soon"),
    "a time without end": signed(timestamp="9" * 200),
    "an empty nonce": signed(nonce=""),
    "a long nonce": signed(nonce="n" * 257),
    "no nonce": without("oauth_nonce"),
    "no time": without("oauth_timestamp"),
    "no signature": without("oauth_signature="),
    "no consumer": without("oauth_consumer_key"),
}


@pytest.mark.parametrize("request_", BAD.values(), ids=BAD.keys())
def test_a_request_that_is_not_signed_as_it_should_be_is_refused(request_: Request) -> None:
    with pytest.raises(Refused):
        check(request_)


def test_another_consumer_is_nobody() -> None:
    with pytest.raises(Refused, match="consumer"):
        check(signed(), username="eve")
