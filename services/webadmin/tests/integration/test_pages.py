"""What holds for every page: all of them are found by following links from the first one."""

import pytest
from playwright.sync_api import expect

from .matrix import LOOKS, things_in


@pytest.mark.timeout(300)
def test_everybody_can_use_every_page_with_hardly_anything_there(ann):
    pages, findings = ann.findings_of_all()
    assert len(pages) > 50
    assert findings == {}


@pytest.mark.timeout(300)
def test_no_page_is_wider_than_a_telephone(ann, cluster):
    things, wide = things_in(cluster), []
    ann.page.set_viewport_size({"width": 390, "height": 844})
    for name, look in LOOKS.items():
        if not look.is_whole:
            continue
        page = ann.open(look.path.format(**things))
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            wide.append(name)
    assert wide == []


def test_a_page_that_is_not_there_says_so_and_leads_on(ann):
    ann.expected = ["404"]
    page = ann.open("/objects/nothing/")
    assert "There is no kind of object" in page.inner_text("main")
    assert page.is_visible("text=To the overview")
    assert ann.serious_findings() == []


def test_whoever_may_not_see_a_page_is_told_which_role_it_takes_and_leads_on(signed_in, context, page):
    page.expected = ["403"]
    context.add_cookies(signed_in["viewer"]["cookies"])
    opened = page.open("/accounts/new")
    expect(opened.locator("main")).to_contain_text("This takes the role 'admin'; yours is 'viewer'")
    expect(opened.locator("main")).to_contain_text("Somebody with the role admin can give you another one")
    assert page.serious_findings() == []
    opened.get_by_role("link", name="To the overview").click()
    expect(opened.locator("#pulse")).to_have_text("Live")
