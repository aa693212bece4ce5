"""Every page with as much as a large company has. The last of all tests: what is made here would be in the way of others."""

import re

import pytest


@pytest.mark.timeout(300)
def test_everybody_can_use_every_page_with_1000_objects_and_100000_audit_rows(ann, cluster):
    cluster.fill(1_000, 100_000)
    findings, looked_at = {}, set()

    def look() -> None:
        # Pages of kinds are made by the same templates.
        page = re.sub(r"/objects/[^/]+/", "/objects/", ann.shape_of(ann.page.url))
        if page not in looked_at and (found := ann.serious_findings()):
            findings[ann.page.url] = found
        looked_at.add(page)

    assert len(ann.visit_all(look)) > 50
    assert findings == {}
    page = ann.open("/objects/channel-http/?q=many-0777")
    assert page.locator("tbody tr").count() == 1
    page = ann.open("/audit/")
    assert "or more" in page.inner_text(".card-foot")
