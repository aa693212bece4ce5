"""Services that are switched off, without a server."""

from typing import Any

import pytest

from zato.common.errors import InvalidOptions, NotFound
from zato.common.exception import Inactive
from zato.common.options import parse_options
from zato.server.control.state import ConfigObject, Configuration
from zato.server.http.channel import HTTPChannelOptions, compile_channel
from zato.server.http.limits import make_limits_step
from zato.server.http.rate_limits import LocalCounter, RateLimiter, TooManyRequests
from zato.server.http.request import Request, Response
from zato.server.security.definitions import Identity
from zato.server.service import Service
from zato.server.services.finding import describe_service
from zato.server.services.service_options import ServiceOptions, ServiceState, service_limits, service_states
from zato.server.services.store import ServiceStore
from zato.server.testing import Sandbox


class Target(Service):
    name = "target"
    slow_threshold = 500

    def handle(self) -> None:
        self.response.payload = "ran"


def store_with(**states: ServiceState) -> ServiceStore:
    store = ServiceStore()
    store.replace_deployed([describe_service(Target, "m")])
    store.replace_states(states)
    return store


def test_a_service_that_is_switched_off_is_found_by_nobody_and_known_to_operators() -> None:
    store = store_with(target=ServiceState(is_active=False))
    (entry,) = store.entries()
    for find in (
        lambda: store.get("target"),
        lambda: store.find("target"),
        lambda: store.find(Target),
        lambda: store.get_by_impl_name("m.Target"),
        lambda: store.get_by_id(entry.id),
    ):
        with pytest.raises(Inactive, match="Service 'target' is switched off"):
            find()
    assert not entry.is_active and store.known("target") is entry and store.known_by_id(entry.id) is entry
    assert "target" in store
    for find in (lambda: store.get("other"), lambda: store.known("other"), lambda: store.known_by_id(1)):
        with pytest.raises(NotFound, match="There is no service") as caught:
            find()
        assert not isinstance(caught.value, Inactive)


def test_a_service_that_is_deployed_anew_stays_off_until_it_is_switched_on() -> None:
    store = store_with(target=ServiceState(is_active=False))
    store.replace_deployed([describe_service(Target, "m", version=2)])
    with pytest.raises(Inactive):
        store.get("target")
    store.replace_states({"target": ServiceState(), "waits-for-its-deployment": ServiceState(is_active=False)})
    assert store.get("target").version == 2


def test_the_platforms_own_services_cannot_be_switched_off() -> None:
    store = ServiceStore()
    store.replace_internal([describe_service(type("Ping", (Target,), {"name": "zato.ping"}), "m")])
    store.replace_states({"zato.ping": ServiceState(is_active=False)})
    assert store.get("zato.ping").is_active


def test_what_operators_call_slow_counts_more_than_what_the_class_does() -> None:
    assert store_with().get("target").plan.slow_threshold_ms == 500
    assert store_with(target=ServiceState()).get("target").plan.slow_threshold_ms == 500
    assert store_with(target=ServiceState(slow_threshold_ms=20)).get("target").plan.slow_threshold_ms == 20
    assert store_with(target=ServiceState(slow_threshold_ms=20)).get("target").io is None


def test_no_service_invokes_one_that_is_switched_off() -> None:
    sandbox = Sandbox()
    sandbox.deploy(Target)
    sandbox._store.replace_states({"target": ServiceState(is_active=False)})
    calls: list[Any] = [
        lambda self: self.invoke("target"),
        lambda self: self.invoke("target@east"),
        lambda self: self.invoke_async("target"),
        lambda self: self.patterns.fanout.invoke({"target": 1}, "caller"),
        lambda self: self.new_instance("target"),
    ]
    for handle in calls:
        with pytest.raises(Inactive):
            sandbox.invoke(type("Caller", (Service,), {"name": "caller", "handle": handle}))
    assert sandbox.tasks.published == []


# What is stored


def stored(name: str, *, is_active: bool = True, **options: Any) -> Configuration:
    made = parse_options(ServiceOptions, options, what="service")
    return Configuration(1, {1: ConfigObject(1, "service", name, is_active, 1, made)})


def test_objects_say_what_a_service_is_like() -> None:
    assert service_states(stored("a", is_active=False)) == {"a": ServiceState(is_active=False)}
    assert service_states(stored("a", slow_threshold=20)) == {"a": ServiceState(slow_threshold_ms=20)}
    assert service_states(stored("a", slow_threshold=0)) == {"a": ServiceState(slow_threshold_ms=float("inf"))}
    assert service_states(Configuration()) == {}
    assert dict(service_limits(stored("a", rate_limit_def="* = 1/m"))) == {}
    with pytest.raises(InvalidOptions, match="rate_limit_def"):
        stored("a", rate_limit_def="often")


def test_the_limit_of_a_service_holds_beside_those_of_channels_and_definitions() -> None:
    limits = dict(service_limits(stored("target", is_rate_limit_active=True, rate_limit_def="* = 2/d")))["target"]
    check = make_limits_step(RateLimiter(LocalCounter(), LocalCounter()))
    channels = [
        compile_channel(name, HTTPChannelOptions(url_path=f"/{name}", service="target"), None, "", (), limits)
        for name in ("one", "other")
    ]

    def ask(number: int) -> int:
        request = Request("GET", f"/{number}", [], b"", cid="c", remote_address="127.0.0.1")
        request.channel = channels[number]
        request.identity = Identity("user", "security-basic-auth", "user") if number else None
        return check(request, lambda _request: Response(200)).status

    assert [ask(0), ask(1)] == [200, 200]
    with pytest.raises(TooManyRequests):
        ask(0)
    with pytest.raises(TooManyRequests):
        ask(1)
