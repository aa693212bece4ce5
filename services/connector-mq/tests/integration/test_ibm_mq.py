"""
The providers and a queue manager of IBM's, for whoever has one: ZATO_TEST_IBM_MQ='host(port)/QM/CHANNEL/QUEUE'.

The queue and QUEUE.OTHER have to be there; what is in them is taken out. ZATO_TEST_IBM_MQ_USER is name:password, and
ZATO_TEST_MQ_LIBRARY says where IBM's client is, unless it is in /opt/mqm; with ZATO_TEST_IBM_MQ_JARS, a folder, the provider
`jms` takes its turn too.
"""

import os
from pathlib import Path

import pytest
from provider_contract import ProviderContract

from zato.connector_mq.config import MQSettings
from zato.connector_mq.jms import JMSProvider
from zato.connector_mq.kinds import DefinitionOptions
from zato.connector_mq.mqi import MQIProvider
from zato.connector_mq.providers import Session

WHERE = os.environ.get("ZATO_TEST_IBM_MQ", "")
HOST, QUEUE_MANAGER, CHANNEL, QUEUE = (WHERE.split("/") + [""] * 4)[:4]
USER, _, PASSWORD = os.environ.get("ZATO_TEST_IBM_MQ_USER", "").partition(":")


JARS = os.environ.get("ZATO_TEST_IBM_MQ_JARS", "")
OPTIONS = DefinitionOptions(host=HOST, queue_manager=QUEUE_MANAGER, channel=CHANNEL, username=USER, password=PASSWORD)


@pytest.mark.skipif(not WHERE, reason="nobody named a queue manager of IBM's: see docs/messaging.md")
class TestIBMMQ(ProviderContract):
    queue = QUEUE
    other = f"{QUEUE}.OTHER"

    def connect(self) -> Session:
        library = Path(os.environ.get("ZATO_TEST_MQ_LIBRARY", "/opt/mqm/lib64/libmqm_r.so"))
        return MQIProvider(MQSettings(token="-", mq_library=library), OPTIONS).connect()


@pytest.mark.skipif(not (WHERE and JARS), reason="nobody named IBM's Java archives: see docs/messaging.md")
class TestIBMMQByItsJavaClient(ProviderContract):
    queue = QUEUE
    other = f"{QUEUE}.OTHER"

    def connect(self) -> Session:
        return JMSProvider(MQSettings(token="-", jars=(JARS,)), OPTIONS).connect()
