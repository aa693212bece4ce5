"""Objects of kinds, from the list to the form and back, in a browser."""

from playwright.sync_api import expect


def test_a_security_definition_and_a_channel_with_it_are_made_and_go_live(ann, cluster):
    page = ann.open("/objects/security-basic-auth/new")
    page.fill("#f-name", "crm")
    page.fill("#f-username", "crm-user")
    page.fill("#f-password", "crm-secret")
    page.click("text=Create")
    expect(page.locator(".notice.done")).to_contain_text("crm is created")

    ann.open("/objects/channel-http/")
    page.keyboard.press("n")
    page.fill("#f-name", "orders")
    page.fill("#f-url_path", "/orders")
    page.fill("#f-service", "zato.pi")
    expect(page.locator("#f-service-list option[value='zato.ping']")).to_be_attached()
    page.fill("#f-service", "zato.ping")
    page.fill("#f-security", "crm")
    page.keyboard.press("Control+s")
    expect(page.locator(".notice.done")).to_contain_text("orders is created")
    assert ann.serious_findings() == []

    ann.open("/objects/channel-http/?q=orders")
    row = page.locator("tbody tr", has=page.get_by_role("link", name="orders", exact=True))
    expect(row.get_by_text("Live", exact=True)).to_be_visible(timeout=15_000)
    stored = cluster.invoke("zato.channel-http.get", {"name": "orders"})
    assert (stored["url_path"], stored["service"], stored["security"]) == ("/orders", "zato.ping", "crm")


def test_what_the_server_refuses_is_said_at_its_field_in_the_servers_words(ann):
    ann.expected = ["422"]
    page = ann.open("/objects/channel-http/new")
    page.fill("#f-name", "broken")
    page.fill("#f-url_path", "/broken")
    page.fill("#f-service", "zato.ping")
    page.fill("#f-security", "nobody")
    page.click("text=Create")
    expect(page.locator("#f-security-problem")).to_contain_text("and none is called 'nobody'")
    expect(page.locator("#f-security")).to_be_focused()
    assert page.input_value("#f-url_path") == "/broken"
    assert ann.serious_findings() == []


def test_a_list_is_filtered_by_its_columns_and_each_filter_is_a_chip_that_can_be_removed(ann, cluster):
    cluster.invoke("zato.security-api-key.create", {"name": "f-key", "key": "k"})
    for name, security, is_active in (("f-one", "f-key", True), ("f-two", "f-key", False), ("f-three", "", True)):
        channel = {"name": name, "url_path": f"/{name}", "service": "zato.ping", "security": security}
        cluster.invoke("zato.channel-http.create", {**channel, "is_active": is_active})
    page = ann.open("/objects/channel-http/?q=f-")
    names = page.locator("tbody th")
    expect(names).to_have_text(["f-one", "f-three", "f-two"])
    page.keyboard.press("f")
    page.fill("#f-security", "F-KEY")
    page.select_option("#f-is_active", "true")
    assert ann.serious_findings() == []
    page.get_by_role("button", name="Show").click()
    expect(names).to_have_text(["f-one"])
    chips = page.locator(".chip")
    expect(chips).to_have_text(["In use yes", "Security F-KEY"])
    assert page.url.endswith("/objects/channel-http/?q=f-&f-is_active=true&f-security=F-KEY")

    # The list stays what it is while one types, and sorts.
    page.fill("[name=q]", "f-t")
    expect(page.locator(".empty")).to_contain_text("Nothing fits")
    page.fill("[name=q]", "f-o")
    expect(names).to_have_text(["f-one"])
    assert "f-security=F-KEY" in page.url
    page.get_by_role("link", name="Name").click()
    expect(chips).to_have_count(2)
    chips.first.click()
    expect(chips).to_have_text(["Security F-KEY"])
    ann.open("/objects/channel-http/?q=f-&f-security=(none)&f-name=&_method=x")
    expect(names).to_have_text(["f-three"])
    expect(chips).to_have_text(["Security none"])
    assert ann.serious_findings() == []


def test_an_object_is_pinged_copied_changed_looked_back_at_and_deleted_once_nothing_uses_it(ann, cluster):
    cluster.invoke("zato.security-api-key.create", {"name": "partner", "key": "the-first-key"})
    server = cluster.part("server1")["http_address"]
    given = {"name": "partner", "host": f"http://{server}", "url_path": "/zato/ping", "security": "partner"}
    cluster.invoke("zato.outgoing-http.create", given)

    page = ann.open("/objects/find?kind=outgoing-http&name=partner")
    page.get_by_role("button", name="Ping").click()
    expect(page.locator("#pinged")).to_contain_text("Answered after")
    page.get_by_role("link", name="Copy").click()
    assert page.input_value("#f-name") == "partner-copy"
    assert page.input_value("#f-security") == "partner", "what it refers to is copied too"
    page.click("text=Create")
    expect(page.locator(".notice.done")).to_contain_text("partner-copy is created")

    # Leaving what is not saved is asked about, and staying keeps it.
    page.fill("#f-url_path", "/zato/elsewhere")
    expect(page.locator(".unsaved")).to_be_visible()
    asked: list[str] = []
    page.once("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.evaluate("() => { location.href = '/' }")
    page.wait_for_function("() => document.querySelector('#f-url_path').value === '/zato/elsewhere'")
    assert asked == ["beforeunload"]
    page.keyboard.press("Control+s")
    expect(page.locator(".notice.done")).to_contain_text("partner-copy is saved")

    page.get_by_role("button", name="Switch off").click()
    expect(page.locator(".notice.done")).to_contain_text("partner-copy is switched off")
    page.get_by_role("link", name="History").click()
    cards = page.locator("section.card")
    expect(cards).to_have_count(3)
    expect(cards.nth(1)).to_contain_text("/zato/ping")
    expect(cards.nth(1)).to_contain_text("/zato/elsewhere")
    expect(cards.nth(1)).to_contain_text("the-admin")
    assert ann.serious_findings() == []

    page.get_by_role("link", name="Options").click()
    with page.expect_download() as exported:
        page.get_by_role("link", name="YAML").click()
    text = exported.value.path().read_text()
    assert "name: partner-copy" in text and "/zato/elsewhere" in text

    # Used by two: it stays until nobody refers to it.
    ann.open("/objects/find?kind=security-api-key&name=partner")
    page.get_by_role("link", name="Change secret").click()
    for number in (1, 2):
        page.fill(f"#password{number}", "the-second-key")
    page.get_by_role("button", name="Change").click()
    expect(page.locator(".notice.done")).to_contain_text("The secret of partner is changed")
    assert "the-second-key" not in page.content()
    page.get_by_role("link", name="Delete").click()
    users = page.get_by_role("region", name="Used by").get_by_role("link")
    expect(users).to_have_text(["partner", "partner-copy"])
    expect(page.get_by_role("button", name="Delete")).to_be_disabled()
    for name in ("partner", "partner-copy"):
        ann.open(f"/objects/find?kind=outgoing-http&name={name}")
        page.get_by_role("link", name="Delete").click()
        page.get_by_role("button", name="Delete").click()
        expect(page.locator(".notice.done")).to_contain_text(f"{name} is deleted")
    ann.open("/objects/find?kind=security-api-key&name=partner")
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.locator(".notice.done")).to_contain_text("partner is deleted")


def test_an_object_is_made_found_changed_and_deleted_by_keys_alone(ann):
    page, press = ann.open("/objects/message-namespace/"), ann.page.keyboard.press
    press("n")
    expect(page.locator("#f-name")).to_be_focused()
    page.keyboard.type("by-keys")
    go_to(page, "#f-value")
    page.keyboard.type("urn:keys:1")
    press("Control+s")
    expect(page.locator(".notice.done")).to_contain_text("by-keys is created")
    go_to(page, "#f-value")
    page.keyboard.type("urn:keys:2")
    expect(page.locator(".unsaved")).to_be_visible()
    press("Control+s")
    expect(page.locator(".notice.done")).to_contain_text("by-keys is saved")

    ann.open("/objects/message-namespace/")
    press("/")
    page.keyboard.type("urn:keys:2")
    expect(page.locator("tbody tr")).to_have_count(1)
    go_to(page, "tbody a.name")
    press("Enter")
    expect(page.locator("h1")).to_have_text("by-keys")
    go_to(page, "a.danger")
    press("Enter")
    go_to(page, "button.danger")
    press("Enter")
    expect(page.locator(".notice.done")).to_contain_text("by-keys is deleted")
    press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()


def go_to(page, selector: str) -> None:
    """As somebody without a mouse does, who sees where they are."""
    wanted = page.locator(selector)
    for _ in range(100):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            assert wanted.evaluate("element => element.matches(':focus-visible')")
            return
    raise AssertionError(f"Tab does not lead to {selector}")


def test_what_somebody_else_saved_meanwhile_is_not_written_over(ann, cluster):
    ann.expected = ["409"]
    cluster.invoke("zato.message-namespace.create", {"name": "shared", "value": "urn:one"})
    page = ann.open("/objects/find?kind=message-namespace&name=shared")
    cluster.invoke("zato.message-namespace.edit", {"name": "shared", "value": "urn:theirs"})
    page.fill("#f-value", "urn:ours")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".notice.problem")).to_contain_text("Somebody else changed this object while you did")
    assert page.input_value("#f-value") == "urn:ours", "what was typed is still there"
    assert cluster.invoke("zato.message-namespace.get", {"name": "shared"})["value"] == "urn:theirs"
    assert ann.serious_findings() == []
