"""Every page with as much as a large company has. The last of all tests: what is made here would be in the way of others."""

import pytest


@pytest.mark.timeout(300)
def test_everybody_can_use_every_page_with_1000_objects_and_100000_audit_rows(ann, cluster):
    cluster.fill(1_000, 100_000)
    pages, findings = ann.findings_of_all()
    assert len(pages) > 50
    assert findings == {}
    page = ann.open("/objects/channel-http/?q=many-0777")
    assert page.locator("tbody tr").count() == 1
    page = ann.open("/audit/")
    assert "or more" in page.inner_text(".card-foot")
