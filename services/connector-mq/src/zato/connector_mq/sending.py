"""What services say of the messages that they send, checked and completed by what the connection says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zato.common.connectors.errors import Refused
from zato.common.connectors.messages import Outgoing
from zato.common.errors import ZatoError
from zato.connector_mq.kinds import OutgoingOptions
from zato.connector_mq.messages import MQMessage

_KNOWN = frozenset(
    {
        "queue",
        "correlation_id",
        "msg_id",
        "reply_to",
        "type",
        "expiration",
        "priority",
        "delivery_mode",
        "properties",
        "group_id",
        "group_sequence",
        "is_text",
        "max_chars_printed",
    }
)
# Of JMS: what a selector means by these words is not a property.
_RESERVED = frozenset({"NULL", "TRUE", "FALSE", "NOT", "AND", "OR", "BETWEEN", "LIKE", "IN", "IS", "ESCAPE"})
_LONGEST_TEXT = 32_767
_LONGEST_NUMBER = 2**63


@dataclass(frozen=True, slots=True)
class ToSend:
    """One message, and the queue that it goes to. `max_chars_printed` is the definition's when None."""

    queue: str
    message: MQMessage
    max_chars_printed: int | None = None


def to_send(options: OutgoingOptions, outgoing: Outgoing) -> ToSend | ZatoError:
    """Return what goes out, or why nothing like that does."""
    try:
        return _to_send(options, outgoing)
    except Refused as exc:
        return exc


def _to_send(options: OutgoingOptions, outgoing: Outgoing) -> ToSend:
    given = {name: value for name, value in outgoing.options.items() if value is not None}
    if unknown := sorted(given.keys() - _KNOWN):
        raise Refused(f"There is no '{unknown[0]:.100}'; there are: {', '.join(sorted(_KNOWN))}")
    is_text = given.get("is_text", True)
    if not isinstance(is_text, bool):
        raise Refused("'is_text' takes true or false")
    queue = _text(given, "queue") or options.queue
    if not queue:
        raise Refused("Name the queue: neither the call nor the connection does")
    if is_text:
        _check_text(outgoing.body)
    return ToSend(
        queue,
        MQMessage(
            body=outgoing.body,
            is_text=is_text,
            message_id=_text(given, "msg_id") or outgoing.id,
            correlation_id=_text(given, "correlation_id"),
            reply_to=_text(given, "reply_to"),
            type=_text(given, "type"),
            priority=_number(given, "priority", options.priority, 0, 9),
            is_persistent=_number(given, "delivery_mode", options.delivery_mode, 1, 2) == 2,
            expiration_ms=_number(given, "expiration", options.expiration, 0, 2**42),
            group_id=_text(given, "group_id"),
            group_sequence=_number(given, "group_sequence", 0, 0, 2**31 - 1),
            properties=_properties(given.get("properties", {})),
        ),
        _number(given, "max_chars_printed", 0, 0, 100_000) if "max_chars_printed" in given else None,
    )


def _check_text(body: bytes) -> None:
    try:
        body.decode()
    except UnicodeDecodeError as exc:
        raise Refused(f"A text has to be UTF-8: {exc}; send bytes as bytes") from exc


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name, "")
    if not isinstance(value, str):
        raise Refused(f"'{name}' takes text, not {value!r:.80}")
    return _checked(name, value)


def _checked(name: str, value: str) -> str:
    try:
        size = len(value.encode())
    except UnicodeEncodeError as exc:
        raise Refused(f"'{name:.100}' has characters that no encoding has") from exc
    if size > _LONGEST_TEXT or "\0" in value:
        raise Refused(f"'{name:.100}' takes text without zeros of at most {_LONGEST_TEXT:,} bytes")
    return value


def _number(given: Mapping[str, Any], name: str, default: int, least: int, most: int) -> int:
    value = given.get(name, default)
    # Services for 2.0 have them as text now and then.
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Refused(f"'{name}' takes a whole number from {least} to {most}, not {value!r:.80}")
    return value


def _properties(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refused(f"'properties' takes a dictionary, not {value!r:.80}")
    return {_property_name(name): _property(name, each) for name, each in value.items()}


def _property_name(name: Any) -> str:
    """As JMS has it, whatever the provider, so that a message may go from one to the other."""
    if not isinstance(name, str) or not name.isidentifier() or not name.isascii() or len(name) > 255:
        raise Refused(f"A property's name takes ASCII letters, digits and '_', not {name!r:.80}")
    if name.upper() in _RESERVED or name.startswith("JMS"):
        raise Refused(f"'{name}' is no name of a property of yours: JMS reserves it")
    return name


def _property(name: str, value: Any) -> str | int | float | bool:
    if isinstance(value, str):
        return _checked(name, value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and -_LONGEST_NUMBER <= value < _LONGEST_NUMBER:
        return value
    if isinstance(value, float) and value - value == 0:
        return value
    raise Refused(f"The property '{name:.100}' takes text, a number of 64 bits, true or false, not {value!r:.80}")
