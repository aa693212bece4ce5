"""Members on disk."""

import pytest

from zato.common.errors import BadRequest
from zato.lb_agent import saved_members
from zato.lb_agent.members import Member


def test_saved_members_come_back() -> None:
    members = (Member("a", "one:80", "10.0.0.1:80", 5, is_drained=True), Member("b", "two:80", "[::1]:80", given_weight=7))
    assert saved_members.from_text(saved_members.to_text(members)) == members


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", '[{"name": "a"}]', '[{"name": "a b", "address": "", "endpoint": "", "weight": 1}]']
)
def test_damaged_saved_members_are_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        saved_members.from_text(text)
