"""Certificates, the key/value database and data dictionaries."""

from playwright.sync_api import expect


def test_certificates_of_all_parts_are_shown(ann):
    page = ann.open("/certificates/")
    for name in ("server1", "lb-agent", "scheduler", "webadmin"):
        expect(page.locator("section", has_text="Of parts and people").locator("tbody th", has_text=name).first).to_be_visible()
    expect(page.locator("section", has_text="Authorities").locator("tbody tr")).to_have_count(2)
    assert ann.serious_findings() == []


def test_a_command_is_given_to_redis_and_what_is_not_allowed_is_refused(ann):
    ann.expected = ["400", "403"]
    page = ann.open("/kvdb/")
    page.fill("[name=command]", "SET greeting 'good morning'")
    page.keyboard.press("Enter")
    expect(page.locator("#answer pre")).to_be_visible()
    page.fill("[name=command]", "GET greeting")
    page.keyboard.press("Enter")
    expect(page.locator("#answer pre")).to_contain_text("good morning")
    page.fill("[name=command]", "FLUSHALL")
    page.keyboard.press("Enter")
    expect(page.locator("#answer .notice.problem")).to_be_visible()
    assert ann.serious_findings() == []


def test_a_dictionary_is_filled_tried_exported_and_imported(ann, tmp_path):
    page = ann.open("/dictionary/")
    expect(page.locator(".empty")).to_contain_text("Nothing here yet")
    for system, value in (("CRM", "DE"), ("ERP", "Germany")):
        for name, text in (("system", system), ("key", "country"), ("value", value)):
            page.fill(f"#d-{name}", text)
        page.keyboard.press("Enter")
        expect(page.locator(".notice.done")).to_contain_text("The entry is kept")
    ann.open("/dictionary/translations")
    values = {"system1": "CRM", "key1": "country", "value1": "DE", "system2": "ERP", "key2": "country", "value2": "Germany"}
    for name, text in values.items():
        page.fill(f"#d-{name}", text)
    page.keyboard.press("Enter")
    expect(page.locator(".notice.done")).to_contain_text("The translation is kept")
    assert ann.serious_findings() == []
    ann.open("/dictionary/translate")
    for name in ("system1", "key1", "value1", "system2", "key2"):
        page.fill(f"#t-{name}", values[name])
    page.keyboard.press("Enter")
    expect(page.locator(".notice.done")).to_contain_text("It is called Germany")

    ann.open("/dictionary/")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export", exact=True).click()
    file = tmp_path / "exported"
    download.value.save_as(file)
    page.get_by_role("button", name="Delete").first.click()
    expect(page.locator(".notice.done")).to_contain_text("It is deleted")
    page.click("summary:has-text('Import')")
    page.set_input_files("#file", file)
    page.click("text=Replace everything")
    expect(page.locator(".notice.done")).to_contain_text("There are 2 entries and 1 translations now")


def test_whoever_may_not_change_dictionaries_sees_them_and_no_forms(signed_in, context, page, cluster):
    page.expected = ["403"]
    context.add_cookies(signed_in["viewer"]["cookies"])
    opened = page.open("/dictionary/")
    assert opened.locator("#d-system").count() == 0
    csrf = opened.locator("input[name=csrf]").first.input_value()
    form = {"system": "a", "key": "b", "value": "c", "csrf": csrf}
    assert context.request.post(f"{cluster.url}/dictionary/dictionary", form=form).status == 403
    assert context.request.get(f"{cluster.url}/kvdb/").status == 403
