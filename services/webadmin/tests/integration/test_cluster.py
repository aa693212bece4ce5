"""Servers, and the load-balancer in front of them."""

import json
import urllib.request

import pytest
from playwright.sync_api import expect


def test_a_server_is_drained_and_resumed_and_both_are_in_the_audit_log(ann, cluster):
    page = ann.open("/cluster/")
    server = page.locator("#servers section", has_text="server1")
    expect(server).to_contain_text("Takes traffic")
    expect(server.get_by_text("Newest")).to_have_count(2)
    server.get_by_role("button", name="Drain").click()
    expect(page.locator(".notice.done")).to_contain_text("server1 gets no new requests")
    expect(server).to_contain_text("Drained")
    states = {each["name"]: each["state"] for each in json.loads(cluster.zato("lb", "state", "--json"))["backends"]}
    assert states == {"server1": "drain", "server2": "up"}
    server.get_by_role("button", name="Resume").click()
    expect(server).to_contain_text("Takes traffic")
    found = cluster.invoke("zato.audit-log.get-list", {"kind": "load-balancer"})["data"]
    assert [(each["who"], each["action"], each["name"]) for each in found[:2]] == [
        ("the-admin", "resume", "server1"),
        ("the-admin", "drain", "server1"),
    ]
    assert ann.serious_findings() == []


def test_a_weight_is_given(ann):
    page = ann.open("/load-balancer/")
    row = page.locator("#state tr", has_text="server1").first
    page.get_by_label("Weight of server1, 0 for its own").fill("50")
    row.get_by_role("button", name="Set", exact=True).click()
    expect(page.locator(".notice.done")).to_contain_text("server1 has the weight 50")
    expect(page.locator("#state")).to_contain_text("asks for 100")
    assert ann.serious_findings() == []
    page.get_by_label("Weight of server1, 0 for its own").fill("0")
    row.get_by_role("button", name="Set", exact=True).click()
    expect(page.locator("#state")).not_to_contain_text("asks for")


def test_sections_of_haproxys_configuration_are_compared_then_loaded(ann, cluster):
    ann.expected = ["400"]
    page = ann.open("/load-balancer/configuration")
    page.fill("#own", "frontend broken\n    nonsense\n")
    page.click("text=Check and compare")
    expect(page.locator(".notice.problem")).to_contain_text("unknown keyword 'nonsense'")
    page.fill("#own", "userlist partners\n    user ann insecure-password x\n")
    page.click("text=Check and compare")
    expect(page.locator(".diff .added")).to_contain_text(["", "# From", "userlist partners", "user ann"])
    page.get_by_role("button", name="Load", exact=True).click()
    expect(page.locator(".notice.done")).to_contain_text("HAProxy runs with the new configuration")
    assert "userlist partners" in cluster.zato("lb", "config", "--own")
    assert ann.serious_findings() == []
    page.fill("#own", "")
    page.get_by_role("button", name="Load", exact=True).click()
    expect(page.locator(".notice.done")).to_be_visible()
    with urllib.request.urlopen(f"{cluster.load_balancer}/zato/ping", timeout=10) as answer:
        assert answer.status == 200


def test_haproxys_own_commands_are_run(ann):
    ann.expected = ["400"]
    page = ann.open("/load-balancer/commands")
    page.fill("[name=command]", "show info")
    page.keyboard.press("Enter")
    expect(page.locator("#answer pre")).to_contain_text("Uptime_sec")
    page.fill("[name=command]", "disable server servers/server1")
    page.keyboard.press("Enter")
    expect(page.locator("#answer .notice.problem")).to_contain_text("no command that can be run here")
    assert ann.serious_findings() == []


@pytest.mark.parametrize(
    ("role", "path", "form"),
    [
        ("viewer", "/load-balancer/servers/server1/drain", {}),
        ("viewer", "/load-balancer/servers/server1/weight", {"weight": "1"}),
        ("viewer", "/load-balancer/commands", {"command": "show info"}),
        ("deployer", "/load-balancer/configuration", {"own_sections": "# x", "load": ""}),
        ("deployer", "/load-balancer/reload", {}),
    ],
)
def test_what_a_role_may_not_do_with_the_load_balancer_is_refused(signed_in, context, page, cluster, role, path, form):
    page.expected = ["403"]
    context.add_cookies(signed_in[role]["cookies"])
    opened = page.open("/load-balancer/")
    for word in ("Drain", "Set"):
        assert (opened.get_by_role("button", name=word, exact=True).count() > 0) == (role != "viewer")
    csrf = opened.locator("input[name=csrf]").first.input_value()
    answer = context.request.post(f"{cluster.url}{path}", form={**form, "csrf": csrf})
    assert answer.status == 403
    assert "This takes the role" in answer.text()
