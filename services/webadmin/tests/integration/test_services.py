"""Services: written, deployed, invoked and looked at in a browser."""

import json
import urllib.request

from playwright.sync_api import expect

from zato.common.testing.waiting import eventually

SOURCE = """
from zato.server.service import Service
class Greet(Service):
    name = "greet"
    input = "name", "-title"
    def handle(self):
        if self.request.input.name == "nobody":
            raise ValueError("there is nobody")
        self.response.payload = {"hello": self.request.input.name, "version": %d}
"""


def deploy(watched, source):
    page = watched.open("/services/new")
    page.fill("#file_name", "greet.py")
    page.fill("#source", source)
    page.get_by_role("button", name="Deploy").click()
    # Loading it takes a moment, in each worker.
    expect(page.locator(".notice")).to_be_visible(timeout=30_000)
    return page


def test_a_service_is_deployed_called_through_the_load_balancer_and_seen(ann, cluster):
    page = deploy(ann, SOURCE % 1)
    expect(page.locator(".notice.done")).to_contain_text("greet.py is live in version 1")

    page = ann.open("/services/greet/settings")
    page.fill("#f-sample_every", "1")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".notice.done")).to_contain_text("greet is changed")
    cluster.zato("object", "create", "channel-http", "greet", "url_path=/greet", "service=greet")
    cluster.zato("wait", "--timeout", "20")
    request = urllib.request.Request(f"{cluster.load_balancer}/greet", json.dumps({"name": "Ann"}).encode())
    with urllib.request.urlopen(request, timeout=10) as response:
        assert json.loads(response.read())["hello"] == "Ann"

    page = ann.open("/services/greet")
    expect(page.get_by_role("link", name="greet", exact=True).last).to_be_visible()
    expect(page.locator(".tile").first).to_contain_text("Runs in the last hour")
    assert ann.serious_findings() == []
    # Workers tell what they keep every two seconds.
    eventually(lambda: ann.open("/services/greet/kept/samples").locator("tbody tr").count(), timeout_s=15)
    page.click("tbody a.name >> nth=0")
    expect(page.locator("pre").first).to_contain_text('"name": "Ann"')


def test_a_file_that_does_not_load_says_why_and_what_runs_goes_on(ann):
    ann.expected = ["422"]
    deploy(ann, SOURCE % 1)
    page = deploy(ann, SOURCE.replace("(self)", "(self") % 2)
    expect(page.locator(".notice.problem")).to_contain_text("was never closed")
    expect(page.locator(".notice.problem")).to_contain_text("goes on serving")
    assert "class Greet" in page.input_value("#source")


def test_the_invoker_has_a_field_for_each_input_and_shows_what_comes_back(ann):
    deploy(ann, SOURCE % 1)
    page = ann.open("/services/greet/invoke")
    page.fill("#f-name", "Bob")
    page.click("form.card >> text=Invoke")
    expect(page.locator("#answer")).to_contain_text('"hello": "Bob"')
    assert ann.serious_findings() == []

    page.fill("#f-name", "nobody")
    page.click("form.card >> text=Invoke")
    expect(page.locator("#answer .badge.problem")).to_have_text("500")

    page.click("text=Raw input")
    page.fill("#payload", '{"name": "Carl"}')
    page.click("details >> text=Invoke")
    expect(page.locator("#answer")).to_contain_text('"hello": "Carl"')


def test_a_service_is_invoked_asynchronously_and_what_becomes_of_it_comes_by_itself(ann):
    deploy(ann, SOURCE % 1)
    page = ann.open("/services/greet/invoke")
    page.fill("#f-name", "Dora")
    page.get_by_role("button", name="Asynchronously").first.click()
    expect(page.locator("#outcome .badge")).to_have_text("Done", timeout=20_000)
    expect(page.locator("#outcome")).to_contain_text('"hello": "Dora"')
    assert ann.serious_findings() == []
    page.click("#outcome a:has(code)")
    expect(page.locator("#outcome")).to_contain_text('"hello": "Dora"')
    assert ann.serious_findings() == []

    ann.open("/services/greet/invoke")
    page.fill("#f-name", "nobody")
    page.get_by_role("button", name="Asynchronously").first.click()
    expect(page.locator("#outcome .badge")).to_have_text("Failed", timeout=20_000)
    expect(page.locator("#outcome")).to_contain_text("there is nobody")


def test_a_file_that_was_chosen_is_deployed_at_once(ann, tmp_path):
    file = tmp_path / "chosen.py"
    file.write_text(SOURCE.replace("greet", "chosen") % 1)
    page = ann.open("/services/")
    page.set_input_files("#files", file)
    expect(page.locator("#deployed")).to_contain_text("chosen.py is live in version 1")


def test_a_deployment_is_compared_with_the_one_before_and_rolled_back(ann, cluster):
    for version in (1, 2):
        deploy(ann, SOURCE.replace("greet", "rolled") % version)
    page = ann.open("/services/files/greet.py")
    page.click("tbody a >> nth=0")
    expect(page.locator(".diff-lines .added")).to_contain_text('"version": 2')
    expect(page.locator(".diff-lines .removed")).to_contain_text('"version": 1')
    tops = page.eval_on_selector_all(".diff-lines > span", "lines => lines.map(line => line.getBoundingClientRect().top)")
    assert tops == sorted(set(tops)), "each line stands below the one before"
    assert ann.serious_findings() == []
    ann.open("/services/files/greet.py")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Roll back").first.click()
    expect(page.locator(".notice.done")).to_contain_text("is live in version", timeout=30_000)
    assert cluster.invoke("rolled", {"name": "Ann"})["version"] == 1
