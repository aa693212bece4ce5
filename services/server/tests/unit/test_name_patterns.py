"""Which services may be deployed, invoked, and under which targets: settings, and what classes say of themselves."""

from pathlib import Path
from typing import Any

import pytest

from zato.common.errors import ZatoError
from zato.server.config import read_settings
from zato.server.packages.package import Package
from zato.server.service import Service
from zato.server.services.deployer import Deployer
from zato.server.services.name_patterns import NamePatterns
from zato.server.services.rules import InvokeRules
from zato.server.services.store import ServiceStore
from zato.server.testing import Sandbox


@pytest.mark.parametrize(
    ("lines", "allowed", "refused"),
    [
        ([], ["anything", "a/b"], []),
        (["order=true_false"], ["anything"], []),
        (["*=True"], ["a.b", "a-b"], ["a/b", "a.b/c.d"]),
        (["**=True"], ["a.b", "a/b", "a.b/c.d", ""], []),
        (["crm.*=True"], ["crm.get", "crm."], ["crmXget", "my.crm.get", "erp.get"]),
        (["crm.ge?=True"], ["crm.get"], ["crm.ge", "crm.gett"]),
        (["**=True", "internal.*=False"], ["crm.get"], ["internal.x"]),
        (["order=true_false", "internal.ok=True", "internal.*=False"], [], ["internal.ok", "other"]),
        (["order=false_true", "internal.ok=True", "internal.*=False"], ["internal.ok"], ["internal.x", "other"]),
        (["a.*=false", "a.b = true"], [], ["a.b", "c"]),
        (["a=b=True"], ["a=b"], ["a"]),
        (["[x].(y)=True"], ["[x].(y)"], ["x.y"]),
    ],
)
def test_names_are_allowed_as_patterns_say(lines: list[str], allowed: list[str], refused: list[str]) -> None:
    patterns = NamePatterns(lines)
    for _ in range(2):  # the second time from memory
        assert [name for name in allowed if not patterns.allows(name)] == []
        assert [name for name in refused if patterns.allows(name)] == []


def test_no_more_names_are_remembered_than_there_is_room_for() -> None:
    patterns = NamePatterns(["a*=True"])
    assert all(patterns.allows(f"a{number}") for number in range(10_500))
    assert len(patterns._remembered) <= 10_000


@pytest.mark.parametrize("line", ["*", "*=", "=True", "*=Yes", "order=other", "order=True", ""])
def test_a_bad_line_is_named_with_what_was_wanted(line: str) -> None:
    with pytest.raises(ValueError, match="takes pattern=True"):
        NamePatterns([line])


@pytest.mark.parametrize("name", ["DEPLOY_PATTERNS_ALLOWED", "INVOKE_PATTERNS_ALLOWED", "INVOKE_TARGET_PATTERNS_ALLOWED"])
def test_a_server_does_not_start_with_a_bad_pattern(name: str) -> None:
    key = "9uRgS5pR6aLqCnVgq5X8y0l2kJ3mN4oP5qR6sT7uV8w="
    settings = {"ODB_URL": "sqlite:////tmp/odb.db", "TOKEN": "x", "SECRET_KEY": key, name: "order=true_false,*=Maybe"}
    environ = {f"ZATO_SERVER_{key}": value for key, value in settings.items()}
    with pytest.raises(ZatoError, match=rf"'{name.lower()}' takes pattern=True"):
        read_settings(None, environ)
    environ[f"ZATO_SERVER_{name}"] = "order=true_false,*=True"
    assert getattr(read_settings(None, environ), name.lower()) == ("order=true_false", "*=True")


# Deploying


TWO = """
from zato.server.service import Service

class First(Service):
    name = "crm.first"
    def handle(self): pass

class Second(Service):
    name = "erp.second"
    added = []

    @staticmethod
    def before_add_to_store(logger):
        Second.added.append(1)
        return True

    def handle(self): pass
"""


def test_of_a_file_those_services_are_deployed_whose_names_are_allowed(tmp_path: Path) -> None:
    store = ServiceStore()
    deployer = Deployer(store, tmp_path, allowed=NamePatterns(["crm.*=True"]))
    (outcome,) = deployer.apply([Package("two.py", 1, TWO.encode())])
    assert outcome.is_ok
    assert [entry.name for entry in store.entries()] == ["crm.first"]


# Invoking


class Target(Service):
    name = "crm.target"

    def handle(self) -> None:
        self.response.payload = self.request.payload


class Caller(Service):
    name = "caller"

    def handle(self) -> None:
        how = getattr(self, self.environ["how"])
        self.response.payload = how(*self.request.payload)


def call(rules: InvokeRules, how: str, *args: Any, caller: type[Service] = Caller) -> Any:
    sandbox = Sandbox()
    sandbox.deploy(Target)
    sandbox.server.invoker.rules = rules
    return sandbox.invoke(caller, list(args), environ={"how": how}).response.payload


FORBIDDING = InvokeRules(NamePatterns(["**=True", "crm.*=False"]))
WAYS = [("invoke", Target.name), ("invoke", Target), ("invoke_async", Target.name), ("invoke_by_id", "id")]


@pytest.mark.parametrize(("how", "service"), WAYS)
def test_what_patterns_forbid_is_not_invoked_in_any_way(how: str, service: Any) -> None:
    if service == "id":
        sandbox = Sandbox()
        service = sandbox.invoke(Target).id
    with pytest.raises(ZatoError, match="'invoke_patterns_allowed' in the settings forbids it"):
        call(FORBIDDING, how, service)
    assert call(InvokeRules(NamePatterns(["crm.*=True"])), how, service, "sent") is not None


def test_fan_out_and_retries_ask_the_same_rules() -> None:
    for how in (
        lambda self: self.patterns.fanout.invoke({Target.name: 1}, "caller"),
        lambda self: self.patterns.parallel.invoke({Target.name: 1}, "caller"),
        lambda self: self.patterns.invoke_retry.invoke_async(Target.name, repeats=1, seconds=0),
        lambda self: self.invoke_async("caller", callback=Target),
        lambda self: self.broker_client.publish({"service": Target.name}),
    ):
        caller = type("Caller", (Service,), {"name": "caller", "handle": how})
        with pytest.raises(ZatoError, match="may not be invoked"):
            call(FORBIDDING, "", caller=caller)


def test_a_service_invokes_what_its_class_lists_where_that_is_enforced() -> None:
    rules = InvokeRules(enforces_invokes=True)
    with pytest.raises(ZatoError, match=r"'caller' may not invoke 'crm.target': name it in 'invokes' of class Caller"):
        call(rules, "invoke", Target.name)
    for invokes in ([Target.name], (Target,), Target.name, Target, {"other", Target.name}):
        lists = type("Caller", (Caller,), {"invokes": invokes})
        assert call(rules, "invoke", Target.name, 1, caller=lists) == 1
    with pytest.raises(ZatoError, match="may not invoke"):
        call(rules, "invoke", Target.name, caller=type("Caller", (Caller,), {"invokes": "crm.target.other"}))


def test_a_service_that_lists_nothing_invokes_anything_unless_that_is_enforced() -> None:
    assert call(InvokeRules(), "invoke", Target.name, 1) == 1
    assert call(InvokeRules(), "invoke", Target.name, 1, caller=type("Caller", (Caller,), {"invokes": ["other"]})) == 1


# Targets


def test_a_service_runs_where_the_server_is_the_target() -> None:
    rules = InvokeRules(targets=NamePatterns(["east*=True"]))
    assert call(rules, "invoke", "crm.target@east-1", 1) == 1
    assert call(InvokeRules(), "invoke", "crm.target@anything", 1) == 1
    with pytest.raises(ZatoError, match=r"'crm\.target' may not be invoked as 'west' on this server"):
        call(rules, "invoke", "crm.target@west", 1)
    for unknown in ("nothing@east-1", "crm.target@", "@east-1"):
        with pytest.raises(ZatoError, match="There is no service"):
            call(rules, "invoke", unknown, 1)


def test_a_service_whose_name_has_the_sign_is_no_target() -> None:
    sandbox = Sandbox()
    sandbox.deploy(type("At", (Target,), {"name": "crm@target"}))
    sandbox.server.invoker.rules = InvokeRules(targets=NamePatterns(["east=True"]))
    assert sandbox.invoke(Caller, ["crm@target", 1], environ={"how": "invoke"}).response.payload == 1


def test_a_target_is_invoked_asynchronously_wherever_it_is() -> None:
    sandbox = Sandbox()
    sandbox.deploy(Target)
    sandbox.server.invoker.rules = InvokeRules(targets=NamePatterns(["east=True"]))
    cid = sandbox.invoke(Caller, ["crm.target@west", {"a": 1}], environ={"how": "invoke_async"}).response.payload
    (task,) = sandbox.tasks.published
    assert (task.service, task.target, task.cid, task.decoded_payload) == ("crm.target", "west", cid, {"a": 1})


def test_a_target_is_not_invoked_later() -> None:
    def handle(self: Service) -> None:
        self.invoke_async("crm.target@west", delay=1)

    with pytest.raises(ZatoError, match="in all workers with a 'delay'"):
        call(InvokeRules(), "", caller=type("Caller", (Service,), {"name": "caller", "handle": handle}))
