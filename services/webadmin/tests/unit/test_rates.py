"""How fast counters grow."""

from zato.webadmin.rates import Rates


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_speed_is_known_once_a_counter_was_seen_twice_and_is_that_of_the_last_seconds() -> None:
    clock = Clock()
    rates = Rates(10.0, clock)
    assert rates.per_second({"orders": 100}) == {"orders": None}
    clock.now += 2
    assert rates.per_second({"orders": 120}) == {"orders": 10.0}
    for _ in range(5):
        clock.now += 2
        found = rates.per_second({"orders": 120})
    assert found == {"orders": 0.0}


def test_after_a_time_in_which_nobody_looked_nothing_is_known() -> None:
    clock = Clock()
    rates = Rates(10.0, clock)
    rates.per_second({"orders": 100})
    clock.now += 60
    assert rates.per_second({"orders": 700}) == {"orders": None}


def test_a_counter_that_began_anew_and_one_that_went_are_forgotten() -> None:
    clock = Clock()
    rates = Rates(10.0, clock)
    rates.per_second({"orders": 100, "stock": 1})
    clock.now += 2
    assert rates.per_second({"orders": 4}) == {"orders": None}
    clock.now += 2
    assert rates.per_second({"orders": 8, "stock": 9}) == {"orders": 2.0, "stock": None}
