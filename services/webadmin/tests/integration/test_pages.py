"""What holds for every page: all of them are found by following links from the first one."""

import pytest


@pytest.mark.timeout(300)
def test_every_page_opens_with_hardly_anything_there(ann):
    assert len(ann.visit_all()) > 50


@pytest.mark.parametrize(
    "path", ["/", "/objects/channel-http/", "/objects/channel-http/new", "/services/", "/account/settings"]
)
def test_nothing_is_wider_than_a_telephone(ann, path):
    ann.page.set_viewport_size({"width": 390, "height": 844})
    page = ann.open(path)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_a_page_that_is_not_there_says_so_and_leads_on(ann):
    ann.expected = ["404"]
    page = ann.open("/objects/nothing/")
    assert "There is no kind of object" in page.inner_text("main")
    assert page.is_visible("text=To the overview")
    assert ann.serious_findings() == []
