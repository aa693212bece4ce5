from dataclasses import dataclass, field

import gevent

from zato.server.http.outbox import Outbox


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Sender:
    sent: list[bytes] = field(default_factory=list)

    def send_now(self, data: bytes) -> None:
        self.sent.append(data)


def test_answers_wait_for_the_end_of_the_loops_turn() -> None:
    outbox, sender = Outbox(Clock()), Sender()
    outbox.put(sender, b"one")
    outbox.put(sender, b"two")
    assert sender.sent == []
    gevent.sleep(0)
    assert sender.sent == [b"one", b"two"]
    outbox.put(sender, b"three")
    gevent.sleep(0)
    assert sender.sent == [b"one", b"two", b"three"]


def test_nobody_waits_for_long() -> None:
    clock = Clock()
    outbox, sender = Outbox(clock), Sender()
    outbox.put(sender, b"one")
    clock.now += 0.003
    outbox.put(sender, b"two")
    assert sender.sent == [b"one", b"two"]
    gevent.sleep(0)
    assert sender.sent == [b"one", b"two"]


def test_where_services_compute_for_long_nobody_waits_for_a_while() -> None:
    clock = Clock()
    outbox, sender = Outbox(clock), Sender()
    outbox.put(sender, b"one")
    clock.now += 0.2
    gevent.sleep(0)
    outbox.put(sender, b"two")
    assert sender.sent == [b"one", b"two"], "the first one has waited for too long, so the second one does not at all"
    clock.now += 1.1
    outbox.put(sender, b"three")
    assert sender.sent == [b"one", b"two"]
    gevent.sleep(0)
    assert sender.sent == [b"one", b"two", b"three"]
