"""What a service assigns to `self.response.payload`, and what is sent."""

from collections import namedtuple
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy import orm

from bunch import Bunch
from zato.server import service as s
from zato.server.services.simpleio.output import SerialisationError

# The wrapper


@pytest.mark.parametrize(
    "declared",
    [
        {"output_required": "a"},
        {"output_required": ("a",)},
        {"output_optional": "a"},
        {"output": "a"},
        {"output": ("a", "-b"), "skip_empty_keys": True},
    ],
    ids=repr,
)
def test_a_simpleio_class_wraps_its_output(get_output: Any, declared: Any) -> None:
    assert get_output({"a": 1, "zzz": 2}, **declared).json == {"response": {"a": 1}}
    assert get_output({"a": 1}, response_elem="answer", **declared).json == {"answer": {"a": 1}}
    assert get_output({"a": 1}, response_elem=None, **declared).json == {"a": 1}
    assert get_output({"a": 1}, response_elem="", **declared).json == {"a": 1}
    assert get_output([{"a": 1}], **declared).json == {"response": [{"a": 1}]}


def test_a_declaration_on_the_class_itself_does_not(get_output: Any) -> None:
    for declared in ({"output": "a"}, {"output_required": "a"}, {"output_optional": "a"}):
        assert get_output({"a": 1, "zzz": 2}, direct=True, **declared).json == {"a": 1}
    assert get_output({"a": 1}, direct=True, output="a", response_elem="answer").json == {"answer": {"a": 1}}


def test_without_declared_output_nothing_is_touched(get_output: Any) -> None:
    assert get_output({"a": 1, "zzz": 2}, input="-b").json == {"a": 1, "zzz": 2}
    assert get_output(None, input="-b").body == b""


@pytest.mark.parametrize("payload", ["text", b"\x00bytes", 7, 2.5])
def test_text_bytes_and_numbers_are_sent_as_they_are(get_output: Any, payload: Any) -> None:
    assert get_output(payload, output_required="a").payload == payload


def test_a_service_base_class_may_declare_the_wrapper(call: Any) -> None:
    class Base(s.Service):
        class SimpleIO:
            response_elem = "customers"
            output_repeated = True

    class Gets(Base):
        class SimpleIO(Base.SimpleIO):
            output_required = "name"

        def handle(self) -> None:
            self.response.payload.append({"name": "x"})

    class GetsToo(Gets):
        pass

    assert call(Gets).json == call(GetsToo).json == {"customers": [{"name": "x"}]}


# What can be assigned


class Plain:
    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)


Named = namedtuple("Named", "a count")


@pytest.mark.parametrize(
    "payload",
    [
        {"a": 1, "count": 2, "zzz": 3},
        Bunch(a=1, count=2),
        Plain(a=1, count=2),
        Named(1, 2),
        lambda response: response.payload.update(a=1, count=2),
        lambda response: setattr(response.payload, "a", 1) or setattr(response.payload, "count", 2),
        lambda response: response.payload.__setitem__("a", 1) or response.payload.__setitem__("count", 2),
        lambda response: setattr(response, "payload", {"a": 1, "count": 2}),
    ],
    ids=["dict", "Bunch", "object", "named tuple", "update", "attributes", "keys", "replaced"],
)
def test_one_record(get_output: Any, payload: Any) -> None:
    if isinstance(payload, Plain | tuple):  # the fixture calls what can be called
        payload = lambda response, value=payload: setattr(response, "payload", value)  # noqa: E731
    assert get_output(payload, output_required=("a", "count")).json == {"response": {"a": 1, "count": 2}}


def _rows() -> Iterator[Any]:
    yield {"a": 1}
    yield Plain(a=2)


@pytest.mark.parametrize(
    "assign",
    [
        lambda response: setattr(response, "payload", list(_rows())),
        lambda response: setattr(response, "payload", tuple(_rows())),
        lambda response: setattr(response, "payload", _rows()),
        lambda response: response.payload.__setitem__(slice(None), list(_rows())),
        lambda response: response.payload.extend(_rows()),
        lambda response: [response.payload.append(row) for row in _rows()],
    ],
    ids=["list", "tuple", "generator", "slice", "extend", "append"],
)
@pytest.mark.parametrize("repeated", [True, False])
def test_several_records(get_output: Any, assign: Any, repeated: bool) -> None:
    answer = get_output(assign, output_required="a", output_repeated=repeated)
    assert answer.json == {"response": [{"a": 1}, {"a": 2}]}


def test_repeated_output_is_always_a_list(get_output: Any) -> None:
    assert get_output({"a": 1}, output="a", output_repeated=True).json == {"response": [{"a": 1}]}
    assert get_output(lambda response: None, output="a", output_repeated=True).json == {"response": []}
    assert get_output(lambda response: response.payload.__setitem__(slice(None), []), output="a").json == {"response": []}


def test_the_payload_tells_what_it_has_so_far(get_output: Any) -> None:
    seen: list[Any] = []

    def assign(response: Any) -> None:
        payload = response.payload
        seen.append((len(payload), bool(payload), payload.get("a", 7), hasattr(payload, "a")))
        payload.a = 1
        seen.append((len(payload), "a" in payload, payload["a"], payload.a, repr(payload)))

    get_output(assign, output="a")
    assert seen == [(0, False, 7, False), (1, True, 1, 1, "{'a': 1}")]


class Base(orm.DeclarativeBase):
    pass


class Rate(Base):
    __tablename__ = "rate"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    count: orm.Mapped[int]
    day: orm.Mapped[date]

    @property
    def days(self) -> int:
        return 30


@pytest.fixture
def session() -> Iterator[orm.Session]:
    engine = sa.create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with orm.Session(engine) as opened:
        opened.add_all([Rate(id=1, count=10, day=date(2030, 1, 1)), Rate(id=2, count=20, day=date(2030, 1, 2))])
        opened.commit()
        yield opened
    engine.dispose()


@pytest.mark.parametrize(
    ("query", "has_days"),
    [
        (lambda session: session.get(Rate, 1), True),
        (lambda session: session.execute(sa.text("SELECT id, count, '2030-01-01' AS day FROM rate")).first(), False),
        (lambda session: session.query(Rate.id, Rate.count, Rate.day).first(), False),
        (lambda session: session.execute(sa.select(Rate.id, Rate.count, Rate.day)).mappings().first(), False),
    ],
    ids=["object", "row of text", "row of query", "mapping"],
)
def test_a_record_of_sql(get_output: Any, session: orm.Session, query: Any, has_days: bool) -> None:
    record = query(session)
    answer = get_output(
        lambda response: setattr(response, "payload", record),
        output_optional=("id", "count", "day", "days"),
        skip_empty_keys=True,
    )
    days = {"days": 30} if has_days else {}
    assert answer.json == {"response": {"id": 1, "count": 10, "day": "2030-01-01", **days}}


@pytest.mark.parametrize(
    "query",
    [
        lambda session: session.query(Rate),
        lambda session: session.query(Rate).all(),
        lambda session: session.scalars(sa.select(Rate)),
        lambda session: session.execute(sa.select(Rate.id, Rate.count)),
        lambda session: session.execute(sa.select(Rate.id, Rate.count)).all(),
    ],
    ids=["query", "objects", "scalars", "result", "rows"],
)
def test_records_of_sql(get_output: Any, session: orm.Session, query: Any) -> None:
    answer = get_output(lambda response: setattr(response, "payload", query(session)), output=("id", "count"))
    assert answer.json == {"response": [{"id": 1, "count": 10}, {"id": 2, "count": 20}]}


# Values


@pytest.mark.parametrize(
    ("element", "value", "sent"),
    [
        ("a", 2.5, 2.5),
        ("a", [1, {"b": 2}], [1, {"b": 2}]),
        ("a", None, None),
        ("a", "", ""),
        ("a", date(2030, 1, 2), "2030-01-02"),
        ("a", Decimal("1.10"), "1.10"),
        ("id", "not a number", "not a number"),
        ("is_x", "maybe", "maybe"),
        (s.Int("a"), "7", 7),
        (s.Int("a"), True, 1),
        (s.Int("a"), None, None),
        (s.Float("a"), Decimal("2.5"), 2.5),
        (s.Bool("a"), 1, True),
        (s.Bool("a"), "no", False),
        (s.Text("a"), 7, "7"),
        (s.Text("a"), [7], [7]),
        (s.AsIs("a"), {"b": [1]}, {"b": [1]}),
        (s.Date("a"), datetime(2030, 1, 2, 3, 4), "2030-01-02"),
        (s.Date("a"), "2030-01-02", "2030-01-02"),
        (s.DateTime("a"), datetime(2030, 1, 2, 3, 4), "2030-01-02T03:04:00"),
        (s.Decimal("a"), "0.10", "0.10"),
        (s.UUID("a"), UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (s.UTC("a"), "2030-01-02T03:04:05+00:00", "2030-01-02T03:04:05"),
        (s.CSV("a"), ["x", 1], "x,1"),
        (s.CSV("a"), "x,1", "x,1"),
        (s.List("a"), ("x", 1), ["x", 1]),
        (s.List("a"), "x", ["x"]),
        (s.Dict("a"), {"b": 1}, {"b": 1}),
        (s.Dict("a", "b", "-c"), {"b": 1, "d": 2}, {"b": 1}),
        (s.DictList("a", "b"), [{"b": 1, "c": 2}], [{"b": 1}]),
        (s.Secret("a"), "x", "x"),
    ],
    ids=repr,
)
def test_a_value_is_sent_as_its_type(get_output: Any, element: Any, value: Any, sent: Any) -> None:
    name = element if isinstance(element, str) else element.name
    assert get_output({name: value}, output=element, direct=True).json == {name: sent}


@pytest.mark.parametrize(
    ("element", "value"),
    [(s.Int("a"), "x"), (s.Float("a"), []), (s.Bool("a"), "maybe"), (s.Decimal("a"), "x"), (s.CSV("a"), [{}])],
    ids=repr,
)
def test_a_value_that_is_none_of_its_type_is_the_services_fault(get_output: Any, element: Any, value: Any) -> None:
    with pytest.raises(SerialisationError, match=r"service 'asked'.*/a") as raised:
        get_output({"a": value}, output=element)
    assert raised.value.http_status == 500


# What is missing


def test_required_output_has_to_be_assigned(get_output: Any) -> None:
    for payload in (
        {"a": 1},
        [{"a": 1, "b": 2}, {"a": 1}],
        lambda response: None,
        lambda response: setattr(response.payload, "a", 1),
    ):
        with pytest.raises(SerialisationError, match="/"):
            get_output(payload, output_required=("a", "b"))


@pytest.mark.parametrize("status", [204, 302, 404, 500])
def test_who_answers_with_an_error_owes_no_output(get_output: Any, status: int) -> None:
    assert get_output(lambda response: None, output_required=("a", "b"), status=status).body == b""
    answer = get_output({"a": 1}, output_required=("a", "b"), output_optional="c", status=status)
    assert answer.json == {"response": {"a": 1, "c": ""}}


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({}, {"a": 1, "b": "", "c": None, "d": [], "e": 0}),
        ({"default_value": "d"}, {"a": 1, "b": "d", "c": None, "d": [], "e": 0}),
        ({"default_output_value": "o", "default_value": "d"}, {"a": 1, "b": "o", "c": None, "d": [], "e": 0}),
        ({"default_input_value": "i"}, {"a": 1, "b": "", "c": None, "d": [], "e": 0}),
        ({"skip_empty_keys": True}, {"a": 1, "e": 0}),
        ({"skip_empty_keys": False}, {"a": 1, "b": "", "c": None, "d": [], "e": 0}),
        ({"skip_empty_keys": ("b", "d")}, {"a": 1, "c": None, "e": 0}),
        ({"skip_empty_keys": True, "force_empty_keys": ("b", "c")}, {"a": 1, "b": "", "c": None, "e": 0}),
        ({"SkipEmpty": type("SkipEmpty", (), {"output_def": True})}, {"a": 1, "e": 0}),
        ({"SkipEmpty": type("SkipEmpty", (), {"output_def": "b"})}, {"a": 1, "c": None, "d": [], "e": 0}),
        (
            {"SkipEmpty": type("SkipEmpty", (), {"output_def": True, "force_empty_output": "b", "empty_output_value": "-"})},
            {"a": 1, "b": "-", "e": 0},
        ),
    ],
    ids=repr,
)
@pytest.mark.parametrize("form", ["2.0", "3.x"])
def test_optional_output_may_be_missing_or_empty(get_output: Any, form: str, declared: Any, expected: Any) -> None:
    two = {"output_required": "a", "output_optional": ("b", "c", "d", "e")}
    shape = two if form == "2.0" else {"output": ("a", "-b", "-c", "-d", "-e")}
    assert get_output({"a": 1, "c": None, "d": [], "e": 0}, **shape, **declared).json == {"response": expected}


def test_an_elements_own_default_comes_first(get_output: Any) -> None:
    elements = (s.Int("a", default=7), "-b")
    assert get_output({}, output=elements, default_output_value="x").json == {"response": {"a": 7, "b": "x"}}


# Between services


def test_services_get_what_clients_get_as_python_objects(call: Any) -> None:
    class Inner(s.Service):
        name = "inner"

        class SimpleIO:
            output_required = "a", "day"

        def handle(self) -> None:
            self.response.payload = {"a": Decimal("1.5"), "day": date(2030, 1, 2), "zzz": 1}

    class Outer(s.Service):
        def handle(self) -> None:
            self.response.payload = {"got": self.invoke("inner")}

    assert call(Outer, among=(Inner,)).payload == {"got": {"response": {"a": Decimal("1.5"), "day": date(2030, 1, 2)}}}
