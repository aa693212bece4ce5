"""How much of the database a process takes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """
    How much a process takes of the database, and for how long it waits.

    Args:
        pool_size: PostgreSQL connections that are kept open.
        pool_overflow: Further ones while all of these are busy.
        connect_timeout_s: To get a connection: a new one, or one that becomes free.
        timeout_s: For all answers that one transaction needs until its commit, and for the commit; 0 for no limit.
        lock_timeout_s: For another transaction that changes the same; 0 for no limit.
    """

    pool_size: int = 4
    pool_overflow: int = 4
    connect_timeout_s: float = 5.0
    timeout_s: float = 0.0
    lock_timeout_s: float = 5.0
