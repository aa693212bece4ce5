"""
What every bus promises. A test class of an implementation says how to make one and inherits the tests:

    class TestRedisBus(BusContract):
        @pytest.fixture
        def bus(self, redis_url): ...
"""

import secrets
import threading

import pytest

from zato.common.bus import Bus
from zato.common.testing.waiting import eventually


class Heard(list[str]):
    """A handler that keeps what it is called with."""

    def __call__(self, message: str) -> None:
        self.append(message)

    @property
    def messages(self) -> list[str]:
        return [message for message in self if message]

    def wait_for(self, *messages: str) -> None:
        eventually(lambda: self.messages == list(messages), what=f"{messages} to arrive; there are {self}")

    def wait_for_connections(self, number: int) -> None:
        eventually(lambda: self.count("") >= number, what=f"connection {number}; there are {self.count('')}")


class BusContract:
    @pytest.fixture
    def bus(self) -> Bus:
        raise NotImplementedError

    @pytest.fixture
    def topic(self) -> str:
        return f"topic-{secrets.token_hex(4)}"

    @pytest.fixture
    def heard(self, bus: Bus, topic: str) -> Heard:
        """A handler that is subscribed and connected."""
        heard = Heard()
        bus.subscribe(topic, heard)
        heard.wait_for_connections(1)
        return heard

    def test_who_subscribes_is_told_to_read_the_truth_first(self, heard: Heard) -> None:
        assert heard == [""]

    def test_messages_arrive_in_order_and_as_they_were_sent(self, bus: Bus, topic: str, heard: Heard) -> None:
        messages = [str(number) for number in range(50)] + ["zażółć ✓", "two\nlines"]
        for message in messages:
            bus.publish(topic, message)
        heard.wait_for(*messages)

    def test_every_subscriber_of_a_topic_hears_a_message(self, bus: Bus, topic: str, heard: Heard) -> None:
        another = Heard()
        bus.subscribe(topic, another)
        another.wait_for_connections(1)
        bus.publish(topic, "1234")
        heard.wait_for("1234")
        another.wait_for("1234")

    def test_a_topic_is_heard_by_its_own_subscribers_only(self, bus: Bus, topic: str, heard: Heard) -> None:
        bus.publish(f"{topic}-of-others", "not for us")
        bus.publish(topic, "for us")
        heard.wait_for("for us")

    def test_publishing_to_nobody_is_fine(self, bus: Bus, topic: str) -> None:
        bus.publish(topic, "is there anybody?")

    def test_a_handler_that_fails_hears_the_next_message(self, bus: Bus, topic: str) -> None:
        heard = Heard()
        is_connected = threading.Event()

        def fail_once(message: str) -> None:
            heard(message)
            is_connected.set()
            if message in ("", "first"):
                raise OSError("this handler's own trouble, not the connection's")

        bus.subscribe(topic, fail_once)
        assert is_connected.wait(10)
        bus.publish(topic, "first")
        bus.publish(topic, "second")
        heard.wait_for("first", "second")
        assert heard.count("") == 1, "a handler's failure is no lost connection"

    def test_a_handler_that_fails_keeps_a_message_from_no_other(self, bus: Bus, topic: str) -> None:
        def fail(message: str) -> None:
            raise RuntimeError("always")

        heard = Heard()
        bus.subscribe(topic, fail)
        bus.subscribe(topic, heard)
        heard.wait_for_connections(1)
        bus.publish(topic, "1234")
        heard.wait_for("1234")
