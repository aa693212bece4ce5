"""Messaging in a browser: connectors and what passes through them, queues and dead letters."""

import re

import zmq
from playwright.sync_api import expect

from zato.common.testing.processes import free_port

SOURCE = """
from pathlib import Path
from zato.server.service import Service
class Fragile(Service):
    name = "fragile"
    def handle(self):
        if not Path({path!r}).exists():
            raise ValueError("the bridge is down")
class Caller(Service):
    name = "fragile.caller"
    def handle(self):
        self.invoke_async("fragile", {{"parcel": 7}})
"""


def test_a_dead_letter_is_looked_at_and_tried_again(ann, cluster, tmp_path):
    bridge = tmp_path / "bridge"
    file = tmp_path / "fragile.py"
    file.write_text(SOURCE.format(path=str(bridge)))
    cluster.zato("service", "deploy", str(file))
    cluster.invoke("fragile.caller", {})

    page = ann.open("/queues/")
    dead = page.locator("td[data-label='Dead letters'] a")
    expect(dead).to_have_text("1", timeout=90_000)
    dead.click()
    expect(page.locator("tbody tr")).to_contain_text("the bridge is down")
    assert ann.serious_findings() == []
    page.click("tbody a.name")
    expect(page.locator("pre")).to_contain_text('"parcel": 7')
    bridge.touch()
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".notice.done")).to_contain_text("1 will be tried again")
    expect(page.locator(".empty")).to_contain_text("No dead letters")


def test_what_passes_through_a_connector_is_seen_as_it_passes(ann, cluster):
    address = f"tcp://127.0.0.1:{free_port()}"
    cluster.invoke("zato.channel-zmq.create", {"name": "parcels", "address": address, "service": "zato.ping"})
    page = ann.open("/queues/")
    connector = page.locator("section", has_text="connector-zmq")
    row = connector.locator("tr", has_text="parcels")
    expect(row.locator(".badge")).to_have_text("Connected")
    expect(row.locator("td[data-label='Messages']")).to_have_text("0")
    with zmq.Context() as context, context.socket(zmq.PUSH) as push:
        push.connect(address)
        for _ in range(30):
            push.send_json({})
        # The page asks anew by itself, and says how fast they come.
        expect(row.locator("td[data-label='Per second']")).not_to_have_text(re.compile("^(0|—)$"))
        expect(row.locator("td[data-label='Done']")).to_have_text("30")
    assert ann.serious_findings() == []
    row.get_by_role("link").click()
    expect(page.locator("h1")).to_have_text("parcels")
    cluster.invoke("zato.channel-zmq.delete", {"name": "parcels"})
