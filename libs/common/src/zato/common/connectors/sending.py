"""
What becomes of a message that a service sends while the broker is away: options of every kind of outgoing connection.

    class OutgoingOptions:
        ...
        when_away: str = when_away()
        store_limit: int = store_limit()

Servers do what these say, and connectors know nothing of it: a connector that is away is a broker that is away.
"""

from typing import Any

from zato.common.options import option

REFUSE, WAIT, STORE = "refuse", "wait", "store"
DEFAULT_STORE_LIMIT = 10_000


def when_away() -> Any:
    """Return the option, for a field `when_away: str`."""
    return option(
        "When the broker is away, sending fails at once (refuse), fails when it has waited for long enough (wait), or has the "
        "message kept by the servers until the broker is back (store)",
        default=WAIT,
        choices=(REFUSE, WAIT, STORE),
    )


def store_limit() -> Any:
    """Return the option, for a field `store_limit: int`."""
    return option("store: messages that are kept at most; with so many, sending fails", default=DEFAULT_STORE_LIMIT, minimum=1)
