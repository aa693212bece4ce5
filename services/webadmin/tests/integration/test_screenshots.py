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

from dataclasses import dataclass

from zato.common.errors import NotFound
from zato.server.service import Model, Service

ORDERS = {1: ("Ada Lovelace", 120), 2: ("Grace Hopper", 75)}


@dataclass(init=False)
class OrderRequest(Model):
    order_id: int


class GetOrder(Service):
    """GET /orders/{order_id}"""

    name = "orders.get"

    class SimpleIO:
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


def picture(watched, name: str, theme: str, *, width: int = 1280, height: int = 800) -> None:
    page = watched.page
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_timeout(200)  # what draws itself anew in the other colours takes a moment
    session = page.context.new_cdp_session(page)
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
    page = ann.open("/")
    with Load(f"{cluster.load_balancer}/orders/1") as load:
        load.wait_for_more(300)
        page.wait_for_timeout(4_000)
        load.wait_for_more(300)
        picture(ann, "overview-dark", "dark")
        picture(ann, "overview-light", "light")

    ann.open("/objects/channel-http/")
    picture(ann, "objects-light", "light", height=560)
    picture(ann, "objects-dark", "dark", height=560)
    picture(ann, "objects-narrow", "dark", width=390, height=780)

    ann.expected = ["422"]
    page = ann.open("/objects/channel-http/new")
    page.fill("#f-name", "orders.all")
    page.fill("#f-url_path", "orders")
    page.fill("#f-service", "orders.get")
    page.get_by_role("button", name="Create").click()
    expect(page.locator(".notice.problem")).to_be_visible()
    picture(ann, "form-light", "light", height=760)

    ann.open("/services/orders.get/source")
    picture(ann, "source-dark", "dark", height=720)
    page = ann.open("/services/orders.get/invoke")
    page.fill("#f-order_id", "1")
    page.click("form.card >> text=Invoke")
    expect(page.locator("#answer")).to_contain_text("Ada Lovelace")
    picture(ann, "invoke-light", "light", height=560)

    page = ann.open("/scheduler/")
    expect(page.locator("#runs .badge.ok").first).to_be_visible(timeout=20_000)
    picture(ann, "scheduler-dark", "dark")

    page = ann.open("/files/")
    page.fill("#text", FILE)
    page.get_by_role("button", name="Show what would change").click()
    page.locator("#plan .diff").scroll_into_view_if_needed()
    picture(ann, "plan-light", "light", height=900)

    ann.open("/audit/")
    picture(ann, "audit-dark", "dark", height=680)
    ann.open("/load-balancer/")
    picture(ann, "load-balancer-light", "light", height=720)
