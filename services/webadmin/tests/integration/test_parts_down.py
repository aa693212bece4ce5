"""With a part of the cluster away each page still opens, and says what is missing."""

import pytest
from playwright.sync_api import expect

from zato.common.testing.processes import free_port

from .matrix import LOOKS, things_in

# Pages that have nothing to show without a part: these say so, all others open.
NOTHING_WITHOUT = {
    "server2": set(),
    "connector-zmq": set(),
    "scheduler": {"scheduler.next_fires"},
    "ca": {"certificates.page"},
    "lb-agent": {name for name in LOOKS if name.startswith("load_balancer.")},
    "redis": {
        "home.traffic",
        "queues.show",
        "services.recordings",
        "services.recording",
        "services.outcome",
        "dictionary.entries",
        "dictionary.translations",
        "dictionary.export",
    },
}


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
    without("server2")
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


@pytest.mark.timeout(300)
@pytest.mark.parametrize("part", NOTHING_WITHOUT)
def test_without_a_part_every_page_opens_or_says_that_it_has_nothing_to_show(ann, context, cluster, without, part):
    things = things_in(cluster)
    ann.open("/")
    without(part)
    statuses = {}
    for name, look in LOOKS.items():
        answer = context.request.get(f"{ann.url}{look.path.format(**things)}")
        statuses[name] = answer.status
        if answer.status == 503:
            assert "Something is missing" in answer.text(), name
    assert statuses == {name: 503 if name in NOTHING_WITHOUT[part] else 200 for name in LOOKS}


def test_without_a_server_its_page_says_so_and_how_it_is_brought_back(ann, cluster, without):
    page = ann.open("/cluster/")
    server = page.locator("#servers section", has_text="server2")
    expect(server).to_contain_text("Takes traffic")
    without("server2")
    # It signs off when it is stopped: nothing waits for it, and the load-balancer has forgotten it.
    expect(page.locator("#servers section", has_text="server2")).to_have_count(0)
    expect(page.locator("#servers section", has_text="server1")).to_contain_text("Takes traffic")


@pytest.mark.parametrize(
    ("part", "path", "where", "says"),
    [
        ("scheduler", "/scheduler/", "#now .notice.note", "What comes next is not known"),
        ("lb-agent", "/cluster/", "#servers .notice.note", "The load-balancer's agent does not answer"),
        ("lb-agent", "/load-balancer/", "main h1", "Something is missing"),
        ("ca", "/certificates/", "main h1", "Something is missing"),
        ("redis", "/", "#missing", "Redis"),
        ("redis", "/queues/", "section[aria-labelledby=queues] .notice.problem", "Queues are not known now"),
    ],
)
def test_what_is_missing_is_said_where_it_would_stand(ann, without, part, path, where, says):
    ann.expected = ["503"]
    without(part)
    page = ann.open(path)
    expect(page.locator(where)).to_contain_text(says)
    assert ann.serious_findings() == []


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
