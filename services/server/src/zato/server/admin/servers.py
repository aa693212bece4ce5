"""Admin services for clusters and servers: `zato.cluster.get-list`, `zato.server.*` and `zato.info.get-worker-pids`."""

import hashlib
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from zato.common.errors import BadRequest, Conflict, NotFound
from zato.server.accounts.roles import Role
from zato.server.admin.actions import Action, Area, Values
from zato.server.control.changes import Author, audit, current_version
from zato.server.control.workers import forget_worker, living_workers
from zato.server.describe.kinds import which
from zato.server.describe.schemas import array, boolean, integer, record, text
from zato.server.odb.database import Database
from zato.server.odb.tables import WorkerRow

if TYPE_CHECKING:
    from zato.server.admin.services import Admin

_CLUSTER_ID = 1


_AREA = Area("Cluster")
_CLUSTER = record(
    {
        "id": integer("Number of the cluster"),
        "name": text("Its name"),
        "servers": integer("How many servers it has"),
        "servers_running": integer("How many of them run"),
        "config_version": integer("Newest configuration version"),
        "is_up_to_date": boolean("Whether all servers that run have it"),
    }
)
_SERVER = record(
    {
        "id": integer("Number of the server, made from its name"),
        "cluster_id": integer("Number of the cluster"),
        "name": text("Name of the server"),
        "up_status": text("running, or silent when none of its workers has been heard of lately", enum=["running", "silent"]),
        "up_mod_date": text("When it was heard of last, UTC", format="date-time"),
        "started_at": text("When the oldest of its workers started, UTC", format="date-time"),
        "up_s": integer("Seconds since then"),
        "workers": array(integer(), "Process ids of its workers"),
        "config_version": integer("Configuration version that all of its workers have; 0 when it has none"),
    }
)
_FORGOTTEN = record({"id": integer("Number that it had"), "name": text("Name that it had")})


def server_actions(cluster: str, server: str) -> dict[str, Action]:
    """Return the actions by the names of their services. `server` is the one that answers."""
    looks, changes = partial(_AREA.action, role=Role.VIEWER), partial(_AREA.action, role=Role.DEPLOYER)
    lists = partial(_AREA.listing, role=Role.VIEWER)
    return {
        "zato.cluster.get-list": lists(
            lambda admin, _values, _author: [_cluster(admin.database, cluster)],
            help="Return the clusters, of which there is one",
            item=_CLUSTER,
        ),
        "zato.server.get-list": lists(
            lambda admin, _values, _author: servers(admin.database),
            help="Return the servers of the cluster",
            item=_SERVER,
        ),
        "zato.server.get-by-id": looks(
            lambda admin, values, _author: _find(admin.database, values),
            help="Return the server with that number, or of that name",
            takes=which({}),
            returns=_SERVER,
        ),
        "zato.server.edit": changes(
            rename,
            help="Say that a server is renamed in its own settings, by which others know it, and not here",
            takes=which({}),
            returns=_SERVER,
        ),
        "zato.server.delete": changes(
            forget,
            help="Forget a server that is gone, so that nobody waits for it",
            takes=which({}),
            returns=_FORGOTTEN,
        ),
        "zato.info.get-server-info": looks(
            lambda _admin, _values, _author: {"cluster": cluster, "server": server},
            help="Return which server answers, and of which cluster it is",
            returns=record({"cluster": text("Name of the cluster"), "server": text("Name of the server")}),
        ),
        "zato.info.get-worker-pids": looks(
            lambda admin, _values, _author: _pids(admin.database, server),
            help="Return the process ids of a server's workers",
            returns=record({"pids": array(integer(), "Those of the server that answers")}),
        ),
    }


def _cluster(database: Database, name: str) -> dict[str, Any]:
    found = servers(database)
    with database.reading() as session:
        version = current_version(session)
    is_up_to_date = all(each["config_version"] >= version for each in found if each["up_status"] == "running")
    return {
        "id": _CLUSTER_ID,
        "name": name,
        "servers": len(found),
        "servers_running": sum(each["up_status"] == "running" for each in found),
        "config_version": version,
        "is_up_to_date": is_up_to_date,
    }


def servers(database: Database) -> list[dict[str, Any]]:
    """Return the servers that have workers, or had some of late that ended without saying so."""
    with database.reading() as session:
        living = {(row.server, row.pid) for row in living_workers(session)}
        rows = list(session.execute(select(WorkerRow).order_by(WorkerRow.server, WorkerRow.pid)).scalars())
    by_name: dict[str, list[WorkerRow]] = {}
    for row in rows:
        by_name.setdefault(row.server, []).append(row)
    return [_described(name, each, living) for name, each in by_name.items()]


def _described(name: str, rows: list[WorkerRow], living: set[tuple[str, int]]) -> dict[str, Any]:
    alive = [row for row in rows if (row.server, row.pid) in living]
    return {
        "id": server_id(name),
        "cluster_id": _CLUSTER_ID,
        "name": name,
        "up_status": "running" if alive else "silent",
        "up_mod_date": max(row.reported_at for row in rows).isoformat(),
        "started_at": min(row.started_at for row in rows).isoformat(),
        "up_s": round((datetime.now(UTC) - min(row.started_at for row in rows)).total_seconds()),
        "workers": [row.pid for row in alive],
        "config_version": min((row.config_version for row in alive), default=0),
    }


def server_id(name: str) -> int:
    """A number for the name, the same on all servers."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6])


def _find(database: Database, values: Values) -> dict[str, Any]:
    found = [each for each in servers(database) if values.get("id") == each["id"] or values.get("name") == each["name"]]
    if not found:
        raise NotFound("There is no such server: see zato.server.get-list")
    return found[0]


def rename(_admin: "Admin", _values: Values, _author: Author) -> Any:
    """A server is called as its own settings say, and others know it by that."""
    raise BadRequest("A server is renamed in its own settings.toml, and restarted then")


def forget(admin: "Admin", values: Values, author: Author) -> dict[str, Any]:
    """
    Forget a server that is gone, so that nobody waits for it.

    Raises:
        NotFound, Conflict: It lives.
    """
    found = _find(admin.database, values)
    with admin.database.transaction() as session:
        if any(row.server == found["name"] for row in living_workers(session)):
            raise Conflict(f"Server '{found['name']}' runs: stop it first")
        for row in session.execute(select(WorkerRow).where(WorkerRow.server == found["name"])).scalars().all():
            forget_worker(session, row.server, row.pid)
        audit(session, author, "delete", kind="server", name=found["name"])
    return {"id": found["id"], "name": found["name"]}


def _pids(database: Database, server: str) -> dict[str, Any]:
    return {"pids": next((each["workers"] for each in servers(database) if each["name"] == server), [])}
