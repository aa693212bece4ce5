"""
The provider `mqi`: IBM's binding, and a double of IBM's client library.

The double is our reading of the MQI: these tests show what the provider does about a queue manager's answers, not what a
queue manager answers. docs/messaging.md lists what only one of IBM's can confirm.
"""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from provider_contract import ProviderContract

from zato.common.connectors.errors import InDoubt, NotSent, Refused
from zato.common.errors import Unavailable, ZatoError
from zato.common.testing.plugin import require_package
from zato.common.testing.waiting import eventually
from zato.connector_mq.config import MQSettings
from zato.connector_mq.kinds import DefinitionOptions
from zato.connector_mq.messages import MQMessage
from zato.connector_mq.mqi import MQIProvider, MQISession

require_package("ibmmq", "ibmmq")

if TYPE_CHECKING:
    from double import QueueManager
    from running_cluster import Cluster

OPTIONS: dict[str, Any] = {"provider": "mqi", "host": "mq.example", "queue_manager": "QM1", "channel": "APP.SVRCONN"}


@pytest.fixture
def manager(mqi_manager: "QueueManager") -> Iterator["QueueManager"]:
    yield mqi_manager
    for mark in (".down", ".refused"):
        (mqi_manager.folder / mark).unlink(missing_ok=True)


@contextlib.contextmanager
def session(manager: "QueueManager", **options: Any) -> Iterator[MQISession]:
    settings = MQSettings(token="-", mq_library=manager.library)
    with contextlib.closing(MQIProvider(settings, DefinitionOptions(**{**OPTIONS, **options})).connect()) as made:
        yield made


class TestMQI(ProviderContract):
    @pytest.fixture(autouse=True)
    def _manager(self, manager: "QueueManager") -> None:
        manager.define(self.queue, self.other)
        self._library = manager.library

    def connect(self) -> MQISession:
        return MQIProvider(MQSettings(token="-", mq_library=self._library), DefinitionOptions(**OPTIONS)).connect()


def test_a_descriptor_says_what_ibm_mq_has_a_place_for(manager: "QueueManager") -> None:
    manager.define("WHOLE")
    with session(manager) as mq:
        sent = MQMessage(b"x", reply_to="queue://QM2/ANSWERS", expiration_ms=60_000, group_id="g", group_sequence=2)
        message_id = mq.send("queue:///WHOLE", sent)
        mq.commit()
        came = mq.receive("WHOLE", 1)
        mq.commit()
    assert came is not None and (came.message_id, came.reply_to) == (message_id, "queue://QM2/ANSWERS")
    assert message_id.startswith("ID:") and len(message_id) == 3 + 48
    assert came.expiration_ms == pytest.approx(came.timestamp_ms + 60_000, abs=2000)
    assert (came.mqmd["Format"], came.mqmd["ReplyToQ"], came.mqmd["ReplyToQMgr"]) == ("MQHRF2", "ANSWERS", "QM2")
    assert (came.mqmd["Persistence"], came.mqmd["MsgType"], len(came.mqmd["PutDate"])) == (1, 1, 8)
    assert (came.group_id, came.group_sequence, came.mqmd["MsgSeqNumber"]) == ("g", 2, 2)


def test_without_jms_a_message_is_its_descriptor_and_its_body(manager: "QueueManager") -> None:
    manager.define("PLAIN")
    with session(manager, use_jms=False) as mq:
        mq.send("PLAIN", MQMessage(b"text", correlation_id="ID:" + "ab" * 24))
        mq.send("PLAIN", MQMessage(bytes(range(256)), is_text=False, is_persistent=False))
        mq.commit()
        text, binary = mq.receive("PLAIN", 1), mq.receive("PLAIN", 1)
        mq.commit()
    assert text is not None and binary is not None
    assert (text.mqmd["Format"], text.body, text.correlation_id) == ("MQSTR", b"text", "ID:" + "ab" * 24)
    assert (binary.body, binary.is_text, binary.is_persistent) == (bytes(range(256)), False, False)


@pytest.mark.parametrize(("needs_mcd", "has_it"), [(True, True), (False, False)])
def test_the_folder_mcd_is_there_for_those_who_need_it(manager: "QueueManager", needs_mcd: bool, has_it: bool) -> None:
    manager.define("MCD")
    with session(manager, needs_mcd=needs_mcd) as mq:
        mq.send("MCD", MQMessage(b"text"))
        mq.commit()
        came = mq.receive("MCD", 1)
        mq.commit()
    assert came is not None and (b"<mcd><Msd>jms_text</Msd></mcd>" in came.raw[1]) is has_it


def test_a_message_whose_header_is_damaged_says_so_and_is_forwarded_as_it_is(manager: "QueueManager") -> None:
    manager.define("DAMAGED", "GRAVE")
    with session(manager) as mq:
        md = mq._mq.MD(Format=b"MQHRF2  ", CodedCharSetId=1208)
        mq._put("DAMAGED", md, b"RFH \x02\x00\x00\x00 and so on")
        mq.commit()
        came = mq.receive("DAMAGED", 1)
        assert came is not None and "MQRFH2 cannot be read" in came.problem
        mq.forward("GRAVE", came, {"zato_reason": "x"}, ())
        mq.commit()
        assert [each.body for each in mq.browse("GRAVE", 10)] == [b"RFH \x02\x00\x00\x00 and so on"]


def test_the_same_message_sent_again_has_the_same_id(manager: "QueueManager") -> None:
    manager.define("AGAIN")
    with session(manager) as mq:
        ids = {mq.send("AGAIN", MQMessage(b"x", message_id="a-cid-of-twenty-four-and-more-characters")) for _ in range(2)}
        ids |= {mq.send("AGAIN", MQMessage(b"x", message_id="another"))}
        mq.commit()
    assert len(ids) == 2


def test_a_queue_says_where_its_dead_letters_go(manager: "QueueManager") -> None:
    manager.define("WITH", "WITHOUT")
    (manager.folder / "WITH" / ".boqname").write_text("THE.BACKOUT.QUEUE")
    with session(manager) as mq:
        assert (mq.backout_queue("WITH"), mq.backout_queue("WITHOUT")) == ("THE.BACKOUT.QUEUE", "")
        with pytest.raises(Unavailable, match="2085"):
            mq.backout_queue("NOWHERE")


def test_what_a_queue_manager_does_not_take_is_told_from_what_it_does_not_take_now(manager: "QueueManager") -> None:
    manager.define("FULL")
    manager.set("FULL/.full")
    with session(manager) as mq:
        with pytest.raises(Refused, match="2085, UNKNOWN_OBJECT_NAME"):
            mq.send("NOWHERE", MQMessage(b"x"))
        with pytest.raises(NotSent, match="2053, Q_FULL"):
            mq.send("FULL", MQMessage(b"x"))
        manager.set("FULL/.full", False)
        mq.send("FULL", MQMessage(b"x"))
        mq.commit()


def test_a_queue_manager_that_goes_away_is_noticed_wherever_that_happens(manager: "QueueManager") -> None:
    manager.define("GONE")
    with session(manager) as mq:
        mq.send("GONE", MQMessage(b"x"))
        manager.set(".down")
        with pytest.raises(InDoubt, match="2009"):
            mq.commit()
        with pytest.raises(Unavailable, match="2009"):
            mq.keep_alive()
        with pytest.raises(Unavailable, match="2009"):
            mq.receive("GONE", 0.1)
    with pytest.raises(Unavailable, match=r"mq\.example:1414 does not let us in: MQRC 2059"), session(manager):
        pass
    manager.set(".down", False)
    manager.set(".refused")
    with pytest.raises(Unavailable, match="2035, NOT_AUTHORIZED"), session(manager):
        pass


def test_what_is_missing_is_named() -> None:
    with pytest.raises(Unavailable, match="'channel'"):
        MQIProvider(MQSettings(token="-"), DefinitionOptions(**{**OPTIONS, "channel": ""}))


def test_services_get_and_send_messages_while_the_queue_manager_and_the_connector_die(
    cluster: "Cluster", manager: "QueueManager"
) -> None:
    manager.define("IN", "IN.BACKOUT")
    cluster.create("definition-jms-wmq", "qm1", **OPTIONS)
    cluster.create("outgoing-jms-wmq", "out-mqi", definition="qm1", queue="IN")
    cluster.channel("IN", "jms-wmq.note", definition="qm1")
    eventually(lambda: cluster.connectors[0].is_connected("out-mqi"), timeout_s=10)
    sent = [f"m-{number}" for number in range(300)]
    with session(manager) as mq:
        for body in sent:
            mq.send("IN", MQMessage(body.encode()))
        mq.commit()
    eventually(lambda: cluster.lines("IN"), timeout_s=10)
    cluster.connectors[0].kill()
    cluster.connectors[0].start()
    eventually(lambda: cluster.connectors[0].is_connected("IN"), timeout_s=10)
    manager.set(".down")
    eventually(lambda: not cluster.connectors[0].is_connected("IN"), timeout_s=10)
    manager.set(".down", False)
    counts = cluster.await_all("IN", sent)
    # Of the connector's death. What was in services when the queue manager went is known to be done.
    assert sum(counts.values()) - len(sent) <= 5
    eventually(lambda: cluster.connectors[0].is_connected("out-mqi"), timeout_s=10)
    message_id = cluster.server.invoke("jms-wmq.send", {"body": "by a service", "queue": "", "out": "out-mqi"})["id"]
    assert message_id.startswith("ID:")
    cluster.await_all("IN", ["by a service"])
    eventually(lambda: manager.size("IN") == 0, timeout_s=10)


def test_a_poison_message_goes_where_its_queue_says_after_exactly_its_tries(
    cluster: "Cluster", manager: "QueueManager"
) -> None:
    manager.define("POISON", "POISON.OTHERS")
    (manager.folder / "POISON" / ".boqname").write_text("POISON.OTHERS")
    cluster.create("definition-jms-wmq", "qm1", **OPTIONS)
    cluster.channel("POISON", "jms-wmq.fail", definition="qm1", tries=3, retry_after_s=0.05)
    with session(manager) as mq:
        mq.send("POISON", MQMessage(b"bad", properties={"kept": "yes"}))
        mq._put("POISON", mq._mq.MD(Format=b"MQHRF2  "), b"RFH and nothing of it")
        mq.commit()
    eventually(lambda: manager.size("POISON.OTHERS") == 2, timeout_s=15)
    assert cluster.lines("POISON") == ["bad"] * 3
    letters = list(cluster.connectors[0].call("ListDeadLetters", channel="POISON").letters)
    assert {letter.body for letter in letters} == {b"bad", b"RFH and nothing of it"}
    (bad,) = [letter for letter in letters if letter.body == b"bad"]
    assert bad.count == 3 and bad.cid and "ValueError: the reason" in bad.reason
    assert cluster.connectors[0].call("RedriveDeadLetters", channel="POISON", ids=[bad.id]).count == 1
    eventually(lambda: len(cluster.lines("POISON")) == 6 and manager.size("POISON.OTHERS") == 2, timeout_s=15)
    assert cluster.connectors[0].call("PurgeDeadLetters", channel="POISON", is_all=True).count == 2
    with contextlib.suppress(ZatoError):
        cluster.server.invoke("zato.channel-jms-wmq.delete", {"name": "POISON"})


def test_what_was_in_services_when_the_queue_manager_went_away_is_not_done_again(
    cluster: "Cluster", manager: "QueueManager"
) -> None:
    manager.define("ORPHANS")
    cluster.create("definition-jms-wmq", "qm1", **OPTIONS)
    cluster.channel("ORPHANS", "jms-wmq.nap", definition="qm1")
    with session(manager) as mq:
        for number in range(5):
            mq.send("ORPHANS", MQMessage(b"o-%d" % number))
        mq.commit()
    eventually(lambda: cluster.status("ORPHANS").in_flight == 5, timeout_s=10)
    manager.set(".down")
    eventually(lambda: not cluster.connectors[0].is_connected("ORPHANS"), timeout_s=10)
    manager.set(".down", False)
    eventually(lambda: manager.size("ORPHANS") == 0, timeout_s=30)
    assert sorted(cluster.lines("ORPHANS")) == [f"o-{number}" for number in range(5)]
