"""Who gets in, and how."""

from playwright.sync_api import expect


def test_whoever_signs_in_is_led_to_where_they_wanted_to_go(page):
    page.open("/objects/channel-http/?q=orders")
    assert page.page.url.endswith("/sign-in?next=/objects/channel-http/?q%3Dorders")
    page.page.fill("#name", "the-viewer")
    page.page.fill("#password", "correct horse battery staple")
    page.page.click("button[type=submit]")
    expect(page.page.locator("h1")).to_have_text("HTTP channels")
    assert page.page.url.endswith("/objects/channel-http/?q=orders")


def test_a_wrong_password_and_a_wrong_name_are_told_the_same(page):
    page.expected = ["401"]
    said = []
    for name in ("the-viewer", "nobody"):
        page.open("/sign-in")
        page.page.fill("#name", name)
        page.page.fill("#password", "wrong")
        page.page.click("button[type=submit]")
        said.append(page.page.locator(".notice.problem").inner_text())
    assert said[0] == said[1] != ""
