"""Many who look, and one who asks for them."""

import threading
from collections.abc import Iterator
from typing import Any, cast

from zato.common.errors import Unauthorized, Unavailable
from zato.common.testing.waiting import eventually
from zato.webadmin.live import LiveTraffic


class Servers:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.running = 0
        self.most_at_once = 0
        self.error: Exception | None = None
        self.not_let_in: set[str] = set()

    def __call__(self, person: Any) -> str:
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        self.asked.append(person)
        try:
            if self.error is not None:
                raise self.error
            if person in self.not_let_in:
                raise Unauthorized("No")
            return str(len(self.asked))
        finally:
            self.running -= 1


def looking(live: LiveTraffic, name: str, goes_on: Any = lambda: True) -> Iterator[str]:
    return live.events(cast(Any, name), goes_on)


def asking() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "live"]


def test_all_who_look_are_served_by_one_who_asks_as_each_of_them_in_turn() -> None:
    servers = Servers()
    live = LiveTraffic(servers, every_s=0.01)
    viewers = [looking(live, name) for name in ("ann", "bob", "carl")]
    received: list[list[str]] = [[], [], []]

    def look(index: int) -> None:
        received[index] += [next(viewers[index]) for _ in range(20)]

    threads = [threading.Thread(target=look, args=(index,)) for index in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert servers.most_at_once == 1
    assert len(asking()) == 1
    assert set(servers.asked) == {"ann", "bob", "carl"}
    # Who is slow misses one, and nobody gets one twice.
    for each in received:
        numbers = [int(event.removeprefix("data: ")) for event in each]
        assert numbers == sorted(set(numbers))
    for viewer in viewers:
        viewer.close()  # type: ignore[attr-defined]
    eventually(lambda: not asking())
    asked = len(servers.asked)
    again = looking(live, "ann")
    assert int(next(again).removeprefix("data: ")) > asked
    again.close()  # type: ignore[attr-defined]


def test_whoever_is_not_let_in_any_more_hears_no_more_and_others_do() -> None:
    servers = Servers()
    live = LiveTraffic(servers, every_s=0.01)
    ann, bob = looking(live, "ann"), looking(live, "bob")
    next(ann), next(bob)
    servers.not_let_in = {"ann"}
    assert len(list(ann)) < 1000
    assert next(bob).startswith("data: ")
    bob.close()  # type: ignore[attr-defined]


def test_what_is_missing_is_said_and_numbers_come_back_after_whatever_went_wrong() -> None:
    servers = Servers()
    live = LiveTraffic(servers, every_s=0.01)
    ann = looking(live, "ann")
    next(ann)
    for error, said in ((Unavailable("Redis does not answer"), "Redis"), (ValueError("odd"), "log of the web admin")):
        servers.error = error
        event = eventually(lambda: next(each for each in ann if each.startswith("event: missing")))
        assert said in event and "odd" not in event
        servers.error = None
        assert next(each for each in ann if each.startswith("data: "))
    ann.close()  # type: ignore[attr-defined]


def test_a_stream_ends_when_it_is_to_end() -> None:
    rest = [True, True, False]
    assert len(list(looking(LiveTraffic(Servers(), every_s=0.01), "ann", lambda: rest.pop(0)))) <= 2
