"""What every new cluster has: a user and a channel through which any service can be invoked over HTTP."""

import base64
import time
from collections.abc import Mapping
from dataclasses import dataclass

from zato.common.cli.admin import Admin
from zato.common.errors import AlreadyExists, DeadlineExceeded, NotFound
from zato.common.lifecycle.probes import http_status
from zato.common.quickstart.cluster import Cluster
from zato.common.quickstart.roles import PUBAPI_USER

INVOKE_PATH = "/zato/api/invoke"
_LIVE_WAIT_S = 10.0
_POLL_S = 0.05
_OK = 200


@dataclass(frozen=True)
class DefaultObject:
    kind: str
    name: str
    options: Mapping[str, object]


def default_objects(cluster: Cluster) -> tuple[DefaultObject, ...]:
    return (
        DefaultObject(
            "security-basic-auth",
            PUBAPI_USER,
            {"username": PUBAPI_USER, "realm": "API", "password": cluster.secrets["pubapi_password"]},
        ),
        DefaultObject(
            "channel-http",
            "zato.api.invoke",
            {"url_path": f"{INVOKE_PATH}/{{service_name}}", "service": "zato.api.invoke", "security": PUBAPI_USER},
        ),
    )


def ensure_defaults(cluster: Cluster, admin: Admin) -> list[str]:
    """Create what is missing, and return the names of what was created. What exists is left as it is."""
    created = []
    for wanted in default_objects(cluster):
        try:
            admin.invoke(f"zato.{wanted.kind}.get", {"name": wanted.name}, is_idempotent=True)
        except NotFound:
            try:
                admin.invoke(f"zato.{wanted.kind}.create", {"name": wanted.name, **wanted.options})
            except AlreadyExists:
                continue  # somebody else did it at the same moment
            created.append(wanted.name)
    return created


def wait_until_live(cluster: Cluster, address: str) -> None:
    """Return once the line that we print for the user works. Raises DeadlineExceeded."""
    credentials = base64.b64encode(f"{PUBAPI_USER}:{cluster.secrets['pubapi_password']}".encode()).decode()
    deadline = time.monotonic() + _LIVE_WAIT_S
    while (answer := http_status(address, f"{INVOKE_PATH}/zato.ping", {"Authorization": f"Basic {credentials}"})) != _OK:
        if time.monotonic() > deadline:
            raise DeadlineExceeded(
                f"http://{address}{INVOKE_PATH}/zato.ping answers {answer or 'nothing'} to the user {PUBAPI_USER}: "
                "were its password or its channel changed?"
            )
        time.sleep(_POLL_S)
