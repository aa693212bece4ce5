"""Queues and dead letters, in a browser."""

from playwright.sync_api import expect

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
