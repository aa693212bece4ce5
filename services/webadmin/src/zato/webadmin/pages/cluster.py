"""Servers and their workers: who lives, with which configuration, and who takes traffic."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from zato.common.errors import ZatoError
from zato.webadmin.context import tell, webadmin
from zato.webadmin.menu import Entry
from zato.webadmin.person import person
from zato.webadmin.times import parsed

PAGE = Blueprint("cluster", __name__, url_prefix="/cluster")
MENU = (Entry("Cluster", "cluster.page", "server"),)
# Who has not taken up a change for so long does not wait for it any more.
_BEHIND_S = 10.0


@dataclass(frozen=True)
class Server:
    """
    Args:
        workers: As `zato.cluster.get-status` has them.
        backend: What the load-balancer says of it; None when it knows no such server, or does not answer.
        advice: What somebody should do; "" when all is well.
    """

    name: str
    id: int
    is_running: bool
    started_at: str
    seen_at: str
    workers: tuple[Mapping[str, Any], ...]
    backend: Any
    advice: str


@PAGE.get("/")
def page() -> ResponseReturnValue:
    return render_template("cluster/page.html", **_found())


@PAGE.get("/live")
def live() -> ResponseReturnValue:
    """The same anew, for a page that stays open."""
    return render_template("cluster/servers.html", **_found())


@PAGE.post("/<int:server_id>/forget")
def forget(server_id: int) -> ResponseReturnValue:
    person().do("zato.server.delete", {"id": server_id})
    tell(person(), "The server is forgotten; if it comes back, it is known again")
    return redirect(url_for("cluster.page"))


def _found() -> dict[str, Any]:
    someone = person()
    status = someone.ask("zato.cluster.get-status")
    state, problem = None, ""
    try:
        state = webadmin().parts.load_balancer("GetState")
    except ZatoError as exc:
        problem = exc.message
    backends = {each.name: each for each in state.backends} if state is not None else {}
    newest = status["config_version"]
    by_name: dict[str, list[dict[str, Any]]] = {}
    for worker in status["workers"]:
        by_name.setdefault(worker["server"], []).append(worker)
    servers = [
        Server(
            each["name"],
            each["id"],
            each["up_status"] == "running",
            each["started_at"],
            each["up_mod_date"],
            tuple(by_name.get(each["name"], ())),
            backends.get(each["name"]),
            _advice(each, by_name.get(each["name"], []), newest, backends.get(each["name"])),
        )
        for each in someone.ask("zato.server.get-list")
    ]
    return {"servers": servers, "newest": newest, "problem": problem, "has_state": state is not None}


def _advice(server: Mapping[str, Any], workers: list[dict[str, Any]], newest: int, backend: Any) -> str:
    if server["up_status"] != "running":
        return "It ended without a word, or cannot reach the database: look at its log, start it again, or forget it."
    if any(worker["config_version"] < newest and _age_s(worker["reported_at"]) > _BEHIND_S for worker in workers):
        return "A worker does not take up changes: look at its log; a restart loads everything anew."
    if backend is not None and backend.state == "down":
        return f"It lives, but the load-balancer cannot use it ({backend.last_check or 'no check yet'}): look at its readiness."
    return ""


def _age_s(time: object) -> float:
    found = parsed(time)
    return (datetime.now(UTC) - found).total_seconds() if found else 0.0
