"""
The pictures of docs/webadmin.md, made of what is there: in var/webadmin, or where ZATO_TEST_SCREENSHOTS says.

    ZATO_TEST_SCREENSHOTS=docs/webadmin pytest services/webadmin/tests/integration/test_screenshots.py
"""

import base64
import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from zato.common.testing.load import Load

ROOT = Path(__file__).resolve().parents[4]
FOLDER = ROOT / os.environ.get("ZATO_TEST_SCREENSHOTS", "var/webadmin")
_QUALITY = 82
_LEAST_BYTES = 4_000

SOURCE = '''\
"""Orders, as the shop has them."""

from zato.common.errors import NotFound
from zato.server.service import Model, Service, dataclass

ORDERS = {1: ("Ada Lovelace", 120), 2: ("Grace Hopper", 75)}


@dataclass(init=False)
class OrderRequest(Model):
    order_id: int


class GetOrder(Service):
    """GET /orders/{order_id}"""

    name = "orders.get"
    input = OrderRequest

    def handle(self):
        found = ORDERS.get(self.request.input.order_id)
        if found is None:
            raise NotFound(self.cid, "There is no such order")
        self.response.payload = {"customer": found[0], "total": found[1], "currency": "EUR"}
'''
FILE = """\
security-basic-auth:
  - name: shop
    username: shop

channel-http:
  - name: orders.get
    url_path: /orders/{order_id}
    service: orders.get
    method: GET

outgoing-http:
  - name: crm
    host: https://crm.example.com
    security: shop
"""


def open_in(watched, theme: str, path: str, *, width: int = 1280, height: int = 800):
    watched.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    watched.page.set_viewport_size({"width": width, "height": height})
    return watched.open(path)


def picture(watched, name: str) -> None:
    watched.page.evaluate("document.fonts.ready")
    session = watched.page.context.new_cdp_session(watched.page)
    taken = session.send("Page.captureScreenshot", {"format": "webp", "quality": _QUALITY})
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = FOLDER / f"{name}.webp"
    file.write_bytes(base64.b64decode(taken["data"]))
    assert file.stat().st_size > _LEAST_BYTES, f"{file} shows nothing"


@pytest.fixture(scope="module")
def shop(cluster, tmp_path_factory):
    file = tmp_path_factory.mktemp("shop") / "orders.py"
    file.write_text(SOURCE)
    cluster.zato("service", "deploy", str(file))
    options = {"url_path": "/orders/{order_id}", "service": "orders.get", "method": "GET"}
    cluster.invoke("zato.channel-http.create", {"name": "orders.get", **options})
    for name, cron in (("reports.nightly", "30 2 * * *"), ("stock.check", "*/5 * * * *")):
        job = {"name": name, "job_type": "cron_style", "cron_definition": cron, "service": "pub.zato.ping"}
        cluster.invoke("zato.scheduler-job.create", job)
    job = {"name": "orders.poll", "job_type": "interval_based", "seconds": 7, "service": "pub.zato.ping"}
    cluster.invoke("zato.scheduler-job.create", job)
    cluster.zato("wait", "--timeout", "20")
    yield
    for job in ("reports.nightly", "stock.check", "orders.poll"):
        cluster.invoke("zato.scheduler-job.delete", {"name": job})


@pytest.mark.timeout(300)
def test_pictures_of_the_screens_are_made_in_both_themes(ann, cluster, shop):
    with Load(f"{cluster.load_balancer}/orders/1") as load:
        for theme in ("dark", "light"):
            page = open_in(ann, theme, "/")
            load.wait_for_more(300)
            # A second or two are drawn before a line is seen.
            page.wait_for_timeout(5_000)
            picture(ann, f"overview-{theme}")

    for theme in ("dark", "light"):
        open_in(ann, theme, "/objects/channel-http/", height=560)
        picture(ann, f"objects-{theme}")
    open_in(ann, "dark", "/objects/channel-http/", width=390, height=780)
    picture(ann, "objects-narrow")

    ann.expected = ["422"]
    page = open_in(ann, "light", "/objects/channel-http/new", height=760)
    page.fill("#f-name", "orders.all")
    page.fill("#f-url_path", "orders")
    page.fill("#f-service", "orders.get")
    page.get_by_role("button", name="Create").click()
    expect(page.locator("#f-url_path-problem")).to_contain_text("begins with a slash")
    picture(ann, "form-light")

    open_in(ann, "dark", "/services/orders.get/source", height=720)
    picture(ann, "source-dark")
    page = open_in(ann, "light", "/services/orders.get/invoke", height=560)
    page.fill("#f-order_id", "1")
    page.click("form.card >> text=Invoke")
    expect(page.locator("#answer")).to_contain_text("Ada Lovelace")
    picture(ann, "invoke-light")

    page = open_in(ann, "dark", "/scheduler/")
    expect(page.locator("#runs .badge.ok").first).to_be_visible(timeout=20_000)
    picture(ann, "scheduler-dark")

    page = open_in(ann, "light", "/files/", height=1000)
    page.fill("#text", FILE)
    page.get_by_role("button", name="Show what would change").click()
    expect(page.locator("#plan .diff")).to_be_visible()
    picture(ann, "plan-light")

    open_in(ann, "dark", "/audit/", height=680)
    picture(ann, "audit-dark")
    open_in(ann, "light", "/load-balancer/", height=720)
    picture(ann, "load-balancer-light")
