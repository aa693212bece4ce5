"""Who may call what: a table, and nobody where it says nothing."""

import importlib
from pathlib import Path

import pytest

import zato.proto
from zato.common.rpc.access import may_call, may_invoke
from zato.common.rpc.roles import CONNECTOR, LB_AGENT, OPERATOR, ROLES, SCHEDULER, SERVER, WEBADMIN

# Where these are, certificates alone say who calls.
CA = "zato.proto.certificate_authority.v1."


def all_methods() -> list[str]:
    folder = Path(next(iter(zato.proto.__path__)))
    files = [file.relative_to(folder).with_suffix("") for file in folder.glob("*/v*/*_pb2.py")]
    modules = [importlib.import_module("zato.proto." + ".".join(file.parts)) for file in files]
    services = [service for module in modules for service in module.DESCRIPTOR.services_by_name.values()]
    return [f"/{service.full_name}/{method.name}" for service in services for method in service.methods]


def test_somebody_may_call_each_method_of_each_contract() -> None:
    methods = [method for method in all_methods() if CA not in method]
    assert len(methods) > 20
    assert [method for method in methods if not any(may_call(role, method) for role in ROLES)] == []


@pytest.mark.parametrize("role", ["", "part", "ca", "Operator"])
def test_who_has_no_role_of_ours_may_call_nothing(role: str) -> None:
    assert [method for method in all_methods() if may_call(role, method)] == []


def test_what_is_not_in_the_table_nobody_may_call() -> None:
    assert not any(may_call(role, f"/zato.proto.{path}") for role in ROLES for path in ("new.v1.New/Call", "jobs.v2.Jobs/Lead"))
    assert not any(may_call(role, "/zato.proto.control_plane.v1.ControlPlane/Erase") for role in ROLES)


def test_each_role_may_call_what_it_needs_and_no_more() -> None:
    allowed = {role: {m.rpartition(".")[2] for m in all_methods() if may_call(role, m)} for role in ROLES}
    followed = {"Invoker/Invoke", "Invoker/InvokeMany"}
    followed |= {f"ControlPlane/{name}" for name in ("RegisterKinds", "Watch", "ReportStatus", "ReportRefusals")}
    assert allowed[CONNECTOR] == followed | {"Invoker/Deliver", "Invoker/HoldLease"}
    assert allowed[SCHEDULER] == followed | {m.rpartition(".")[2] for m in all_methods() if ".Jobs/" in m}
    assert allowed[LB_AGENT] == set()
    assert {"LoadBalancer/Join", "LoadBalancer/Leave"} <= allowed[SERVER]
    assert not {"ControlPlane/Deploy", "LoadBalancer/Drain", "LoadBalancer/GetConfig", "Invoker/Invoke"} & allowed[SERVER]
    assert allowed[OPERATOR] == allowed[WEBADMIN]
    assert "ControlPlane/Deploy" in allowed[OPERATOR] and "LoadBalancer/Join" not in allowed[OPERATOR]


@pytest.mark.parametrize(
    ("role", "service", "is_allowed"),
    [
        (CONNECTOR, "orders.take", True),
        (CONNECTOR, "zato.ping", True),
        (CONNECTOR, "zato.channel-http.create", False),
        (CONNECTOR, "zato.scheduler.job.execute", False),
        (SCHEDULER, "zato.scheduler.job.execute", True),
        (SCHEDULER, "zato.scheduler.job.delete", False),
        (SERVER, "orders.take", False),
        (LB_AGENT, "zato.ping", False),
        ("", "zato.ping", False),
        (OPERATOR, "zato.channel-http.create", True),
        (WEBADMIN, "zato.channel-http.create", True),
    ],
)
def test_connectors_invoke_services_of_users_only(role: str, service: str, is_allowed: bool) -> None:
    assert may_invoke(role, service) is is_allowed
