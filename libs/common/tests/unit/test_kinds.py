import pytest

from zato.common.errors import NotFound
from zato.common.kinds import Kind, KindRegistry
from zato.common.options import option, options


@options
class AMQPChannel:
    """Messages from a queue of RabbitMQ."""

    queue: str = option("Queue to read from")
    prefetch: int = option("Messages on their way at once", default=10, minimum=1)
    mode: str = option("When to acknowledge", default="after", choices=("after", "before"))
    password: str = option("Password", default="", secret=True)
    service: str = option("Service to invoke", reference="service")


KIND = Kind("channel-amqp", "AMQP channel", AMQPChannel)


def test_a_kind_describes_itself_for_forms_and_reference_pages() -> None:
    description = KIND.describe()
    assert (description.name, description.label, description.help) == (
        *("channel-amqp", "AMQP channel", "Messages from a queue of RabbitMQ."),
    )
    queue, prefetch, mode, password, service = description.options
    assert queue.required
    assert queue.default_json == ""
    assert (prefetch.type, prefetch.required, prefetch.default_json) == ("int", False, "10")
    assert list(mode.choices) == ["after", "before"]
    assert password.secret
    assert list(service.references) == ["service"]


def test_a_kind_knows_its_secrets() -> None:
    assert KIND.secret_names == {"password"}


def test_an_unknown_kind_is_answered_with_the_known_ones() -> None:
    kinds = KindRegistry([KIND, Kind("outgoing-amqp", "Outgoing AMQP", AMQPChannel)])
    assert kinds.get("channel-amqp") is KIND
    assert [kind.name for kind in kinds] == ["channel-amqp", "outgoing-amqp"]
    with pytest.raises(NotFound, match="no kind 'channel-ampq'; there are: channel-amqp, outgoing-amqp"):
        kinds.get("channel-ampq")
