"""Starts the AMQP connector: `python -m zato.connector_amqp --folder PATH`."""

import sys

from zato.common.connectors.app import Protocol, connector_program
from zato.connector_amqp.channel import AMQPChannel
from zato.connector_amqp.config import PART_NAME, AMQPSettings
from zato.connector_amqp.kinds import CHANNEL, DEFINITION, KINDS, OUTGOING
from zato.connector_amqp.link import ping
from zato.connector_amqp.outgoing import AMQPOutgoing

PROTOCOL = Protocol(
    part=PART_NAME,
    channel_type="amqp",
    kinds=KINDS,
    makers={CHANNEL: AMQPChannel, OUTGOING: AMQPOutgoing},
    pings={
        DEFINITION: lambda configured: ping(configured.options),
        OUTGOING: lambda configured: ping(configured.references["definition"].options),
    },
)
PROGRAM = connector_program(PROTOCOL, AMQPSettings, "The AMQP connector: messages from brokers to services and back.")
# The console script `zato-connector-amqp`.
main = PROGRAM.main

if __name__ == "__main__":
    sys.exit(main())
