"""The overview: a first service, then what clients do, as they do it."""

import time
import urllib.request

from playwright.sync_api import expect


def test_a_new_cluster_leads_to_its_first_service_and_shows_who_calls_it(ann, cluster):
    page = ann.open("/")
    expect(page.locator("#pulse")).to_have_text("Live")
    page.click("text=Deploy it, with a channel at /hello")
    expect(page.locator(".notice.done")).to_contain_text("Your first service is live")
    expect(page.locator(".first-run")).to_have_count(0)
    with urllib.request.urlopen(f"{cluster.load_balancer}/hello?name=Ann", timeout=10) as answer:
        assert answer.read() == b'{"hello":"Ann"}'
    called_at = time.monotonic()
    expect(page.locator(".ranks section").nth(0).locator("tbody th", has_text="hello")).to_be_visible()
    expect(page.locator(".ranks section").nth(1).locator("tbody th", has_text="hello.world")).to_be_visible()
    print(f"on the dashboard {time.monotonic() - called_at:.2f} s after the answer")
    assert ann.serious_findings() == []


def test_longer_times_are_shown_too(ann):
    page = ann.open("/?span=hour")
    expect(page.locator("[aria-current=true]")).to_have_text("Hour")
    expect(page.locator(".uplot")).to_have_count(2)
    expect(page.locator(".tile")).to_have_count(5)
    assert page.locator("#pulse").count() == 0


def test_a_page_that_stays_open_keeps_nobody_signed_in(ann, cluster):
    page = ann.open("/")
    expect(page.locator("#pulse")).to_have_text("Live")
    other = ann.page.context.new_page()
    other.goto(f"{cluster.url}/account/settings")
    keys = cluster.sessions_seen_at()
    time.sleep(2.5)
    assert cluster.sessions_seen_at() == keys
