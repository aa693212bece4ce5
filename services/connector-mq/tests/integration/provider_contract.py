"""
What every provider promises. A subclass says how to connect.

Queues are the peer's own: `queue` and `other` name two that are there, and empty.
"""

import contextlib
import os
from typing import Any

import pytest

from zato.connector_mq.messages import MQMessage
from zato.connector_mq.providers import Session

PROPERTIES = {"text": "zażółć", "flag": True, "small": 5, "large": 2**40, "exact": 1.5, "empty": ""}


class ProviderContract:
    queue = "CONTRACT"
    other = "CONTRACT.OTHER"
    # Whether what is sent and received in a session counts once it is committed; whether deliveries are counted.
    has_units = True
    has_counts = True

    def connect(self) -> Session:
        raise NotImplementedError

    @pytest.fixture
    def session(self) -> Any:
        """A session that has read nothing ahead; both queues are empty when it begins."""
        with contextlib.closing(self.connect()) as before:
            for name in (self.queue, self.other):
                while before.receive(name, 0.3) is not None:
                    before.commit()
        with contextlib.closing(self.connect()) as made:
            yield made

    def exchange(self, session: Session, message: MQMessage) -> MQMessage:
        """Send a message and take it."""
        session.send(self.queue, message)
        session.commit()
        came = session.receive(self.queue, 5)
        session.commit()
        assert came is not None
        return came

    def test_all_that_a_message_has_comes_as_it_went(self, session: Session) -> None:
        fields: dict[str, Any] = {"correlation_id": "c-1", "reply_to": "ANSWERS", "type": "order", "priority": 8}
        body = "zażółć 🚀".encode()
        came = self.exchange(session, MQMessage(body, expiration_ms=60_000, properties=PROPERTIES, **fields))
        assert (came.body, came.is_text, came.is_persistent, came.problem) == (body, True, True, "")
        assert {name: getattr(came, name) for name in fields} == fields
        assert {name: came.properties[name] for name in PROPERTIES} == PROPERTIES
        assert [type(came.properties[name]) for name in PROPERTIES] == [str, bool, int, int, float, str]
        assert came.message_id and came.delivery_count == 1

    def test_bytes_stay_bytes_and_large_ones_whole(self, session: Session) -> None:
        for body in (bytes(range(256)), b"", os.urandom(500_000)):
            came = self.exchange(session, MQMessage(body, is_text=False, is_persistent=False))
            assert came.body == body and not came.is_text and not came.is_persistent

    def test_what_is_rolled_back_was_not_sent_and_comes_again(self, session: Session) -> None:
        if self.has_units:
            session.send(self.queue, MQMessage(b"gone"))
            session.roll_back()
        session.send(self.queue, MQMessage(b"there"))
        session.commit()
        first = session.receive(self.queue, 5)
        session.roll_back()
        again = session.receive(self.queue, 5)
        session.commit()
        assert session.receive(self.queue, 0.2) is None
        assert first is not None and again is not None and first.body == again.body == b"there"
        if self.has_counts:
            assert (first.delivery_count, again.delivery_count) == (1, 2)

    def test_a_session_that_ends_gives_back_what_it_has_and_sends_no_more(self, session: Session) -> None:
        session.send(self.queue, MQMessage(b"here"))
        session.commit()
        with contextlib.closing(self.connect()) as ended:
            assert ended.receive(self.queue, 5) is not None
            if self.has_units:
                ended.send(self.other, MQMessage(b"not there"))
        came = session.receive(self.queue, 5)
        session.commit()
        assert came is not None and came.body == b"here"
        assert session.receive(self.other, 0.2) is None

    def test_one_of_many_is_taken_by_its_id_and_forwarded_with_all_that_it_has(self, session: Session) -> None:
        sent = [MQMessage(b"%d" % n, correlation_id="c", properties={"n": n, "zato_cid": "x"}) for n in range(3)]
        ids = [session.send(self.queue, each) for each in sent]
        session.commit()
        assert [each.message_id for each in session.browse(self.queue, 10)] == ids
        assert [each.message_id for each in session.browse(self.queue, 2)] == ids[:2]
        assert (session.count(self.queue, 10), session.count(self.queue, 2)) == (3, 2)
        message = session.receive(self.queue, 5, ids[1])
        assert message is not None
        session.forward(self.other, message, {"zato_count": 3}, ("zato_cid", "unknown"))
        session.commit()
        assert session.receive(self.queue, 0.3, ids[1]) is None
        # Some give what they have read ahead back only when they end.
        session.close()
        with contextlib.closing(self.connect()) as later:
            assert [each.body for each in later.browse(self.queue, 10)] == [b"0", b"2"]
            came = later.receive(self.other, 5)
            later.commit()
        assert came is not None and (came.body, came.correlation_id, came.delivery_count) == (b"1", "c", 1)
        assert came.properties == {"n": 1, "zato_count": 3}
