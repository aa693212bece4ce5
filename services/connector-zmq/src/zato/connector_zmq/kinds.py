"""The kinds `channel-zmq` and `outgoing-zmq`: what can be configured, each option declared once."""

import zmq.utils.z85

from zato.common.connectors.leases import runs_once
from zato.common.connectors.sending import store_limit, when_away
from zato.common.kinds import Kind
from zato.common.options import option, options
from zato.connector_zmq.addresses import check_address

_KEY_CHARACTERS = 40
_HWM = "Messages that wait in memory on this side of a socket, per peer; 0 for no limit"


@options
class SocketOptions:
    """What sockets of both directions have."""

    address: tuple[str, ...] = option("tcp://host:port or ipc:///path; several, separated by commas, for one socket")
    linger_ms: int = option(
        "Milliseconds that what is not sent yet may take when a socket is closed", default=1000, minimum=0, maximum=60_000
    )
    reconnect_min_ms: int = option("Milliseconds before the first attempt to reconnect", default=100, minimum=1, maximum=60_000)
    reconnect_max_ms: int = option("Milliseconds between attempts at most", default=2000, minimum=1, maximum=600_000)
    heartbeat_ms: int = option(
        "Milliseconds between signs of life; a peer that gives none three times is gone. None when 0",
        default=5000,
        minimum=0,
        maximum=600_000,
    )
    max_message_bytes: int = option(
        "A peer that sends a larger message is cut off; no limit when -1", default=3_000_000, minimum=-1, maximum=1_000_000_000
    )
    curve_public_key: str = option("Our CURVE key, 40 characters as zmq.curve_keypair() makes them", default="")
    curve_secret_key: str = option("Its secret half; peers without CURVE are refused once it is given", default="", secret=True)
    curve_server_key: str = option(
        "Public key of the peer, of whom we are the CURVE client; when empty we are the CURVE server", default=""
    )
    curve_client_keys: tuple[str, ...] = option(
        "Public keys of the clients that a CURVE server lets in; when empty, all that know its own key", default=()
    )

    def __post_init__(self) -> None:
        _check(self, str(getattr(self, "socket_method", "bind")))

    @property
    def is_curve_server(self) -> bool:
        return bool(self.curve_secret_key) and not self.curve_server_key


def _check(made: SocketOptions, socket_method: str) -> None:
    if not made.address:
        raise ValueError("'address' takes at least one, e.g. tcp://127.0.0.1:5555")
    for address in made.address:
        check_address(address, is_bound=socket_method == "bind")
    if made.reconnect_max_ms < made.reconnect_min_ms:
        raise ValueError("'reconnect_max_ms' has to be 'reconnect_min_ms' or more")
    keys = {
        "curve_public_key": (made.curve_public_key,),
        "curve_secret_key": (made.curve_secret_key,),
        "curve_server_key": (made.curve_server_key,),
        "curve_client_keys": made.curve_client_keys,
    }
    for name, values in keys.items():
        for value in values:
            if value and not _is_key(value):
                raise ValueError(
                    f"'{name}' takes keys of {_KEY_CHARACTERS} characters in Z85, as zmq.curve_keypair() makes them"
                )
    if bool(made.curve_public_key) != bool(made.curve_secret_key):
        raise ValueError("'curve_public_key' and 'curve_secret_key' go together: give both, or none")
    if (made.curve_server_key or made.curve_client_keys) and not made.curve_secret_key:
        raise ValueError("CURVE takes a key of ours: give 'curve_public_key' and 'curve_secret_key'")
    if made.curve_server_key and made.curve_client_keys:
        raise ValueError("'curve_client_keys' is for CURVE servers, whose 'curve_server_key' is empty")


def _is_key(value: str) -> bool:
    if len(value) != _KEY_CHARACTERS or not value.isascii():
        return False
    try:
        zmq.utils.z85.decode(value)
    except (ValueError, KeyError):
        return False
    return True


@options
class ChannelOptions(SocketOptions):
    """Hands what ZeroMQ peers send to a service, and in the types that have answers sends back what it says."""

    socket_type: str = option("PULL, SUB, REP or ROUTER", default="PULL", choices=("PULL", "SUB", "REP", "ROUTER"))
    socket_method: str = option(
        "Whether we listen at the address or connect to it", default="bind", choices=("bind", "connect")
    )
    service: str = option("Service that gets the messages", reference="service")
    data_format: str = option("What self.request.payload is made of", default="raw", choices=("raw", "json", "xml"))
    sub_key: str = option(
        "SUB: beginning of the messages that we want, several separated by commas; all when empty", default=""
    )
    is_acknowledged: bool = option(
        "ROUTER: peers speak the acknowledged protocol, of which no message is lost; plain frames otherwise", default=True
    )
    rcv_hwm: int = option(_HWM, default=1000, minimum=0, maximum=1_000_000)
    prefetch: int = option(
        "Messages that wait for the service or are in it; then the socket is not read", default=200, minimum=1
    )
    pool_strategy: str = option(
        "single: one message after the other; unlimited: as many at a time as servers take",
        default="unlimited",
        choices=("single", "unlimited"),
    )
    tries: int = option("How often a service that fails is tried before the message is a dead letter", default=5, minimum=1)
    retry_after_s: float = option("Seconds to the second try; doubled for each further one", default=1.0, minimum=0.01)
    timeout_s: float = option("Seconds that the service may take", default=60.0, minimum=0.1)
    inbox_s: int = option(
        "Seconds for which an acknowledged message that was done is not done again; 0 for none", default=0, minimum=0
    )

    runs_once: bool = runs_once()

    def topics(self) -> tuple[bytes, ...]:
        return tuple(part.strip().encode() for part in self.sub_key.split(",")) if self.sub_key else (b"",)


@options
class OutgoingOptions(SocketOptions):
    """Sends what services give it to ZeroMQ peers."""

    socket_type: str = option("PUSH, PUB, REQ or DEALER", default="PUSH", choices=("PUSH", "PUB", "REQ", "DEALER"))
    socket_method: str = option(
        "Whether we listen at the address or connect to it", default="connect", choices=("bind", "connect")
    )
    is_acknowledged: bool = option(
        "DEALER: the peer speaks the acknowledged protocol, of which no message is lost; plain frames otherwise", default=True
    )
    snd_hwm: int = option(_HWM, default=1000, minimum=0, maximum=1_000_000)
    resend_after_s: float = option("Acknowledged: seconds after which it is sent again", default=1.0, minimum=0.05)
    wait_for_subscriber_s: float = option(
        "PUB: seconds that the first message waits for somebody to subscribe", default=1.0, minimum=0.0, maximum=60.0
    )
    when_away: str = when_away()
    store_limit: int = store_limit()


CHANNEL = Kind("channel-zmq", "ZeroMQ channel", ChannelOptions)
OUTGOING = Kind("outgoing-zmq", "Outgoing ZeroMQ connection", OutgoingOptions)
