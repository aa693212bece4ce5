"""
What every new cluster has: a user and a channel through which any service can be invoked over HTTP, and the first
administrator, whose password is in a file beside the cluster's secrets until somebody deletes it.
"""

import base64
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from zato.common.cli.admin import Admin
from zato.common.errors import AlreadyExists, DeadlineExceeded, NotFound, Unavailable
from zato.common.lifecycle.folders import read_secret, write_secret
from zato.common.lifecycle.probes import http_status
from zato.common.quickstart.cluster import Cluster
from zato.common.quickstart.roles import PUBAPI_USER
from zato.common.quickstart.running import PING_PATH
from zato.common.secrets import generate_password

FIRST_ADMIN = "admin"
ADMIN_PASSWORD_FILE = "admin_password"  # noqa: S105 (a file's name)
INVOKE_PATH = "/zato/api/invoke"
_LIVE_WAIT_S = 10.0
_POLL_S = 0.05
_OK, _UNAUTHORIZED = 200, 401


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
    _wait_for_server(admin)
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


def ensure_first_admin(cluster: Cluster, admin: Admin) -> str:
    """
    Make an administrator's account where nobody has one yet, and return its password, which has to be changed at the first
    sign-in; "" where there are accounts.
    """
    if admin.invoke("zato.account.get-list", {}, is_idempotent=True):
        return ""
    # Kept before it is used: whoever is interrupted between the two goes on with the same one.
    password = _kept_password(admin_password_file(cluster))
    account = {"name": FIRST_ADMIN, "role": "admin", "password": password, "must_change_password": True}
    try:
        admin.invoke("zato.account.create", account)
    except AlreadyExists:
        return ""  # somebody else did it at the same moment
    return password


def admin_password_file(cluster: Cluster) -> Path:
    return cluster.path / ADMIN_PASSWORD_FILE


def _kept_password(file: Path) -> str:
    if not file.exists():
        write_secret(file, generate_password())
    return read_secret(file)


def _wait_for_server(admin: Admin) -> None:
    """A server's gRPC may open its doors a moment after its HTTP."""
    deadline = time.monotonic() + _LIVE_WAIT_S
    while True:
        try:
            admin.invoke("zato.ping", {}, is_idempotent=True)
            return
        except Unavailable:
            if time.monotonic() > deadline:
                raise
        time.sleep(_POLL_S)


def wait_until_live(cluster: Cluster, address: str) -> str:
    """
    Return a path that the user may call, once the channel and the user are live everywhere we look.

    Raises:
        DeadlineExceeded
    """
    path = f"{INVOKE_PATH}/zato.ping"
    credentials = base64.b64encode(f"{PUBAPI_USER}:{cluster.secrets['pubapi_password']}".encode()).decode()
    deadline = time.monotonic() + _LIVE_WAIT_S
    while True:
        # A channel that is there refuses strangers.
        stranger, user = http_status(address, path), http_status(address, path, {"Authorization": f"Basic {credentials}"})
        if stranger == _UNAUTHORIZED and user not in (0, _UNAUTHORIZED):
            return path if user == _OK else PING_PATH
        if time.monotonic() > deadline:
            raise DeadlineExceeded(
                f"http://{address}{path} answers {user or 'nothing'} to the user {PUBAPI_USER}, and {stranger or 'nothing'} "
                "without one: were the user or the channel zato.api.invoke changed?"
            )
        time.sleep(_POLL_S)
