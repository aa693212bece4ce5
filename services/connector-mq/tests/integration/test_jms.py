"""The provider `jms` against a real broker, without servers."""

import contextlib
import gc
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from provider_contract import ProviderContract
from tls_contract import TLSContract

from zato.common.errors import InvalidOptions, Unavailable
from zato.common.testing.certificates import CertificateAuthority
from zato.common.testing.waiting import eventually
from zato.connector_mq.messages import MQMessage
from zato.connector_mq.providers import Session

if TYPE_CHECKING:
    from running_cluster import Broker


class TestJMS(ProviderContract):
    @pytest.fixture(autouse=True)
    def _broker(self, broker: "Broker") -> None:
        self._of = broker

    def connect(self) -> Session:
        return self._of.connect()


class TestJMSOverTLS(TLSContract):
    @pytest.fixture(autouse=True)
    def _broker(self, broker: "Broker") -> None:
        self._of = broker

    def authority(self) -> CertificateAuthority:
        return self._of.authority

    def connect(self, **options: Any) -> Session:
        return self._of.connect(port=self._of.server.tls_port, **options)

    def test_a_factory_that_takes_no_files_says_so(self) -> None:
        with pytest.raises(InvalidOptions, match=r"java\.lang\.Object .*'factory_properties'"):
            self.connect(connection_factory="java.lang.Object", ssl=True, ssl_ca_file=str(self.authority().file))


def test_messages_of_java_objects_say_that_they_cannot_be_read(broker: "Broker") -> None:
    with contextlib.closing(broker.connect()) as session:
        java = session._java.jpype
        raw = session._session.createMapMessage()
        raw.setString("a", "b")
        session._produce("STRANGE", raw, 2, 4, 0)
        session._produce("STRANGE", session._session.createMessage(), 2, 4, 0)
        half = java.JClass("java.lang.String")(java.JArray(java.JChar)(["a", java.JChar(0xD800), "b"]))
        session._produce("STRANGE", session._session.createTextMessage(half), 2, 4, 0)
        session.commit()
        found = [session.receive("STRANGE", 5) for _ in range(3)]
        session.commit()
    mapped, empty, broken = found
    assert mapped is not None and "MapMessage" in mapped.problem
    assert empty is not None and (empty.body, empty.problem) == (b"", "")
    assert broken is not None and broken.message_id and "cannot be read" in broken.problem


def test_who_is_not_there_or_not_known_is_named(broker: "Broker") -> None:
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1 "):
        broker.connect(port=1, connect_timeout_s=1.0)
    with pytest.raises(Unavailable, match="nothingLikeIt"):
        broker.connect(factory_properties=("nothingLikeIt=1",))
    with pytest.raises(Unavailable, match=r"com\.ibm\.mq\.jms\.MQConnectionFactory.*jars"):
        broker.connect(connection_factory="com.ibm.mq.jms.MQConnectionFactory")
    with pytest.raises(Unavailable, match=r"java\.lang\.Runnable is no connection factory"):
        broker.connect(connection_factory="java.lang.Runnable")


def test_a_session_that_was_closed_is_held_by_nobody(broker: "Broker") -> None:
    session = broker.connect()
    java, kept = session._java, weakref.ref(session)
    session.send("HELD", MQMessage(b"x"))
    session.commit()
    session.close()
    del session

    def is_gone() -> bool:
        java.of("java.lang.System").gc()
        gc.collect()
        return kept() is None

    eventually(is_gone, what="both collectors to find it")
