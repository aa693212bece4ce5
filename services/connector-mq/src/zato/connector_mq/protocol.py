"""What makes a connector the one of IBM MQ and JMS."""

from zato.common.connectors.app import Protocol
from zato.common.connectors.objects import Configured
from zato.connector_mq.channel import MQChannel
from zato.connector_mq.config import PART_NAME, MQSettings
from zato.connector_mq.kinds import CHANNEL, DEFINITION, KINDS, OUTGOING
from zato.connector_mq.outgoing import MQOutgoing
from zato.connector_mq.providers import make_provider


def make_protocol(settings: MQSettings) -> Protocol:
    def ping(definition: Configured) -> None:
        make_provider(settings, definition.options).connect().close()

    return Protocol(
        part=PART_NAME,
        channel_type="websphere-mq",
        kinds=KINDS,
        makers={
            CHANNEL: lambda configured, context: MQChannel(settings, configured, context),
            OUTGOING: lambda configured, context: MQOutgoing(settings, configured, context),
        },
        pings={DEFINITION: ping, OUTGOING: lambda configured: ping(configured.references["definition"])},
    )
