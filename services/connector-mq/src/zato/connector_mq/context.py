"""What a service finds of a message beside its body: `self.request.ibm_mq`."""

from datetime import UTC, datetime
from typing import Any

from zato.connector_mq.messages import MQMessage


def context_of(message: MQMessage) -> dict[str, Any]:
    """Return it as plain JSON values, `put_date` as YYYYMMDD and `put_time` as HHMMSS and hundredths, both UTC."""
    sent_at = datetime.fromtimestamp(message.timestamp_ms / 1000, UTC) if 0 < message.timestamp_ms < 2**47 else None
    return {
        "msg_id": message.message_id,
        "correlation_id": message.correlation_id,
        "timestamp": message.timestamp_ms,
        "put_date": message.mqmd.get("PutDate") or (sent_at.strftime("%Y%m%d") if sent_at else ""),
        "put_time": message.mqmd.get("PutTime") or (sent_at.strftime("%H%M%S%f")[:8] if sent_at else ""),
        "reply_to": message.reply_to,
        "type": message.type,
        "priority": message.priority,
        "delivery_mode": 2 if message.is_persistent else 1,
        "expiration": message.expiration_ms,
        "delivery_count": message.delivery_count,
        "group_id": message.group_id,
        "group_sequence": message.group_sequence,
        "is_text": message.is_text,
        "properties": dict(message.properties),
        "mqmd": dict(message.mqmd),
    }
