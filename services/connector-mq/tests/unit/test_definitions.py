"""What definitions mean to the providers."""

from pathlib import Path

import pytest

from zato.common.errors import Unavailable
from zato.connector_mq.context import context_of
from zato.connector_mq.jms_factories import ACTIVEMQ_FACTORY, properties_of
from zato.connector_mq.jvm import find_archives
from zato.connector_mq.kinds import ChannelOptions, DefinitionOptions
from zato.connector_mq.messages import MQMessage


def test_ibm_clients_are_told_of_the_queue_manager_and_its_channel() -> None:
    options = DefinitionOptions(host="mq1", queue_manager="QM1", channel="APP.SVRCONN", ssl=True, ssl_cipher_spec="SUITE")
    assert properties_of(options) == {
        "HostName": "mq1",
        "Port": "1414",
        "QueueManager": "QM1",
        "Channel": "APP.SVRCONN",
        "TransportType": "1",
        "SSLCipherSuite": "SUITE",
    }


def test_several_hosts_of_a_queue_manager_are_a_list_of_connections() -> None:
    found = properties_of(DefinitionOptions(host="mq1(1414),mq2(1415)", channel="C"))
    assert found == {"ConnectionNameList": "mq1(1414),mq2(1415)", "Channel": "C", "TransportType": "1"}


def test_a_definition_says_more_and_otherwise_by_factory_properties() -> None:
    options = DefinitionOptions(
        host="h", connection_factory=ACTIVEMQ_FACTORY, factory_properties=("brokerURL=ssl://x", "a=b=c")
    )
    assert properties_of(options) == {"brokerURL": "ssl://x", "a": "b=c"}
    assert properties_of(DefinitionOptions(host="h", connection_factory="com.example.Factory")) == {}
    with pytest.raises(ValueError, match="name=value"):
        DefinitionOptions(host="h", factory_properties=("=x",))


def test_archives_are_files_and_folders(tmp_path: Path) -> None:
    for name in ("b.jar", "a.jar", "notes.txt"):
        (tmp_path / name).touch()
    both = [str(tmp_path / "a.jar"), str(tmp_path / "b.jar")]
    assert find_archives([str(tmp_path)]) == both and find_archives(both) == both
    with pytest.raises(Unavailable, match="setting 'jars'"):
        find_archives([str(tmp_path / "nothing")])


def test_one_message_after_the_other_is_one_reader() -> None:
    made = ChannelOptions(definition="d", queue="q", service="s", pool_size=9, is_ordered=True)
    assert made.readers == 1


def test_when_a_message_was_put_is_told_as_queue_managers_tell_it() -> None:
    context = context_of(MQMessage(b"x", timestamp_ms=1_767_323_045_670))
    assert (context["put_date"], context["put_time"]) == ("20260102", "03040567")
    context = context_of(MQMessage(b"x", timestamp_ms=2**60, mqmd={"PutDate": "20200101", "PutTime": "00000000"}))
    assert (context["put_date"], context["put_time"]) == ("20200101", "00000000")
