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


def visit_all(watched, look=lambda: None) -> set[str]:
    """Follow all links from the first page, and look at each page once; half of them in the dark."""
    waiting, seen = ["/"], set()
    while waiting and len(seen) < _MOST_PAGES:
        link = waiting.pop()
        if shape_of(link) in seen:
            continue
        seen.add(shape_of(link))
        watched.page.emulate_media(color_scheme="dark" if len(seen) % 2 else "light")
        response = watched.page.goto(f"{watched.url}{link}", wait_until="domcontentloaded")
        assert response.status == 200, f"{link} answers {response.status}"
        look()
        waiting += links_on(watched.page)
    return seen


@pytest.mark.timeout(300)
def test_every_page_opens_with_hardly_anything_there(ann):
    assert len(visit_all(ann)) > 50


@pytest.mark.timeout(300)
def test_everybody_can_use_every_page_with_1000_objects_and_100000_audit_rows(ann, cluster):
    cluster.fill(1_000, 100_000)
    findings, looked_at = {}, set()

    def look() -> None:
        # Pages of kinds are made by the same templates.
        page = re.sub(r"/objects/[^/]+/", "/objects/", shape_of(ann.page.url))
        if page not in looked_at and (found := ann.serious_findings()):
            findings[ann.page.url] = found
        looked_at.add(page)

    assert len(visit_all(ann, look)) > 50
    assert findings == {}
    page = ann.open("/objects/channel-http/?q=many-0777")
    assert page.locator("tbody tr").count() == 1
    page = ann.open("/audit/")
    assert "or more" in page.inner_text(".card-foot")


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
