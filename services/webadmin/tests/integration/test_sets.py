"""Configuration in files, and the audit log, in a browser."""

import yaml
from playwright.sync_api import expect

FILE = """
security-api-key:
  - name: files-key
    key: a-secret-that-no-page-shows
outgoing-http:
  - name: files-crm
    host: http://127.0.0.1:1
    security: files-key
"""


def test_a_file_is_planned_applied_and_exported(ann, cluster):
    page = ann.open("/files/")
    page.fill("#text", FILE)
    page.get_by_role("button", name="Show what would change").click()
    plan = page.locator("#plan")
    expect(plan).to_contain_text("2 to create")
    expect(plan).to_contain_text("outgoing-http files-crm")
    assert "a-secret-that-no-page-shows" not in plan.inner_text()
    assert ann.serious_findings() == []
    page.get_by_role("button", name="Do it").click()
    expect(plan).to_contain_text("Done: 2 created, 0 changed, 0 deleted")
    assert cluster.invoke("zato.outgoing-http.get", {"name": "files-crm"})["security"] == "files-key"

    page.fill("#text", FILE.replace("127.0.0.1:1", "127.0.0.1:2"))
    page.get_by_role("button", name="Show what would change").click()
    expect(plan).to_contain_text("1 to change")
    expect(plan).to_contain_text("http://127.0.0.1:1 → http://127.0.0.1:2")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export everything").click()
    exported = download.value.path().read_text()
    assert "name: files-crm" in exported
    assert "a-secret-that-no-page-shows" not in exported


def test_a_file_of_one_kind_has_what_somebody_made_and_nothing_of_the_platform(ann, cluster):
    channel = {"name": "of-one-kind", "url_path": "/of-one-kind", "service": "zato.ping"}
    cluster.invoke("zato.channel-http.create", channel)
    page = ann.open("/objects/channel-http/")
    expect(page.get_by_role("link", name="zato.ping", exact=True).first).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Export as YAML").click()
    (objects,) = yaml.safe_load(download.value.path().read_text()).values()
    assert channel in objects
    assert [each for each in objects if each["name"].startswith("zato.")] == []
    assert (
        cluster.invoke("zato.enmasse.plan", {"objects": [{"kind": "channel-http", **each} for each in objects]})["changes"]
        == []
    )


def test_a_file_that_was_chosen_is_planned_as_one_that_was_pasted(ann, tmp_path):
    file = tmp_path / "objects.json"
    file.write_text('{"message-namespace": [{"name": "uploaded", "value": "urn:uploaded"}]}')
    page = ann.open("/files/")
    page.set_input_files("#file", file)
    page.get_by_role("button", name="Show what would change").click()
    expect(page.locator("#plan")).to_contain_text("message-namespace uploaded")


def test_what_is_wrong_with_a_file_is_said_and_nothing_is_done(ann):
    page = ann.open("/files/")
    page.fill("#text", FILE.replace("host:", "hots:"))
    page.get_by_role("button", name="Show what would change").click()
    expect(page.locator("#plan .notice.problem")).to_contain_text("did you mean 'host'")
    expect(page.get_by_role("button", name="Do it")).to_have_count(0)


def test_what_was_done_is_found_in_the_audit_log_and_its_chain_holds(ann, cluster):
    cluster.invoke("zato.message-namespace.create", {"name": "audited", "value": "urn:one"})
    cluster.invoke("zato.message-namespace.edit", {"name": "audited", "value": "urn:two"})
    page = ann.open("/audit/")
    page.fill("#name", "audited")
    expect(page.locator("#table tbody tr")).to_have_count(2)
    page.click("#table tbody a >> nth=0")
    expect(page.locator(".diff .removed")).to_contain_text("urn:one")
    expect(page.locator(".diff .added")).to_contain_text("urn:two")
    assert ann.serious_findings() == []
    ann.open("/audit/")
    page.get_by_role("button", name="Verify the chain").click()
    expect(page.locator("#verified .notice.done")).to_contain_text("entries are as they were written")
