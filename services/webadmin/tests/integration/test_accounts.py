"""Accounts, second factors and tokens, in a browser."""

import base64
import time

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
