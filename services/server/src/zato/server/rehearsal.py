"""What a server's master does once, so that its workers find it done: they share what was there before the fork."""

import contextlib
import importlib

from zato.common.errors import Unavailable
from zato.common.logs import get_logger
from zato.server.config import ServerSettings
from zato.server.control.follower import Follower
from zato.server.control.kinds import Kinds
from zato.server.control.objects import Objects
from zato.server.control.status import cluster_status
from zato.server.control.workers import forget_dead_workers, forget_silent_workers, report_worker
from zato.server.odb.database import Database

log = get_logger(__name__)

# What workers come to import: how names are looked up, and what users' services begin with.
_NEEDED = ("encodings.idna", "gevent.resolver.thread", "zato.common.typing_")
# What only those need who have an object of the kind.
_NEEDED_FOR = dict.fromkeys(("outgoing-amqp", "outgoing-zmq", "outgoing-jms-wmq"), "zato.common.rpc.client")


class _Rehearsed(Exception):
    """Takes back what was only written to see how."""


def rehearse(database: Database, settings: ServerSettings, kinds: Kinds, objects: Objects) -> None:
    """
    Do once in the master what every worker does first: read kinds and configuration, and say so.

    What is imported, compiled and cached meanwhile is then shared by all workers instead of made by each.
    """
    for name in _NEEDED:
        importlib.import_module(name)
    try:
        for kind in kinds.registry:
            if objects.get_list(kind.name) and kind.name in _NEEDED_FOR:
                importlib.import_module(_NEEDED_FOR[kind.name])
        Follower(database, kinds, objects, lambda update: None, poll_interval_s=settings.poll_interval_s).load()
        with contextlib.suppress(_Rehearsed), database.transaction() as session:
            report_worker(session, settings.name, 0, 0, [])
            forget_dead_workers(session, settings.name)
            forget_silent_workers(session)
            raise _Rehearsed
        cluster_status(database)
    except Unavailable as exc:
        log.warning("odb_not_reachable", error=exc.message)
    finally:
        # No connection may be older than the fork.
        database.close()
