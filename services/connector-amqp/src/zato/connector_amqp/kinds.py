"""The kinds of this connector: a broker, what is taken from it, and what is sent to it."""

from zato.common.connectors.leases import runs_once
from zato.common.connectors.sending import store_limit, when_away
from zato.common.kinds import Kind
from zato.common.options import option, options

DEFINITION, CHANNEL, OUTGOING = "definition-amqp", "channel-amqp", "outgoing-amqp"


@options
class DefinitionOptions:
    """A broker of AMQP 0-9-1, or a cluster of them."""

    host: str = option("Host of the broker; several, as host or host:port, separated by commas, are tried in turn")
    port: int = option("Port, where a host names none", default=5672, minimum=1, maximum=65535)
    vhost: str = option("Virtual host", default="/")
    username: str = option("User that we log in as", default="guest")
    password: str = option("Password of the user", default="", secret=True)
    heartbeat: int = option("Seconds without a sign of life after which the broker is taken for gone", default=10, minimum=2)
    frame_max: int = option("Largest frame, in bytes", default=131072, minimum=4096)
    connect_timeout_s: float = option("Seconds to wait for a connection", default=5.0, minimum=0.1)
    blocked_timeout_s: float = option("Seconds after which a broker that takes nothing is left", default=60.0, minimum=1.0)
    is_tls: bool = option("Speak TLS", default=False)
    ca_file: str = option(
        "PEM file with the authorities that the broker's certificate comes from; empty: the system's", default=""
    )
    certificate_file: str = option("PEM file with the certificate that we show", default="")
    key_file: str = option("PEM file with the certificate's private key", default="")


@options
class ChannelOptions:
    """Messages of a queue, each handed to a service and acknowledged once that has ended well."""

    definition: str = option("The broker", reference=DEFINITION)
    queue: str = option("The queue; it has to exist")
    service: str = option("Service that is invoked with each message", reference="service")
    consumer_tag_prefix: str = option("Start of the consumer's tag, by which the broker shows it", default="zato")
    data_format: str = option("What the body is", default="raw", choices=("raw", "json", "xml"))
    pool_size: int = option("Consumers that take messages of the queue beside each other", default=1, minimum=1, maximum=100)
    prefetch_count: int = option("Unacknowledged messages that a consumer has at most", default=50, minimum=1, maximum=65535)
    ack_mode: str = option(
        "What a message gets whose service ended well and did not say", default="ack", choices=("ack", "reject")
    )
    is_ordered: bool = option("One message after the other; one that fails holds up the others", default=False)
    tries: int = option("How often a service that fails is tried", default=5, minimum=1)
    retry_after_s: float = option("Seconds before the second try; doubles each time, up to a minute", default=1.0, minimum=0)
    timeout_s: float = option("Seconds that the service may take", default=60.0, minimum=0.1)
    inbox_s: int = option("Seconds for which a message that was done is not done again; 0 for no memory", default=0, minimum=0)
    runs_once: bool = runs_once()
    dead_letter_queue: str = option("Where dead letters are kept; empty: the queue's name and .dead-letters", default="")


@options
class OutgoingOptions:
    """Sends messages to a broker, and waits for its confirmation."""

    definition: str = option("The broker", reference=DEFINITION)
    exchange: str = option("Exchange, unless the service names one", default="")
    routing_key: str = option("Routing key, unless the service names one", default="")
    delivery_mode: int = option("2: messages survive the broker's restart; 1: they do not", default=2, minimum=1, maximum=2)
    priority: int = option("Priority of messages that say none, in queues that have some", default=5, minimum=0, maximum=255)
    content_type: str = option("Content type of messages that say none", default="")
    content_encoding: str = option("Content encoding of messages that say none", default="")
    expiration: int = option("Milliseconds after which an unread message goes; 0 for never", default=0, minimum=0)
    user_id: str = option("User id, which has to be the definition's user", default="")
    app_id: str = option("Application id", default="")
    is_mandatory: bool = option("A message that reaches no queue is an error", default=True)
    when_away: str = when_away()
    store_limit: int = store_limit()


KINDS = (
    Kind(DEFINITION, "AMQP definition", DefinitionOptions),
    Kind(CHANNEL, "AMQP channel", ChannelOptions),
    Kind(OUTGOING, "Outgoing AMQP", OutgoingOptions),
)
