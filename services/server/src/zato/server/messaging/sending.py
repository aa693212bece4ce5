"""Admin services that send a message, for people who try a connection out: published names, with their published fields."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zato.common.errors import BadRequest, InvalidOptions, NotFound
from zato.server.accounts.roles import Role
from zato.server.admin.actions import Action, Area
from zato.server.admin.noting import noted
from zato.server.control.changes import Author
from zato.server.describe.schemas import record, text
from zato.server.messaging.publishing import AMQPSender, JMSWMQSender

if TYPE_CHECKING:
    from zato.server.admin.services import Admin

_SENDING = Area("Connectors")
# What clients have always been told.
_OK = '{"result": "OK"}'
_JMS_KIND = "outgoing-jms-wmq"


def sending_actions(amqp: AMQPSender, jms_wmq: JMSWMQSender) -> dict[str, Action]:
    """Return the actions by the names of their services. Each answers once the message is confirmed, or kept."""

    def publish(_admin: "Admin", values: Mapping[str, Any], _author: Author) -> dict[str, str]:
        name = _wanted(values, "conn_name")
        amqp.send(values.get("request_data", ""), name, _text(values, "exchange"), _text(values, "routing_key"))
        return {"response_data": _OK}

    def send_message(admin: "Admin", values: Mapping[str, Any], _author: Author) -> dict[str, str]:
        name = _name_of(admin, values)
        sent = jms_wmq.send(
            values.get("data", ""),
            name,
            _text(values, "queue_name"),
            _number(values, "delivery_mode"),
            _number(values, "expiration"),
            _number(values, "priority"),
            correlation_id=_text(values, "correl_id"),
            msg_id=_text(values, "msg_id"),
            reply_to=_text(values, "reply_to"),
        )
        return {"msg_id": sent}

    return {
        "zato.outgoing.amqp.publish": _SENDING.action(
            noted(publish, "conn_name", "exchange", "routing_key"),
            Role.DEVELOPER,
            "Send a message through an outgoing connection of AMQP, and return once the broker has it",
            takes=record(_PUBLISHED, optional=_PUBLISHED.keys() - {"conn_name", "request_data"}),
            returns=record({"response_data": text("A JSON object that says that it went well")}),
        ),
        "zato.outgoing.jms-wmq.send-message": _SENDING.action(
            noted(send_message, "id", "name", "queue_name"),
            Role.DEVELOPER,
            "Send a message through an outgoing connection of IBM MQ or JMS, and return once its peer has it",
            takes=record(_SENT, optional=_SENT.keys() - {"data"}),
            returns=record({"msg_id": text("Id that the message has; empty where it is kept for later")}),
        ),
    }


def _name_of(admin: "Admin", values: Mapping[str, Any]) -> str:
    """Return the name of the connection, of which people give the number or the name. Raises NotFound."""
    number = _number(values, "id")
    if number is None:
        return _wanted(values, "name")
    if _JMS_KIND not in admin.kinds.registry:
        raise NotFound(f"There is no {_JMS_KIND} {number}: no connector of its kind has registered yet")
    return str(admin.objects.get(_JMS_KIND, {"id": number})["name"])


def _wanted(values: Mapping[str, Any], field: str) -> str:
    if not (found := _text(values, field)):
        raise BadRequest(f"'{field}' takes the name of the outgoing connection")
    return found


def _text(values: Mapping[str, Any], field: str) -> str:
    value = values.get(field)
    return "" if value is None else str(value)


def _number(values: Mapping[str, Any], field: str) -> int | None:
    """Forms send numbers as texts, and an empty one for what the connection is to decide."""
    value = values.get(field)
    if value is None or value == "":
        return None
    try:
        return int(str(value))
    except ValueError:
        raise InvalidOptions(f"'{field}' takes a whole number", **{field: "takes a whole number"}) from None


_PUBLISHED = {
    "conn_name": text("Name of the outgoing connection", minLength=1),
    "request_data": {"description": "The message: a text as it is, anything else as JSON"},
    "exchange": text("Exchange; the connection's own when empty"),
    "routing_key": text("Routing key; the connection's own when empty"),
}
_NUMBER = {"type": ["integer", "string"]}
_SENT = {
    "id": {**_NUMBER, "description": "Number of the outgoing connection"},
    "name": text("Its name, where the number is left out"),
    "data": {"description": "The message: a text as it is, anything else as JSON"},
    "queue_name": text("Where to; the connection's own queue when empty"),
    "delivery_mode": {
        **_NUMBER,
        "description": "2 to survive a restart of the peer, 1 not to; the connection's own when empty",
    },
    "priority": {**_NUMBER, "description": "0 to 9; the connection's own when empty"},
    "expiration": {**_NUMBER, "description": "Milliseconds after which it goes unread; the connection's own when empty"},
    "reply_to": text("Queue that is to have the answer"),
    "msg_id": text("Id of the message, where the provider lets senders choose"),
    "correl_id": text("Correlation id"),
}
