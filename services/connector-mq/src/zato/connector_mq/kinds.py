"""The kinds of this connector: a queue manager or broker, what is taken from it, and what is sent to it."""

from zato.common.connectors.leases import runs_once
from zato.common.connectors.sending import store_limit, when_away
from zato.common.kinds import Kind
from zato.common.options import option, options

DEFINITION, CHANNEL, OUTGOING = "definition-jms-wmq", "channel-jms-wmq", "outgoing-jms-wmq"
PROVIDERS = ("mqi", "jms", "amqp10")
IBM_FACTORY = "com.ibm.mq.jms.MQConnectionFactory"


@options
class DefinitionOptions:
    """An IBM MQ queue manager, or a broker of JMS or AMQP 1.0."""

    provider: str = option(
        "How to talk to it: mqi (IBM's client library), jms (Java archives of IBM or others) or amqp10",
        default="mqi",
        choices=PROVIDERS,
    )
    host: str = option("Host of the queue manager or broker; of IBM MQ also several, as host1(1414),host2(1414)")
    port: int = option("Its port", default=1414, minimum=1, maximum=65535)
    queue_manager: str = option("Queue manager; empty: the default one of the host", default="")
    channel: str = option("Server-connection channel, of IBM MQ", default="")
    username: str = option("User that we log in as; empty: nobody", default="")
    password: str = option("Password of the user", default="", secret=True)
    cache_open_send_queues: bool = option("Keep queues that were sent to open", default=True)
    cache_open_receive_queues: bool = option(
        "Taken since definitions have it: the queue of a channel is open anyway", default=True
    )
    use_shared_connections: bool = option("Taken for compatibility: no two threads use a handle", default=True)
    ssl: bool = option("Speak TLS", default=False)
    ssl_cipher_spec: str = option("IBM MQ: the channel's CipherSpec, e.g. TLS_AES_256_GCM_SHA384", default="")
    ssl_key_repository: str = option("mqi: key repository without its suffix, e.g. /var/mqm/ssl/client", default="")
    ssl_certificate_label: str = option("mqi: label of our certificate in the key repository; empty: its default", default="")
    ssl_ca_file: str = option(
        "jms, amqp10: PEM file with the authorities that the peer's certificate comes from; empty: the system's, or Java's",
        default="",
    )
    ssl_certificate_file: str = option("jms, amqp10: PEM file with the certificate that we show, then its chain", default="")
    ssl_key_file: str = option("jms, amqp10: PEM file with the certificate's private key; empty: in the same file", default="")
    queue_prefix: str = option(
        "amqp10: what stands before the names of queues in addresses, e.g. /amq/queue/ for RabbitMQ", default=""
    )
    is_queue_capability: bool = option("amqp10: say that addresses are queues, as IBM MQ wants it", default=True)
    use_jms: bool = option("mqi: messages are JMS ones, with an MQRFH2 header", default=True)
    needs_mcd: bool = option("mqi: the header has an mcd folder, which MQ 6 and older want", default=True)
    max_chars_printed: int = option("Characters of a message's body that are logged", default=0, minimum=0, maximum=100_000)
    heartbeat_s: int = option("Seconds without a sign of life after which the peer is taken for gone", default=10, minimum=2)
    connect_timeout_s: float = option("Seconds to wait for a connection", default=5.0, minimum=0.1)
    connection_factory: str = option("jms: class of the connection factory", default=IBM_FACTORY)
    factory_properties: tuple[str, ...] = option(
        "jms: name=value of further properties of the factory, e.g. clientReconnectTimeout=60", default=()
    )

    def __post_init__(self) -> None:
        for each in self.factory_properties:
            if not each.partition("=")[0].strip() or "=" not in each:
                raise ValueError(f"'factory_properties' takes name=value, not {each!r:.100}")
        if self.ssl_key_file and not self.ssl_certificate_file:
            raise ValueError("'ssl_key_file' goes with a certificate: give 'ssl_certificate_file' as well")


@options
class ChannelOptions:
    """Messages of a queue, each handed to a service and acknowledged once that has ended well."""

    definition: str = option("The queue manager or broker", reference=DEFINITION)
    queue: str = option("The queue; it has to exist")
    service: str = option("Service that is invoked with each message", reference="service")
    data_format: str = option("What the body is", default="raw", choices=("raw", "json"))
    pool_size: int = option("Messages at a time: each has its own unit of work", default=5, minimum=1, maximum=100)
    is_ordered: bool = option("One message after the other; one that fails holds up the others", default=False)
    tries: int = option(
        "Backout threshold: how often a failing service is tried, with what the peer counts", default=5, minimum=1
    )
    backout_queue: str = option(
        "Where messages go that are given up; empty: what the queue manager says (BOQNAME), or the queue's name and .BACKOUT",
        default="",
    )
    retry_after_s: float = option("Seconds before the second try; doubles each time, up to a minute", default=1.0, minimum=0)
    timeout_s: float = option("Seconds that the service may take", default=60.0, minimum=0.1)
    inbox_s: int = option("Seconds for which a message that was done is not done again; 0 for no memory", default=0, minimum=0)
    runs_once: bool = runs_once()

    @property
    def readers(self) -> int:
        return 1 if self.is_ordered else self.pool_size


@options
class OutgoingOptions:
    """Sends messages to queues, and returns once the peer has them."""

    definition: str = option("The queue manager or broker", reference=DEFINITION)
    queue: str = option("Queue, unless the service names one", default="")
    delivery_mode: int = option("2: messages survive the peer's restart; 1: they do not", default=2, minimum=1, maximum=2)
    priority: int = option("Priority of messages that say none", default=5, minimum=0, maximum=9)
    expiration: int = option("Milliseconds after which an unread message goes; 0 for never", default=0, minimum=0)
    pool_size: int = option("Connections that send beside each other", default=2, minimum=1, maximum=50)
    when_away: str = when_away()
    store_limit: int = store_limit()


KINDS = (
    Kind(DEFINITION, "JMS WebSphere MQ definition", DefinitionOptions),
    Kind(CHANNEL, "JMS WebSphere MQ channel", ChannelOptions),
    Kind(OUTGOING, "Outgoing JMS WebSphere MQ", OutgoingOptions),
)
