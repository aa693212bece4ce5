"""Admin services that tell of a service where it is from, what uses it, and which worker runs which version of it."""

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from zato.common.errors import NotFound
from zato.server.accounts.roles import Role
from zato.server.admin.actions import Action, Area, Values
from zato.server.admin.servers import server_id
from zato.server.admin.service_states import find_entry
from zato.server.control.state import Configuration
from zato.server.describe.kinds import which
from zato.server.describe.schemas import array, boolean, integer, record, text
from zato.server.odb.tables import DeploymentRow, DeploymentStatusRow
from zato.server.packages.package import Package

if TYPE_CHECKING:
    from zato.server.admin.services import Admin


_SERVICES = Area("Services")
_SOURCE = record(
    {
        "service_id": integer("Number of the service"),
        "name": text("Its name"),
        "source": text("Source code of the file that it is from"),
        "source_path": text("Name of the file"),
        "package": text("What the file is deployed as, or with"),
        "version": integer("Version of that"),
        "source_hash": text("Hash of the source code"),
        "source_hash_method": text("What made the hash"),
        "server_name": text("Server that answers"),
    }
)
_USER = record(
    {
        "id": integer("Number of the object"),
        "name": text("Its name"),
        "kind": text("Its kind"),
        "channel_type": text("The same without channel-, e.g. http"),
        "is_active": boolean("Whether it is in use"),
    }
)
_RUNNING = record(
    {
        "server_id": integer("Number of the server"),
        "server_name": text("Its name"),
        "pid": integer("Process id of the worker"),
        "version": integer("Version of the file that it runs"),
        "is_ok": boolean("Whether it could take up the newest one"),
        "details": text("Why it could not"),
    }
)


def service_source_actions(server: str, current: Callable[[], Configuration]) -> dict[str, Action]:
    """
    Return the actions by the names of their services.

    Args:
        server: Name of the one that answers.
        current: Returns the configuration that runs now.
    """
    of_type = {"channel_type": text("Only channels of this type, e.g. http")}
    return {
        "zato.service.get-source-info": _SERVICES.action(
            lambda admin, values, _author: {**source(admin, values), "server_name": server},
            Role.DEVELOPER,
            "Return the source code of a service",
            takes=which({}),
            returns=_SOURCE,
        ),
        "zato.service.get-channel-list": _SERVICES.action(
            lambda admin, values, _author: users(admin, values, current()),
            Role.VIEWER,
            "Return the channels and jobs that lead to a service",
            takes=which(of_type),
            returns=array(_USER),
        ),
        "zato.service.get-deployment-info-list": _SERVICES.action(
            lambda admin, values, _author: deployments(admin, values),
            Role.VIEWER,
            "Return what each worker runs of a service's file",
            takes=which({}),
            returns=array(_RUNNING),
        ),
    }


def source(admin: "Admin", values: Values) -> dict[str, Any]:
    """Return the text of the file that a service runs from. Raises NotFound for the platform's own."""
    entry = find_entry(admin, values)
    statement = select(DeploymentRow).where(DeploymentRow.file_name == entry.file_name, DeploymentRow.version == entry.version)
    with admin.database.reading() as session:
        row = session.execute(statement).scalar_one_or_none()
    if row is None:
        raise NotFound(f"Service '{entry.name}' is the platform's own: it was not deployed, and has no file here")
    package = Package(row.file_name, row.version, row.source)
    path = package.modules[entry.impl_name.rpartition(".")[0]]
    content = package.files[path]
    return {
        "service_id": entry.id,
        "name": entry.name,
        "source": content.decode(errors="replace"),
        "source_path": path,
        "package": entry.file_name,
        "version": entry.version,
        "source_hash": hashlib.sha256(content).hexdigest(),
        "source_hash_method": "SHA-256",
    }


def users(admin: "Admin", values: Values, configuration: Configuration) -> list[dict[str, Any]]:
    """Return the channels and jobs that invoke a service, of one `channel_type` if it is given, e.g. http."""
    entry, wanted = find_entry(admin, values), values.get("channel_type") or ""
    found = [
        {
            "id": each.id,
            "name": each.name,
            "kind": each.kind,
            "channel_type": each.kind.removeprefix("channel-"),
            "is_active": each.is_active,
        }
        for each in configuration.objects.values()
        if getattr(each.options, "service", None) == entry.name
    ]
    return sorted(
        (each for each in found if wanted in ("", each["kind"], each["channel_type"])), key=lambda each: str(each["name"])
    )


def deployments(admin: "Admin", values: Values) -> list[dict[str, Any]]:
    """Return which version of a service's file each worker runs."""
    entry = find_entry(admin, values)
    statement = select(DeploymentStatusRow).where(DeploymentStatusRow.file_name == entry.file_name)
    with admin.database.reading() as session:
        rows = session.execute(statement.order_by(DeploymentStatusRow.server, DeploymentStatusRow.pid)).scalars().all()
    return [
        {
            "server_id": server_id(row.server),
            "server_name": row.server,
            "pid": row.pid,
            "version": row.version_running,
            "is_ok": row.is_ok,
            "details": row.reason,
        }
        for row in rows
    ]
