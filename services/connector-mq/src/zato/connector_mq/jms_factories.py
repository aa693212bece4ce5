"""How a connection factory is made: of IBM MQ and ActiveMQ we know what to set, others are told by the definition."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zato.common.errors import Unavailable
from zato.connector_mq.jms_tls import secure
from zato.connector_mq.kinds import IBM_FACTORY, DefinitionOptions

if TYPE_CHECKING:
    from zato.connector_mq.jms import Java

ACTIVEMQ_FACTORY = "org.apache.activemq.ActiveMQConnectionFactory"
_ACTIVEMQ_TLS_FACTORY = "org.apache.activemq.ActiveMQSslConnectionFactory"
_TCP_CLIENT = "1"


def make_factory(java: "Java", options: DefinitionOptions) -> Any:
    """
    Raises:
        Unavailable: There is no such class, or it has no such property.
        InvalidOptions: A file of certificates cannot be used.
    """
    name = _class_of(options)
    try:
        factory = java.of(name)()
    except TypeError as exc:  # an interface, for one
        raise Unavailable(f"{name} is no connection factory: {exc}") from None
    for name, value in properties_of(options).items():
        _set(factory, name, value)
    if options.ssl:
        secure(java, factory, options)
    return factory


def _class_of(options: DefinitionOptions) -> str:
    is_tls = options.ssl and options.connection_factory == ACTIVEMQ_FACTORY
    return _ACTIVEMQ_TLS_FACTORY if is_tls else options.connection_factory


def properties_of(options: DefinitionOptions) -> Mapping[str, str]:
    """Return what is set on the factory, by the names that its documentation has."""
    given = dict(each.split("=", 1) for each in options.factory_properties)
    known = _KNOWN.get(options.connection_factory, lambda _options: {})(options)
    return {**known, **{name.strip(): value.strip() for name, value in given.items()}}


def _ibm(options: DefinitionOptions) -> dict[str, str]:
    # Several are host1(1414),host2(1414), as in everything of IBM's.
    is_list = "(" in options.host
    found = {
        "ConnectionNameList": options.host if is_list else "",
        "HostName": "" if is_list else options.host,
        "Port": "" if is_list else str(options.port),
        "QueueManager": options.queue_manager,
        "Channel": options.channel,
        "TransportType": _TCP_CLIENT,
        "SSLCipherSuite": options.ssl_cipher_spec if options.ssl else "",
    }
    return {name: value for name, value in found.items() if value}


def _activemq(options: DefinitionOptions) -> dict[str, str]:
    connect_ms = int(options.connect_timeout_s * 1000)
    query = {
        "connectionTimeout": connect_ms,
        "wireFormat.maxInactivityDuration": options.heartbeat_s * 1000,
        "jms.connectResponseTimeout": connect_ms,
        "jms.closeTimeout": 2000,
        # Otherwise a session that waits for its service keeps further messages from those that have time.
        "jms.prefetchPolicy.queuePrefetch": 0,
        # We count; its client would put messages into a queue of its own choice.
        "jms.redeliveryPolicy.maximumRedeliveries": -1,
        "jms.redeliveryPolicy.initialRedeliveryDelay": 0,
        # In a unit of work it would not wait for an answer, and a refusal would be heard of by nobody.
        "jms.alwaysSyncSend": "true",
        "jms.watchTopicAdvisories": "false",
    }
    scheme = "ssl" if options.ssl else "tcp"
    return {"brokerURL": f"{scheme}://{options.host}:{options.port}?" + "&".join(f"{k}={v}" for k, v in query.items())}


_KNOWN = {IBM_FACTORY: _ibm, ACTIVEMQ_FACTORY: _activemq}


def _set(factory: Any, name: str, value: str) -> None:
    setter = getattr(factory, f"set{name[:1].upper()}{name[1:]}", None)
    if setter is None:
        raise Unavailable(f"A {factory.getClass().getName()} has no property '{name:.100}': see 'factory_properties'")
    for converted in _conversions(value):
        try:
            setter(converted)
        except TypeError:  # none of its forms takes such a value
            continue
        return
    raise Unavailable(f"The property '{name:.100}' of {factory.getClass().getName()} does not take {value!r:.100}")


def _conversions(value: str) -> list[Any]:
    found: list[Any] = [value]
    if value.lstrip("-").isdecimal():
        found.append(int(value))
    if value.lower() in ("true", "false"):
        found.append(value.lower() == "true")
    return found
