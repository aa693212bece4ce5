"""What security keeps beside the configuration: sessions and nonces in a real Redis, tokens of a real OAuth 2 server."""

import base64
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import jwt
import pytest
import redis

from zato.common.errors import TooManyRequests, Unauthorized, Unavailable
from zato.common.testing.redis_server import RedisServer
from zato.server.control.state import ConfigObject, Configuration
from zato.server.http.channel import HTTPChannelOptions
from zato.server.http.request import Request
from zato.server.security.bearer_token import BearerTokenOptions, TokenSource, fetch_token
from zato.server.security.context import SecurityContext
from zato.server.security.gate import Gate
from zato.server.security.jwt import JWTAuthority, JWTOptions
from zato.server.security.log_in_throttle import FREE_OF_ADDRESS, FREE_OF_USER, LONGEST_S, LogInThrottle
from zato.server.security.passwords import hash_password
from zato.server.security.wss import WSSOptions, digest_of, make_verifier

from .security_parties import Issuer, OAuthServer, serve

HASH = hash_password("right")
HERE, ELSEWHERE = "192.0.2.1", "198.51.100.1"
SECRETS = ["new-secret", "old-secret"]


def bearer(token: str) -> Request:
    return Request("GET", "/a", [(b"authorization", f"Bearer {token}".encode())], b"", cid="c")


def definition(number: int = 1, username: str = "ada", version: int = 1, **options: object) -> ConfigObject:
    made = JWTOptions(**{"username": username, "password": HASH, **options})  # type: ignore[arg-type]
    return ConfigObject(number, "security-jwt", username, True, version, made)


def gate_of(context: SecurityContext, *definitions: ConfigObject) -> Gate:
    return Gate(context).follow(Configuration(1, {each.id: each for each in definitions}))


@pytest.fixture
def context(redis_url: str) -> Iterator[SecurityContext]:
    made = SecurityContext.connect("test", SECRETS, redis_url)
    yield made
    made.redis.close()


# Log-in


def test_who_logs_in_gets_a_token_that_lets_in_until_the_log_out(context: SecurityContext) -> None:
    gate = gate_of(context, definition())
    verify = gate.guard(HTTPChannelOptions(url_path="/a", service="s", security="ada"))
    assert verify is not None
    token = gate.log_in.log_in("ada", "right", HERE)
    assert verify(bearer(token)).username == "ada"
    gate.log_in.log_out(token)
    with pytest.raises(Unauthorized) as raised:
        verify(bearer(token))
    assert raised.value.challenge == 'Bearer realm="zato", error="invalid_token"'
    with pytest.raises(Unauthorized):
        gate.log_in.log_out(token)


@pytest.mark.parametrize(("username", "password"), [("ada", "wrong"), ("ada", HASH), ("eve", "right"), ("", ""), ("ada", "")])
def test_who_does_not_know_the_password_gets_one_and_the_same_refusal(
    context: SecurityContext, username: str, password: str
) -> None:
    with pytest.raises(Unauthorized, match="The user name or the password is wrong"):
        gate_of(context, definition()).log_in.log_in(username, password, HERE)


def test_a_definition_that_is_switched_off_gives_no_token(context: SecurityContext) -> None:
    off = ConfigObject(1, "security-jwt", "ada", False, 1, JWTOptions(username="ada", password=HASH))
    with pytest.raises(Unauthorized):
        gate_of(context, off).log_in.log_in("ada", "right", HERE)


def fail(throttle: LogInThrottle, count: int, username: str = "ada", address: str = HERE) -> list[int]:
    """Return how long each of so many wrong log-ins had to wait; the wait is then taken for over."""
    waits = []
    for _ in range(count):
        try:
            throttle.begin(username, address)
            waits.append(0)
        except TooManyRequests as exc:
            waits.append(exc.retry_after_s)
            reopen(throttle)
            throttle.begin(username, address)
    return waits


def reopen(throttle: LogInThrottle) -> None:
    client = throttle._begin.registered_client
    for key in client.keys("zato:test:log-in:*:closed"):
        client.delete(key)


def test_who_goes_on_guessing_waits_ever_longer(context: SecurityContext) -> None:
    waits = fail(context.throttle, FREE_OF_USER + 12)
    assert waits[: FREE_OF_USER + 1] == [0] * (FREE_OF_USER + 1)
    assert waits[FREE_OF_USER + 1 :] == [1, 2, 4, 8, 16, 32, 64, 128, 256, LONGEST_S, LONGEST_S]
    for username, address in (("ada", ELSEWHERE), ("eve", HERE)):
        context.throttle.begin(username, address)


def test_an_attempt_that_nobody_could_judge_is_taken_back_and_forgives_no_other(context: SecurityContext) -> None:
    for _ in range(2 * FREE_OF_USER):
        context.throttle.begin("ada", HERE)
        context.throttle.take_back("ada", HERE)
    fail(context.throttle, FREE_OF_USER + 1)
    with pytest.raises(TooManyRequests):
        context.throttle.begin("ada", HERE)


def test_who_waits_is_not_asked_for_the_password(context: SecurityContext) -> None:
    gate = gate_of(context, definition())
    fail(context.throttle, FREE_OF_USER + 1)
    with pytest.raises(TooManyRequests, match="from this address have failed"):
        gate.log_in.log_in("ada", "right", HERE)
    assert gate.log_in.log_in("ada", "right", ELSEWHERE)
    reopen(context.throttle)
    assert gate.log_in.log_in("ada", "right", HERE)


def test_only_failures_count(context: SecurityContext) -> None:
    for _ in range(FREE_OF_ADDRESS + 10):
        context.throttle.begin("ada", HERE)
        context.throttle.succeed("ada", HERE)
    assert fail(context.throttle, FREE_OF_USER) == [0] * FREE_OF_USER


def test_who_tries_many_users_waits_too_and_a_right_one_among_them_changes_nothing(context: SecurityContext) -> None:
    for number in range(FREE_OF_ADDRESS):
        context.throttle.begin(f"user{number}", HERE)
        context.throttle.begin("own", HERE)
        context.throttle.succeed("own", HERE)
    context.throttle.begin("one more", HERE)
    with pytest.raises(TooManyRequests):
        context.throttle.begin("yet another", HERE)


def test_of_many_guesses_at_a_time_no_more_come_through(context: SecurityContext) -> None:
    def guess(_number: int) -> bool:
        try:
            context.throttle.begin("ada", HERE)
        except TooManyRequests:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(guess, range(200))) == FREE_OF_USER + 1


@pytest.mark.parametrize(("one", "other"), [("2001:db8::1", "2001:db8::ffff"), ("192.0.2.9", "::ffff:192.0.2.9")])
def test_addresses_of_one_client_count_together(context: SecurityContext, one: str, other: str) -> None:
    fail(context.throttle, FREE_OF_USER + 1, address=one)
    with pytest.raises(TooManyRequests):
        context.throttle.begin("ada", other)
    context.throttle.begin("ada", "2001:db8:0:1::1")


def test_what_was_typed_is_not_kept(context: SecurityContext) -> None:
    fail(context.throttle, 1, username="my password")
    assert not [key for key in context.redis.keys("*") if b"password" in key]


def test_a_token_lives_for_as_long_as_it_is_used(context: SecurityContext) -> None:
    authority = JWTAuthority(definition(ttl=100), context)
    token = authority.issue()
    (key,) = context.redis.keys("zato:test:jwt:*")
    context.redis.expire(key, 5)
    authority(bearer(token))
    assert 95 < context.redis.ttl(key) <= 100
    context.redis.delete(key)
    # Another worker, which has not seen it a moment ago.
    with pytest.raises(Unauthorized):
        JWTAuthority(definition(ttl=100), SecurityContext.connect("test", SECRETS, _url(context)))(bearer(token))


def _url(context: SecurityContext) -> str:
    arguments = context.redis.connection_pool.connection_kwargs
    if "path" in arguments:
        return f"unix://{arguments['path']}?db={arguments.get('db', 0)}"
    return f"redis://{arguments['host']}:{arguments['port']}/{arguments.get('db', 0)}"


def test_a_token_ends_at_last_however_often_it_is_used(context: SecurityContext) -> None:
    claims = jwt.decode(JWTAuthority(definition(max_lifetime=60), context).issue(), options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 60


def test_a_token_of_one_definition_is_none_of_another(context: SecurityContext) -> None:
    token = JWTAuthority(definition(1, "ada"), context).issue()
    for other in (definition(2, "eve"), definition(2, "ada"), definition(1, "eve")):
        with pytest.raises(Unauthorized):
            JWTAuthority(other, context)(bearer(token))


def test_with_a_new_password_all_tokens_of_the_old_one_end_and_other_changes_end_none(context: SecurityContext) -> None:
    token = JWTAuthority(definition(), context).issue()
    assert JWTAuthority(definition(version=2, ttl=7), context)(bearer(token)).username == "ada"
    with pytest.raises(Unauthorized):
        JWTAuthority(definition(version=2, password=hash_password("right")), context)(bearer(token))


def test_a_token_survives_a_change_of_the_clusters_secret_while_the_old_one_is_there(context: SecurityContext) -> None:
    old = SecurityContext("test", ["old-secret"], context.redis, context.sessions, context.throttle)
    token = JWTAuthority(definition(), old).issue()
    assert JWTAuthority(definition(), context)(bearer(token)).username == "ada"
    without = SecurityContext("test", ["new-secret"], context.redis, context.sessions, context.throttle)
    with pytest.raises(Unauthorized):
        JWTAuthority(definition(), without)(bearer(token))


@pytest.mark.parametrize("algorithm", ["none", "HS384", "HS512"])
def test_a_token_of_our_own_is_signed_in_one_way_only(context: SecurityContext, algorithm: str) -> None:
    authority = JWTAuthority(definition(), context)
    claims = jwt.decode(authority.issue(), options={"verify_signature": False})
    key = authority._keys[0] * 2 if algorithm != "none" else ""
    with pytest.raises(Unauthorized):
        authority(bearer(jwt.encode(claims, key, algorithm)))


def test_a_token_of_a_server_whose_clock_is_ahead_is_good(context: SecurityContext) -> None:
    authority = JWTAuthority(definition(), context)
    claims = jwt.decode(authority.issue(), options={"verify_signature": False})
    ahead = jwt.encode({**claims, "iat": claims["iat"] + 30}, authority._keys[0], "HS256")
    assert authority(bearer(ahead)).username == "ada"


@pytest.mark.parametrize("change", [{"sub": "eve"}, {"iss": "zato:other"}, {"exp": 1}, {"jti": "made up"}])
def test_claims_of_our_own_tokens_have_to_be_right_even_when_they_are_signed(
    context: SecurityContext, change: dict[str, object]
) -> None:
    authority = JWTAuthority(definition(), context)
    claims = jwt.decode(authority.issue(), options={"verify_signature": False})
    with pytest.raises(Unauthorized):
        authority(bearer(jwt.encode({**claims, **change}, authority._keys[0], "HS256")))


def test_without_redis_who_was_seen_goes_on_and_nobody_else_comes_in(redis_server: RedisServer) -> None:
    context = SecurityContext.connect("test", SECRETS, redis_server.url)
    authority = JWTAuthority(definition(ttl=10), context)
    seen, unseen = authority.issue(), authority.issue()
    authority(bearer(seen))
    redis_server.stop()
    context.sessions._known = {name: (0.0, ends_at) for name, (_, ends_at) in context.sessions._known.items()}
    assert authority(bearer(seen)).username == "ada"
    with pytest.raises(Unavailable):
        authority(bearer(unseen))
    with pytest.raises(Unavailable):
        authority.issue()
    context.sessions._known = dict.fromkeys(context.sessions._known, (0.0, 0.0))
    with pytest.raises(Unavailable):
        authority(bearer(seen))


# Nonces

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"


def soap(nonce: str, password: str = "secret") -> Request:
    created = datetime.now(UTC).isoformat()
    digest = digest_of(nonce, created, password)
    body = (
        f'<s:Envelope xmlns:s="{SOAP}" xmlns:w="{OASIS}wssecurity-secext-1.0.xsd" '
        f'xmlns:u="{OASIS}wssecurity-utility-1.0.xsd"><s:Header><w:Security><w:UsernameToken><w:Username>ada</w:Username>'
        f'<w:Password Type="{OASIS}username-token-profile-1.0#PasswordDigest">{digest}</w:Password>'
        f"<w:Nonce>{nonce}</w:Nonce><u:Created>{created}</u:Created></w:UsernameToken></w:Security></s:Header></s:Envelope>"
    )
    return Request("POST", "/a", [], body.encode(), cid="c")


def test_a_nonce_is_good_once_on_whichever_worker(context: SecurityContext) -> None:
    options = WSSOptions(username="ada", password="secret", password_type="digest")
    first = make_verifier("w", 1, options, context)
    second = make_verifier("w", 1, options, SecurityContext.connect("test", SECRETS, _url(context)))
    nonce = base64.b64encode(b"0123456789abcde").decode()
    message = soap(nonce)
    assert first(message).username == "ada"
    for verify in (first, second):
        with pytest.raises(Unauthorized):
            verify(message)
        with pytest.raises(Unauthorized):
            verify(soap(nonce))
    assert second(soap(base64.b64encode(b"another").decode())).username == "ada"
    (key, _) = context.redis.keys("zato:test:nonce:wss:1:*")
    assert 300 <= context.redis.ttl(key) <= 360


def test_the_same_nonce_in_another_spelling_is_the_same(context: SecurityContext) -> None:
    verify = make_verifier("w", 1, WSSOptions(username="ada", password="secret", password_type="digest"), context)
    # Of the last character only the first bits count: both stand for b"0123".
    assert base64.b64decode("MDEyMw==") == base64.b64decode("MDEyMx==")
    assert verify(soap("MDEyMw==")).username == "ada"
    with pytest.raises(Unauthorized):
        verify(soap("MDEyMx=="))


def test_who_does_not_know_the_password_cannot_use_up_a_nonce(context: SecurityContext) -> None:
    verify = make_verifier("w", 1, WSSOptions(username="ada", password="secret", password_type="digest"), context)
    nonce = base64.b64encode(hashlib.sha256(b"x").digest()).decode()
    with pytest.raises(Unauthorized):
        verify(soap(nonce, password="guess"))
    assert verify(soap(nonce)).username == "ada"


def test_without_redis_no_nonce_can_be_told_to_be_new(redis_server: RedisServer) -> None:
    verify = make_verifier(
        "w",
        1,
        WSSOptions(username="ada", password="secret", password_type="digest"),
        SecurityContext.connect("test", SECRETS, redis_server.url),
    )
    redis_server.stop()
    with pytest.raises(Unavailable):
        verify(soap("MDEyMw=="))


def test_redis_is_waited_for_no_longer_than_a_request_can(context: SecurityContext) -> None:
    arguments = context.redis.connection_pool.connection_kwargs
    assert 0 < arguments["socket_timeout"] <= 2
    assert 0 < arguments["socket_connect_timeout"] <= 2
    assert isinstance(context.redis, redis.Redis)


# Tokens that we get


@pytest.fixture
def oauth() -> OAuthServer:
    return OAuthServer()


@pytest.fixture
def address(oauth: OAuthServer) -> Iterator[str]:
    with serve(Issuer(), oauth) as address:
        yield address


def options(address: str, **others: object) -> BearerTokenOptions:
    given = {"auth_server_url": f"{address}/token", "username": "our id", "password": "the secret", **others}
    return BearerTokenOptions(**given)  # type: ignore[arg-type]


def test_a_token_is_asked_for_as_the_definition_says(address: str, oauth: OAuthServer) -> None:
    extra = {"scopes": "a b\nc", "extra_fields": "audience=crm=1\n", "client_id_field": "app"}
    assert fetch_token("t", options(address, **extra)) == ("token-1", 3600.0)
    json_url = {"auth_server_url": f"{address}/token-json", "data_format": "json"}
    assert fetch_token("t", options(address, **json_url)) == ("token-2", 3600.0)
    common = {"grant_type": "client_credentials", "client_secret": "the secret"}
    assert oauth.asked == [
        {**common, "scope": "a b c", "audience": "crm=1", "app": "our id"},
        {**common, "client_id": "our id"},
    ]


def test_what_the_server_says_of_wrong_credentials_reaches_nobody(address: str) -> None:
    with pytest.raises(Unavailable) as raised:
        fetch_token("t", options(address, password="wrong one"))
    assert "wrong one" not in str(raised.value)
    assert "401" in str(raised.value)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        {"access_token": ""},
        {"access_token": 7},
        {"access_token": "a\r\nb"},
        {"access_token": "ü"},
    ],
    ids=str,
)
def test_an_answer_that_is_no_token_is_none(address: str, oauth: OAuthServer, answer: object) -> None:
    oauth.answer = answer
    with pytest.raises(Unavailable, match="gave none"):
        fetch_token("t", options(address))


@pytest.mark.parametrize("expires_in", ["soon", None, -1, 0, float("nan"), []], ids=str)
def test_a_lifetime_that_is_none_is_a_short_one(address: str, oauth: OAuthServer, expires_in: object) -> None:
    oauth.expires_in = expires_in
    assert fetch_token("t", options(address)) == ("token-1", 300.0)


def test_nobody_at_the_address_is_said_in_one_sentence(free_port: Callable[[], int]) -> None:
    with pytest.raises(Unavailable, match="could not be reached"):
        fetch_token("t", options(f"http://127.0.0.1:{free_port()}"))


def test_many_who_need_a_token_have_it_fetched_once(address: str, oauth: OAuthServer) -> None:
    source = TokenSource(lambda: fetch_token("t", options(address)))
    together = threading.Barrier(20)

    def ask(_: int) -> str:
        together.wait()
        return source.current()

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(ask, range(20))) == {"token-1"}
    assert len(oauth.asked) == 1


def test_a_token_is_renewed_before_it_expires_and_when_it_was_refused() -> None:
    lifetimes = iter([0.0, 3600.0, 3600.0])
    count = iter(range(1, 10))
    source = TokenSource(lambda: (f"token-{next(count)}", next(lifetimes)))
    assert [source.current(), source.current(), source.current()] == ["token-1", "token-2", "token-2"]
    source.refused("token-1")
    assert source.current() == "token-2"
    source.refused("token-2")
    assert source.current() == "token-3"


def test_a_server_that_fails_is_left_alone_for_a_moment() -> None:
    asked = []

    def fail() -> tuple[str, float]:
        asked.append(time.monotonic())
        raise Unavailable("no token")

    source = TokenSource(fail)
    for _ in range(5):
        with pytest.raises(Unavailable, match="no token"):
            source.current()
    assert len(asked) == 1
