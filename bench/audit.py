"""
How long the audit log takes to be searched and verified, with 100,000 rows.

    python -m bench.audit                                  on SQLite
    python -m bench.audit postgresql://user@host/empty     on PostgreSQL, in an empty database
"""

import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from zato.server.admin.audit import find
from zato.server.control.audit_chain import Entry, append, verify
from zato.server.odb import schema
from zato.server.odb.database import Database

ROWS = 100_000
_AT_ONCE = 1000
_TIMES = 9
SEARCHES = {
    "newest page": {},
    "by who": {"who": "person-7"},
    "by object": {"kind": "channel-http", "name": "orders-77"},
    "by service": {"service": "zato.channel-http.edit"},
    "by cid": {"cid": "cid-54321"},
    "by result": {"result": "refused"},
    "by time": {"since": "2020-01-01", "until": "2090-01-01"},
    "last page": {"cur_page": 2000},
    "text": {"query": "orders-77"},
    "text that is nowhere": {"query": "nowhere"},
}


def fill(database: Database) -> None:
    for start in range(0, ROWS, _AT_ONCE):
        with database.transaction() as session:
            for number in range(start, start + _AT_ONCE):
                append(session, _entry(number))


def _entry(number: int) -> Entry:
    fields = {"url_path": f"/orders/{number}", "method": "GET", "version": number}
    return Entry(
        actor=f"person-{number % 20}",
        cid=f"cid-{number}",
        action="edit",
        kind="channel-http" if number % 2 else "security-basic-auth",
        name=f"orders-{number % 1000}",
        address="10.0.0.7",
        service="zato.channel-http.edit" if number % 2 else "zato.security-basic-auth.edit",
        version=number,
        result="refused" if number % 50 == 0 else "ok",
        before=fields,
        after={**fields, "method": "POST"},
    )


def milliseconds(work: Callable[[], Any], times: int = _TIMES) -> float:
    """Return the median."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        taken.append((time.perf_counter() - started) * 1000)
    return sorted(taken)[times // 2]


def main(url: str) -> None:
    database = Database(url)
    schema.upgrade(database)
    filled = milliseconds(lambda: fill(database), 1)
    print(f"{'written, each':<28}{filled / ROWS:>10.3f} ms")
    for name, values in SEARCHES.items():
        print(f"{name:<28}{milliseconds(lambda values=values: find(database, values)):>10.1f} ms")  # type: ignore[misc]
    print(f"{'verified, all':<28}{milliseconds(lambda: verify(database), 1):>10.0f} ms")
    database.close()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(f"sqlite:///{folder}/odb.db")
