"""What a service finds of an AMQP message beside its body, as plain JSON values."""

import math
from datetime import datetime
from decimal import Decimal
from typing import Any

_PROPERTIES = (
    "content_type",
    "content_encoding",
    "delivery_mode",
    "priority",
    "correlation_id",
    "reply_to",
    "expiration",
    "message_id",
    "timestamp",
    "type",
    "user_id",
    "app_id",
    "cluster_id",
)


def context_of(method: Any, properties: Any) -> dict[str, Any]:
    """Return the properties that were given, the headers, and how the message came."""
    return {
        "properties": {name: plain(getattr(properties, name)) for name in _PROPERTIES if getattr(properties, name) is not None},
        "headers": plain(properties.headers or {}),
        "delivery_info": {
            "exchange": method.exchange,
            "routing_key": method.routing_key,
            "redelivered": method.redelivered,
            "consumer_tag": method.consumer_tag,
        },
    }


def plain(value: Any) -> Any:
    """Return a value of a field table as JSON has it: times as ISO 8601, exact numbers as text, bytes as text."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode(errors="replace")
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal) or (isinstance(value, float) and not math.isfinite(value)):
        return str(value)
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
