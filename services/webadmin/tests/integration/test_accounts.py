"""Accounts, second factors and tokens, in a browser."""

import base64
import time
from datetime import datetime
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from playwright.sync_api import expect


def code_of(key: str, moment: float) -> str:
    return TOTP(base64.b32decode(key), 6, SHA1(), 30, enforce_key_length=False).generate(int(moment)).decode()


def test_an_account_is_made_changes_its_password_and_signs_in_with_a_code(ann, browser, cluster):
    page = ann.open("/accounts/new")
    page.fill("#name", "carl")
    page.check("input[value=deployer]")
    page.get_by_role("button", name="Create").click()
    password = page.locator("code.secret").inner_text()
    assert ann.serious_findings() == []

    context = browser.new_context()
    carl = context.new_page()
    carl.goto(f"{cluster.url}/sign-in")
    carl.fill("#name", "carl")
    carl.fill("#password", password)
    carl.click("button[type=submit]")
    # Nothing else is there before the password is theirs.
    carl.goto(f"{cluster.url}/services/")
    expect(carl.locator("h1")).to_have_text("Choose a password of your own")
    before = {cookie["value"] for cookie in context.cookies() if cookie["name"] == "zato"}
    new = "quite another one, twice"
    for field, text in (("#old", password), ("#new", new), ("#again", new)):
        carl.fill(field, text)
    carl.get_by_role("button", name="Change password").click()
    expect(carl.locator(".notice.done")).to_contain_text("Your password is changed")
    assert before.isdisjoint(cookie["value"] for cookie in context.cookies())

    carl.goto(f"{cluster.url}/account/security")
    carl.get_by_role("button", name="Set it up").click()
    key = carl.locator("code.secret").inner_text()
    now = time.time()
    carl.fill("#code", code_of(key, now))
    carl.get_by_role("button", name="Confirm").click()
    expect(carl.locator(".notice.done")).to_contain_text("you sign in with a code")

    carl.click("summary:has-text('carl')")
    carl.get_by_role("button", name="Sign out").click()
    carl.fill("#name", "carl")
    carl.fill("#password", new)
    carl.click("button[type=submit]")
    # Each code is good once: this is the one that comes next, which is taken already.
    carl.fill("#code", code_of(key, now + 30))
    carl.click("button[type=submit]")
    expect(carl.locator("summary:has-text('carl')")).to_be_visible()
    context.close()


def test_a_token_is_shown_once_and_ended(ann):
    page = ann.open("/account/security")
    page.fill("#name", "build server")
    page.select_option("#role", "viewer")
    page.get_by_role("button", name="Make a token").click()
    assert page.locator("code.secret").inner_text().startswith("zat_")
    page.get_by_role("link", name="Done").click()
    row = page.locator("tr", has_text="build server")
    expect(row).to_contain_text("viewer")
    row.get_by_role("button").click()
    expect(page.locator("tr", has_text="build server")).to_have_count(0)


def test_the_first_admin_has_a_password_that_was_made_and_is_good_for_changing_it_only(page, cluster):
    made = (cluster.folder / "admin_password").read_text().strip()
    page.open("/sign-in")
    page.page.fill("#name", "admin")
    page.page.fill("#password", made)
    page.page.click("button[type=submit]")
    expect(page.page.locator("h1")).to_have_text("Choose a password of your own")
    for path in ("/", "/services/", "/accounts/", "/account/settings"):
        expect(page.open(path).locator("h1")).to_have_text("Choose a password of your own")
    assert page.serious_findings() == []


def test_times_stand_in_the_zone_and_form_that_somebody_chose_and_pages_in_their_theme(signed_in, context, page, cluster):
    (entry,) = cluster.invoke("zato.audit-log.get-list", {"action": "create", "name": "the-developer"})["data"]
    context.add_cookies(signed_in["operator"]["cookies"])
    page.page.emulate_media(color_scheme="light")
    # The browser's zone, which it tells with its first page, until another one is chosen.
    page.open("/account/settings")
    opened = page.open(f"/audit/{entry['id']}")
    made_at = datetime.fromisoformat(entry["created_at"])
    in_berlin = made_at.astimezone(ZoneInfo("Europe/Berlin"))
    expect(opened.locator(".titles p")).to_contain_text(f"{in_berlin:%Y-%m-%d %H:%M:%S}")

    page.open("/account/settings")
    opened.fill("#zone", "Asia/Tokyo")
    opened.select_option("#time_format", "day_first")
    opened.get_by_label("Dark").check()
    opened.get_by_role("button", name="Save").click()
    expect(opened.locator(".notice.done")).to_contain_text("Your settings are kept")
    in_tokyo = made_at.astimezone(ZoneInfo("Asia/Tokyo"))
    page.open(f"/audit/{entry['id']}")
    expect(opened.locator(".titles p")).to_contain_text(f"{in_tokyo:%d.%m.%Y %H:%M:%S}")
    assert opened.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 18, 22)"
    page.open("/")
    expect(opened.locator("#traffic")).to_have_attribute("data-zone", "Asia/Tokyo")
