"""What lists are narrowed to, from the address of the page."""

from werkzeug.datastructures import MultiDict

from zato.common.kinds import Kind as DeclaredKind
from zato.common.options import option, options
from zato.webadmin.filters import NOTHING, asked_of, filters_of, in_address
from zato.webadmin.kinds import Kind


@options
class LampOptions:
    """A lamp."""

    address: str = option("Where")
    colour: str = option("Its colour", default="", choices=("", "red", "green"))
    owner: str = option("Whose", default="", reference=("person",))
    is_bright: bool = option("Whether it is bright", default=False)
    note: str = option("Anything", default="")
    password: str = option("For switching", default="", secret=True)


LAMP = Kind(DeclaredKind("lamp", "Lamp", LampOptions).describe(), frozenset())


def test_what_has_few_values_or_is_a_column_can_be_filtered_by_and_nothing_else() -> None:
    found = filters_of(LAMP, MultiDict())
    assert [each.name for each in found] == ["is_active", "address", "owner", "colour", "is_bright"]
    by_name = {each.name: each for each in found}
    assert dict(by_name["colour"].choices) == {NOTHING: "none", "red": "red", "green": "green"}
    assert dict(by_name["is_bright"].choices) == {"true": "yes", "false": "no"}
    assert by_name["owner"].references == ("person",)


def test_what_the_address_says_is_asked_for_and_stays_in_the_address() -> None:
    given = MultiDict({"f-is_active": "true", "f-colour": NOTHING, "f-owner": "", "f-address": " hall* ", "f-password": "x"})
    found = filters_of(LAMP, given)
    assert asked_of(found) == {"is_active": "true", "colour": "", "address": "hall*"}
    assert in_address(found, but="colour") == {"f-is_active": "true", "f-address": "hall*"}
    assert {each.name: each.shown for each in found if each.value} == {"is_active": "yes", "colour": "none", "address": "hall*"}
