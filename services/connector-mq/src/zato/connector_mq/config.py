"""The settings of an MQ connector."""

from pathlib import Path

from zato.common.connectors.settings import ConnectorSettings
from zato.common.options import option, options

PART_NAME = "connector-mq"


@options
class MQSettings(ConnectorSettings):
    name: str = option("Name of this connector, unique among the MQ ones of the cluster", default="connector-mq1")
    grpc_address: str = option("host:port where the connector itself listens", default="127.0.0.1:31533")
    jars: tuple[str, ...] = option(
        "Provider jms: Java archives of the broker's JMS client, or folders of them, e.g. /opt/mqm/java/lib", default=()
    )
    java_options: tuple[str, ...] = option(
        "Provider jms: options of the Java virtual machine", default=("-Xmx128m", "-XX:+UseSerialGC")
    )
    mq_library: Path = option("Provider mqi: the library of IBM's MQ client", default=Path("/opt/mqm/lib64/libmqm_r.so"))
