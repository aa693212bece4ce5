"""With a part of the cluster away each page still opens, and says what is missing."""

import pytest
from playwright.sync_api import expect

from zato.common.testing.processes import free_port

OPENS = ("/", "/services/", "/scheduler/", "/objects/channel-http/", "/files/", "/queues/", "/account/settings")


@pytest.fixture
def without(cluster):
    """Stops parts, and starts them when the test is over."""
    stopped = []

    def stop(name: str) -> None:
        stopped.append(name)
        cluster.zato("stop", str(cluster.folder / name))

    yield stop
    for name in stopped:
        cluster.zato("start", str(cluster.folder / name))


def test_without_servers_pages_say_so_and_open_by_themselves_later(ann, cluster, without):
    ann.expected = ["503", "ERR_"]
    page = ann.open("/services/")
    without("server1")
    for path in ("/services/", "/scheduler/", "/objects/channel-http/", "/queues/"):
        response = page.goto(f"{ann.url}{path}")
        assert response.status == 503, path
        expect(page.locator("h1")).to_have_text("Something is missing")
        expect(page.locator("main")).to_contain_text("answers")
    for path in ("/", "/files/", "/account/settings"):
        assert page.goto(f"{ann.url}{path}").status == 200, path
    page.goto(f"{ann.url}/services/")
    cluster.zato("start", str(cluster.folder / "server1"))
    # It asks again by itself.
    expect(page.locator("h1")).to_have_text("Services", timeout=60_000)


def test_without_redis_those_who_are_there_go_on_and_strangers_are_told(ann, browser, cluster, without):
    ann.expected = ["503", "ERR_"]
    page = ann.open("/services/")
    without("redis")
    for path in ("/services/", "/objects/channel-http/", "/scheduler/", "/files/", "/account/settings"):
        assert page.goto(f"{ann.url}{path}").status == 200, path
    page.goto(f"{ann.url}/services/zato.ping")
    expect(page.locator(".notice.note")).to_contain_text("Redis")
    stranger = browser.new_context(base_url=cluster.url).new_page()
    stranger.goto(f"{cluster.url}/sign-in")
    stranger.fill("#name", "the-admin")
    stranger.fill("#password", "correct horse battery staple")
    stranger.click("button[type=submit]")
    expect(stranger.locator("h1")).to_have_text("Something is missing", timeout=20_000)
    stranger.context.close()


@pytest.mark.parametrize("part", ["scheduler", "lb-agent"])
def test_without_another_part_every_page_opens(ann, without, part):
    ann.expected = ["503", "ERR_"]
    page = ann.open("/")
    without(part)
    for path in (*OPENS, "/cluster/"):
        assert page.goto(f"{ann.url}{path}").status == 200, path
    if part == "lb-agent":
        # There is nothing but the agent's to see here.
        page.goto(f"{ann.url}/load-balancer/")
        expect(page.locator("h1")).to_have_text("Something is missing")
    if part == "scheduler":
        page.goto(f"{ann.url}/scheduler/")
        expect(page.locator("#now .notice.note")).to_contain_text("What comes next is not known")


def test_without_a_connector_its_objects_and_queues_say_so(ann, cluster, without):
    address = f"tcp://127.0.0.1:{free_port()}"
    cluster.invoke("zato.channel-zmq.create", {"name": "lonely", "address": address, "service": "zato.ping"})
    page = ann.open("/objects/channel-zmq/?q=lonely")
    state = page.locator("tbody td[data-label='State']")
    expect(state).to_have_text("Live")
    without("connector-zmq")
    expect(state).to_have_text("connector-zmq does not answer")
    ann.open("/queues/")
    connector = page.locator("section", has=page.get_by_role("heading", name="connector-zmq"))
    expect(connector.locator(".badge")).to_have_text("Does not answer")
    expect(connector.locator(".notice.problem")).to_contain_text("Nobody answers at")
    expect(page.locator("tr", has_text="lonely").locator("td[data-label='Dead letters']")).to_have_text("unknown")
    assert ann.serious_findings() == []
    cluster.zato("start", str(cluster.folder / "connector-zmq"))
    expect(connector.locator("header .badge")).to_have_text("Running")
    cluster.invoke("zato.channel-zmq.delete", {"name": "lonely"})
