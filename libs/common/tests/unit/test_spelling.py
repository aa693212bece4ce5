"""Names that somebody wrote and there are none of."""

import pytest

from zato.common.spelling import did_you_mean, or_list

KNOWN = ("orders", "invoices", "")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("order", ", did you mean 'orders'?"),
        ("invoyces", ", did you mean 'invoices'?"),
        ("zzz", "; see the list"),
        ("", "; see the list"),
    ],
)
def test_the_name_that_is_most_like_it_is_told(name: str, said: str) -> None:
    assert did_you_mean(name, KNOWN, "; see the list") == said


def test_what_is_not_like_enough_is_not_told() -> None:
    assert did_you_mean("order", KNOWN, likeness=0.95) == ""


def test_where_nothing_is_like_it_all_are_told() -> None:
    assert or_list("zzz", KNOWN[:2]) == "; there are: invoices, orders"
