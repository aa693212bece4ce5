"""The settings of an AMQP connector."""

from zato.common.connectors.settings import ConnectorSettings
from zato.common.options import option, options

PART_NAME = "connector-amqp"


@options
class AMQPSettings(ConnectorSettings):
    name: str = option("Name of this connector, unique among the AMQP ones of the cluster", default="connector-amqp1")
    grpc_address: str = option("host:port where the connector itself listens", default="127.0.0.1:31531")
