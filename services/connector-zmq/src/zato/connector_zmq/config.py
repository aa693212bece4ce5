"""The settings of a ZeroMQ connector."""

from zato.common.connectors.settings import ConnectorSettings
from zato.common.options import option, options

PART_NAME = "connector-zmq"


@options
class ZMQSettings(ConnectorSettings):
    grpc_address: str = option("host:port where the connector itself listens", default="127.0.0.1:31532")
    redis_url: str = option(
        "Where dead letters are kept, e.g. redis://:password@127.0.0.1:6379/0", default="redis://127.0.0.1:6379/0", secret=True
    )
