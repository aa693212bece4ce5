import pytest

from zato.common.errors import InvalidOptions, NotFound
from zato.common.kinds import Kind, KindRegistry
from zato.common.options import option, option_values, options, parse_options


@options
class AMQPChannel:
    """Messages from a queue of RabbitMQ."""

    queue: str = option("Queue to read from")
    prefetch: int = option("Messages on their way at once", default=10, minimum=1)
    mode: str = option("When to acknowledge", default="after", choices=("after", "before"))
    password: str = option("Password", default="", secret=True)
    service: str = option("Service to invoke", reference="service")
    security: str | None = option("Who may send", default=None, reference=("security-basic-auth", "security-api-key"))
    headers: tuple[str, ...] = option("Headers to keep", default=("cid",))
    timeout_s: float = option("Seconds", default=1.5, minimum=0.1, maximum=60)


KIND = Kind("channel-amqp", "AMQP channel", AMQPChannel, unique=("queue", "service"))


def test_a_kind_describes_itself_for_forms_and_reference_pages() -> None:
    description = KIND.describe()
    assert (description.name, description.label, description.help) == (
        *("channel-amqp", "AMQP channel", "Messages from a queue of RabbitMQ."),
    )
    queue, prefetch, mode, password, service, security, _, timeout = description.options
    assert queue.required
    assert queue.default_json == ""
    assert (prefetch.type, prefetch.required, prefetch.default_json) == ("int", False, "10")
    assert list(mode.choices) == ["after", "before"]
    assert password.secret
    assert list(service.references) == ["service"]
    assert security.default_json == "null"
    assert (timeout.minimum, timeout.maximum) == (0.1, 60)
    assert not prefetch.HasField("maximum")


def test_a_kind_knows_its_secrets() -> None:
    assert KIND.secret_names == {"password"}


def test_a_kind_knows_which_objects_it_refers_to() -> None:
    assert KIND.references == {"security": ("security-basic-auth", "security-api-key")}


VALUES = {"queue": "orders", "service": "orders.on-message"}


@pytest.mark.parametrize("given", [VALUES, {**VALUES, "security": None, "headers": ["a"]}, {**VALUES, "security": "ci"}])
def test_a_kind_of_another_part_is_made_from_its_description(given: dict[str, object]) -> None:
    made = Kind.from_description(KIND.describe())
    assert made.describe() == KIND.describe()
    original, copy = (parse_options(kind.options, given, what="channel") for kind in (KIND, made))
    assert option_values(original) == option_values(copy)
    assert parse_options(made.options, option_values(copy), what="channel") == copy


@pytest.mark.parametrize("bad", [{}, {**VALUES, "prefetch": 0}, {**VALUES, "mode": "never"}, {**VALUES, "queue": None}])
def test_a_kind_made_from_its_description_refuses_what_the_original_refuses(bad: dict[str, object]) -> None:
    refused = []
    for kind in (KIND, Kind.from_description(KIND.describe())):
        with pytest.raises(InvalidOptions) as raised:
            parse_options(kind.options, bad, what="channel")
        refused.append(str(raised.value))
    assert refused[0] == refused[1]


def test_an_unknown_kind_is_answered_with_the_one_that_may_be_meant() -> None:
    kinds = KindRegistry([KIND, Kind("outgoing-amqp", "Outgoing AMQP", AMQPChannel)])
    assert kinds.get("channel-amqp") is KIND
    assert "channel-amqp" in kinds
    assert "channel-ampq" not in kinds
    assert [kind.name for kind in kinds] == ["channel-amqp", "outgoing-amqp"]
    with pytest.raises(NotFound, match="no kind 'channel-ampq', did you mean 'channel-amqp'"):
        kinds.get("channel-ampq")
