"""
What a rate limit costs: calls a second and µs a call, one greenlet and 32 at once.

    .venv/bin/python services/server/benchmarks/rate_limits.py redis://127.0.0.1:6379/0
"""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402

from gevent.pool import Pool  # noqa: E402

from zato.server.http.rate_limits import Counter, LocalCounter, RateLimiter, make_rate_limit  # noqa: E402
from zato.server.http.redis_counter import RedisCounter  # noqa: E402

_CALLS = 5000


def measure(what: str, call: Callable[[], object], greenlets: int) -> None:
    pool = Pool(greenlets)
    started, cpu_started = time.perf_counter(), time.process_time()
    for _ in range(_CALLS):
        pool.spawn(call)
    pool.join()
    elapsed_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu_started
    per_second, cpu_us = _CALLS / elapsed_s, cpu_s / _CALLS * 1e6
    print(f"{what}, {greenlets:2} at once: {per_second:8,.0f} a second, {cpu_us:6.1f} µs of processor a call")


def main() -> None:
    shared: Counter = RedisCounter(sys.argv[1], "benchmark", None)
    limiter = RateLimiter(LocalCounter(), shared)
    for kind in ("APPROXIMATE", "EXACT"):
        limits = [make_rate_limit(f"{kind}{number}", kind, "10.0.0.0/8 = 1/m\n* = 100000000/d") for number in range(2)]
        for count in (1, 2):
            for greenlets in (1, 32):
                measure(f"{kind}, {count} limits", lambda: limiter.check(limits[:count], "127.0.0.1"), greenlets)  # noqa: B023


if __name__ == "__main__":
    main()
