"""Puts the connector together: its kinds, and what runs for an object of each."""

from zato.common.connectors.app import Protocol
from zato.connector_zmq.channel import ZMQChannel
from zato.connector_zmq.config import PART_NAME, ZMQSettings
from zato.connector_zmq.dead_letters import DeadLetters
from zato.connector_zmq.engine import Engines
from zato.connector_zmq.kinds import CHANNEL, OUTGOING
from zato.connector_zmq.outgoing import ZMQOutgoing
from zato.connector_zmq.pinging import ping_channel, ping_outgoing


def make_protocol(settings: ZMQSettings) -> Protocol:
    engines, letters = Engines(), DeadLetters(settings.redis_url)
    return Protocol(
        part=PART_NAME,
        channel_type="zmq",
        kinds=(CHANNEL, OUTGOING),
        makers={
            CHANNEL.name: lambda configured, context: ZMQChannel(configured, context, engines, letters),
            OUTGOING.name: ZMQOutgoing,
        },
        pings={CHANNEL.name: ping_channel, OUTGOING.name: ping_outgoing},
        # An address that we listen at is free only once the predecessor has left it.
        overlaps={OUTGOING.name: False},
    )
