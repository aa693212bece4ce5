"""What holds for every page: all of them are found by following links from the first one."""

import re

import pytest

# What leads to a file, or out of the session.
_NOT_PAGES = re.compile(r"/export$|/sign-out$|^#")
_MOST_PAGES = 150


def links_on(page) -> list[str]:
    found = page.eval_on_selector_all("a[href]", "links => links.map(link => link.getAttribute('href'))")
    return [link.partition("#")[0] for link in found if link.startswith("/") and not _NOT_PAGES.search(link)]


def shape_of(link: str) -> str:
    """Pages of two objects of one kind, or of one list in two orders, are the same page."""
    return re.sub(r"/\d+", "/N", link.partition("?")[0])


@pytest.mark.timeout(240)
def test_every_page_opens_without_a_message_and_everybody_can_use_it(ann):
    waiting, seen, findings = ["/"], set(), {}
    while waiting and len(seen) < _MOST_PAGES:
        link = waiting.pop()
        if shape_of(link) in seen:
            continue
        seen.add(shape_of(link))
        ann.page.emulate_media(color_scheme="dark" if len(seen) % 2 else "light")
        response = ann.page.goto(f"{ann.url}{link}")
        assert response.status == 200, f"{link} answers {response.status}"
        if found := ann.serious_findings():
            findings[link] = found
        waiting += links_on(ann.page)
    assert findings == {}
    assert len(seen) > 50


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
