"""Roles: what a caller may do is worked out from the configuration, and what nobody allowed is denied."""

from typing import Any

import pytest

from zato.common.errors import Forbidden, Unauthorized
from zato.server.control.state import ConfigObject, Configuration
from zato.server.http.channel import HTTPChannelOptions
from zato.server.security.api_key import APIKeyOptions
from zato.server.security.basic_auth import BasicAuthOptions
from zato.server.security.context import SecurityContext
from zato.server.security.gate import Gate, any_of, nobody, refuse_everyone
from zato.server.security.rbac import ClientRoleOptions, Permissions, RoleOptions, RolePermissionOptions

from .conftest import basic, request

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND")


class Configured:
    """Collects objects, by short words."""

    def __init__(self) -> None:
        self.objects: dict[int, ConfigObject] = {}

    def add(self, kind: str, name: str, options: Any, *, is_active: bool = True) -> "Configured":
        number = len(self.objects) + 1
        self.objects[number] = ConfigObject(number, f"security-{kind}", name, is_active, 1, options)
        return self

    def user(self, name: str, **others: Any) -> "Configured":
        return self.add("basic-auth", name, BasicAuthOptions(username=name, password="p"), **others)

    def role(self, name: str, parent: str = "", **others: Any) -> "Configured":
        return self.add("rbac-role", name, RoleOptions(parent=parent), **others)

    def may(self, role: str, permission: str, service: str = "s", **others: Any) -> "Configured":
        made = RolePermissionOptions(role=role, service=service, permission=permission)
        return self.add("rbac-role-permission", f"{role} {permission} {service}", made, **others)

    def has(self, client: str, role: str, **others: Any) -> "Configured":
        return self.add("rbac-client-role", f"{client} {role}", ClientRoleOptions(client=client, role=role), **others)

    def configuration(self) -> Configuration:
        return Configuration(1, self.objects)

    def gate(self) -> Gate:
        context = SecurityContext.connect("test", ["secret"], "redis://127.0.0.1:1/0")
        return Gate(context).follow(self.configuration())

    def methods(self, user: str, service: str = "s") -> set[str]:
        """Return what a user may do, asked request by request."""
        verify = self.gate().guard(HTTPChannelOptions(url_path="/a", service=service, security=user, has_rbac=True))
        assert verify is not None
        allowed = set()
        for method in METHODS:
            made = basic(f"{user}:p")
            made.method = method
            try:
                verify(made)
                allowed.add(method)
            except Forbidden:
                pass
        return allowed


def readers() -> Configured:
    return Configured().user("ada").role("reader").may("reader", "Read").has("ada", "reader")


@pytest.mark.parametrize(
    ("permission", "methods"),
    [("Create", {"POST"}), ("Read", {"GET", "HEAD"}), ("Update", {"PUT", "PATCH"}), ("Delete", {"DELETE"})],
)
def test_a_permission_is_for_its_methods_and_no_others(permission: str, methods: set[str]) -> None:
    assert Configured().user("ada").role("r").may("r", permission).has("ada", "r").methods("ada") == methods


def test_who_has_no_role_may_do_nothing() -> None:
    assert Configured().user("ada").methods("ada") == set()
    assert readers().user("bob").methods("bob") == set()


def test_a_permission_is_for_its_service_and_no_other() -> None:
    assert readers().methods("ada", "t") == set()


def test_several_roles_add_up() -> None:
    assert readers().role("maker").may("maker", "Create").has("ada", "maker").methods("ada") == {"GET", "HEAD", "POST"}


def test_a_role_may_do_what_its_parents_may_and_not_what_its_children_may() -> None:
    made = readers().role("writer", "reader").may("writer", "Update").role("chief", "writer").user("bob").has("bob", "chief")
    assert made.methods("bob") == {"GET", "HEAD", "PUT", "PATCH"}
    assert made.methods("ada") == {"GET", "HEAD"}


def test_roles_that_are_each_others_parents_end_somewhere() -> None:
    made = Configured().user("ada").role("a", "b").role("b", "a").may("b", "Read").has("ada", "a")
    assert made.methods("ada") == {"GET", "HEAD"}


def test_what_is_switched_off_gives_nothing() -> None:
    user = Configured().user("ada")
    assert user.role("r", is_active=False).may("r", "Read").has("ada", "r").methods("ada") == set()
    user = Configured().user("ada")
    assert user.role("r").may("r", "Read", is_active=False).has("ada", "r").methods("ada") == set()
    user = Configured().user("ada")
    assert user.role("r").may("r", "Read").has("ada", "r", is_active=False).methods("ada") == set()
    user = Configured().user("ada").role("r", is_active=False).may("r", "Read")
    assert user.role("child", "r").has("ada", "child").methods("ada") == set()


def test_wrong_credentials_are_refused_before_roles_are_asked() -> None:
    verify = readers().gate().guard(HTTPChannelOptions(url_path="/a", service="s", security="ada", has_rbac=True))
    assert verify is not None
    with pytest.raises(Unauthorized):
        verify(basic("ada:wrong"))


def test_roles_without_credentials_let_nobody_in() -> None:
    verify = readers().gate().guard(HTTPChannelOptions(url_path="/a", service="s", has_rbac=True))
    assert verify is not None
    for made in (request(), basic("ada:p")):
        with pytest.raises(Forbidden):
            verify(made)


def test_any_definition_with_a_role_lets_in_where_roles_decide() -> None:
    made = readers().user("bob").user("eve").role("maker").may("maker", "Create").has("bob", "maker")
    made.add("api-key", "key", APIKeyOptions(key="k")).has("key", "reader")
    verify = made.gate().guard(HTTPChannelOptions(url_path="/a", service="s", sec_use_rbac=True))
    assert verify is not None
    assert verify(basic("ada:p")).definition == "ada"
    assert verify(request("GET", b"", ("X-API-Key", "k"))).definition == "key"
    with pytest.raises(Forbidden):
        verify(basic("bob:p"))
    for wrong in (request(), basic("eve:p"), basic("ada:x"), request("GET", b"", ("X-API-Key", "x"))):
        with pytest.raises(Unauthorized) as raised:
            verify(wrong)
        assert raised.value.challenge == 'Basic realm="API", charset="UTF-8", zato-apikey header="X-API-Key"'


def test_where_roles_decide_and_nobody_has_one_nobody_may_call() -> None:
    verify = Configured().user("ada").gate().guard(HTTPChannelOptions(url_path="/a", service="s", sec_use_rbac=True))
    assert verify is not None
    with pytest.raises(Unauthorized):
        verify(basic("ada:p"))


def test_a_channel_that_asks_for_nothing_is_open_and_one_whose_definition_is_gone_is_closed() -> None:
    gate = Configured().user("off", is_active=False).gate()
    assert gate.guard(HTTPChannelOptions(url_path="/a", service="s")) is None
    assert gate.guard(HTTPChannelOptions(url_path="/a", service="s", security="gone")) is refuse_everyone
    verify = gate.guard(HTTPChannelOptions(url_path="/a", service="s", security="off"))
    assert verify is not None
    with pytest.raises(Unauthorized, match="switched off") as raised:
        verify(basic("off:p"))
    assert raised.value.challenge.startswith("Basic")
    with pytest.raises(ValueError, match="sec_use_rbac"):
        HTTPChannelOptions(url_path="/a", service="s", security="ada", sec_use_rbac=True)


def test_verifiers_are_kept_while_their_definition_stays_the_same() -> None:
    made = readers()
    gate = made.gate()
    channel = HTTPChannelOptions(url_path="/a", service="s", security="ada")
    same = gate.follow(made.configuration())
    assert same.guard(channel) is gate.guard(channel)
    changed = ConfigObject(1, "security-basic-auth", "ada", True, 2, BasicAuthOptions(username="ada", password="new"))
    verify = same.follow(Configuration(2, {**made.objects, 1: changed})).guard(channel)
    assert verify is not None
    assert verify(basic("ada:new")).username == "ada"
    with pytest.raises(Unauthorized):
        verify(basic("ada:p"))


def test_permissions_are_sets_by_method() -> None:
    assert Permissions(readers().configuration()).allowed("s") == {
        "GET": {("security-basic-auth", "ada")},
        "HEAD": {("security-basic-auth", "ada")},
    }


def test_the_refusals_of_several_are_one_that_says_most() -> None:
    with pytest.raises(Forbidden):
        any_of([refuse_everyone, nobody, refuse_everyone])(request())
