"""Forms, as the declarations of kinds make them."""

from werkzeug.datastructures import MultiDict

from zato.common.errors import InvalidOptions
from zato.common.kinds import Kind as DeclaredKind
from zato.common.kinds import OptionRule
from zato.common.options import option, options
from zato.webadmin.forms import changed, form_of, label_of, problems_of, values_of
from zato.webadmin.kinds import Kind


@options
class BoilerOptions:
    """A boiler."""

    address: str = option("Where it is")
    fuel: str = option("What it burns", default="gas", choices=("gas", "wood"))
    log_size_cm: int = option("Length of logs", default=0, minimum=0)
    password: str = option("Its password", default="", secret=True)
    certificate: str = option("PEM of its certificate", default="")
    owner: str = option("Whose it is", default="", reference=("security-basic-auth", "security-api-key"))
    alarms: tuple[str, ...] = option("Who is called", default=())
    limit: int | None = option("Degrees at most", default=None)
    is_lit: bool = option("Whether it burns", default=True)


KIND = Kind(
    DeclaredKind(
        "boiler-small", "Small boiler", BoilerOptions, rules=(OptionRule("fuel", "wood", all_of=("log_size_cm",)),)
    ).describe(),
    frozenset({"create", "ping"}),
)


def fields_of(values: dict[str, object], *, is_new: bool = True):
    form = form_of(KIND, values, is_new=is_new)
    return {field.name: field for field in (*form.front, *form.more)}


def test_each_option_has_the_control_that_its_type_asks_for() -> None:
    assert {name: field.widget for name, field in fields_of({}).items()} == {
        "address": "text",
        "fuel": "choice",
        "log_size_cm": "number",
        "password": "secret",
        "certificate": "long",
        "owner": "pick",
        "alarms": "lines",
        "limit": "number",
        "is_lit": "switch",
    }


def test_a_secret_is_never_shown_and_stays_when_nothing_is_typed() -> None:
    assert fields_of({"password": "hunter2"}, is_new=False)["password"].value == ""
    assert "password" not in values_of(KIND, MultiDict({"o-password": ""}))
    assert values_of(KIND, MultiDict({"o-password": "new"}))["password"] == "new"


def test_what_is_typed_comes_out_as_the_api_takes_it() -> None:
    typed = MultiDict(
        {
            "o-address": "cellar",
            "o-fuel": "wood",
            "o-log_size_cm": "25",
            "o-certificate": "one\r\ntwo",
            "o-owner": "ann",
            "o-alarms": " bob \r\n\r\ncarl",
            "o-limit": "",
        }
    )
    assert values_of(KIND, typed) == {
        "address": "cellar",
        "fuel": "wood",
        "log_size_cm": 25,
        "certificate": "one\ntwo",
        "owner": "ann",
        "alarms": ["bob", "carl"],
        "limit": None,
        "is_lit": False,
    }


def test_a_number_that_is_none_is_left_for_the_server_to_judge() -> None:
    assert values_of(KIND, MultiDict({"o-log_size_cm": "long"}))["log_size_cm"] == "long"
    assert values_of(KIND, MultiDict({"o-log_size_cm": "2.5"}))["log_size_cm"] == "2.5"


def test_a_field_that_another_one_asks_for_is_shown_with_it_only() -> None:
    assert fields_of({})["log_size_cm"].shown_when == ("fuel", "wood")
    assert fields_of({})["address"].shown_when is None


def test_a_problem_stands_at_its_field() -> None:
    form = form_of(KIND, {}, is_new=True, problems={"address": "is required"})
    assert [field.problem for field in form.front if field.name == "address"] == ["is required"]


def test_an_edit_sends_what_differs_and_nothing_else() -> None:
    assert changed({"a": 1, "b": [2], "password": "new"}, {"a": 1, "b": [3]}) == {"b": [2], "password": "new"}


def test_names_of_options_are_read_as_words() -> None:
    assert [label_of(name) for name in ("url_path", "connect_timeout_s", "is_active", "max_body_bytes", "tls_verify")] == [
        "URL path",
        "Connect timeout (seconds)",
        "Active",
        "Max body (bytes)",
        "TLS verify",
    ]


def test_what_is_wrong_is_found_in_what_the_error_has_or_in_its_sentence() -> None:
    names = ("address", "fuel")
    assert problems_of(InvalidOptions("two things", address="is required", other="x"), names) == {"address": "is required"}
    sentence = "boiler 'a': 'fuel' takes what burns, not 'water'"
    assert problems_of(InvalidOptions(sentence), names) == {"fuel": "takes what burns, not 'water'"}
    assert problems_of(InvalidOptions("boiler 'a' is on fire"), names) == {}
