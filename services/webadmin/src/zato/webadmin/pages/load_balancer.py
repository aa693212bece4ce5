"""The load-balancer: who gets traffic, what HAProxy counts, its configuration, and its own commands."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from zato.common.errors import BadRequest, Conflict, ZatoError
from zato.webadmin.context import tell, webadmin
from zato.webadmin.menu import Entry
from zato.webadmin.person import person

PAGE = Blueprint("load_balancer", __name__, url_prefix="/load-balancer")
MENU = (Entry("Load-balancer", "load_balancer.page", "split"),)
# A reload waits for HAProxy's new process.
_RELOAD_S = 30.0


@PAGE.get("/")
def page() -> ResponseReturnValue:
    return render_template("load_balancer/page.html", state=_call("GetState"), rows=_call("GetStatistics").rows)


@PAGE.get("/live")
def live() -> ResponseReturnValue:
    """The same anew, for a page that stays open."""
    return render_template("load_balancer/state.html", state=_call("GetState"), rows=_call("GetStatistics").rows)


@PAGE.post("/servers/<name>/<action>")
def change(name: str, action: str) -> ResponseReturnValue:
    methods = {"drain": "Drain", "resume": "Resume"}
    told = {"drain": f"{name} gets no new requests", "resume": f"{name} gets requests again"}
    if action not in methods:
        raise BadRequest(f"A server can be drained and resumed, not '{action:.40}'")
    _note("operator", action, name)
    _call(methods[action], name=name)
    tell(person(), told[action])
    return redirect(_back())


@PAGE.post("/servers/<name>/weight")
def weigh(name: str) -> ResponseReturnValue:
    weight = request.form.get("weight", type=int)
    if weight is None:
        raise BadRequest("The weight takes a number from 1 to 256, or 0 for what the server asks for itself")
    _note("operator", "weight", name, f"weight {weight}")
    _call("SetWeight", name=name, weight=weight)
    tell(person(), f"{name} has the weight {weight}" if weight else f"{name} has the weight again that it asks for itself")
    return redirect(_back())


@PAGE.get("/configuration")
def configuration() -> ResponseReturnValue:
    found = _call("GetConfig")
    return _configuration_page(found, found.own_sections, found.revision)


@PAGE.post("/configuration")
def configure() -> ResponseReturnValue:
    """Show what the sections would change, or load them, as the button says that was used."""
    person().must("admin")
    # Browsers send lines as the protocol wants them.
    text = request.form.get("own_sections", "").replace("\r\n", "\n")
    revision = request.form.get("revision", "")
    try:
        diff = _call("CheckConfig", own_sections=text).diff
        if "load" not in request.form:
            return _configuration_page(_call("GetConfig"), text, revision, diff=diff)
        _note("admin", "configure", "own-sections", f"{len(text.splitlines())} lines")
        pid = _call("SetConfig", own_sections=text, revision=revision, timeout_s=_RELOAD_S).haproxy_pid
    except (BadRequest, Conflict) as exc:
        return _configuration_page(_call("GetConfig"), text, revision, problem=exc)
    tell(person(), f"HAProxy runs with the new configuration, process {pid}")
    return redirect(url_for("load_balancer.configuration"))


@PAGE.post("/reload")
def reload() -> ResponseReturnValue:
    _note("admin", "reload", "")
    pid = _call("Reload", timeout_s=_RELOAD_S).haproxy_pid
    tell(person(), f"Settings are read anew, HAProxy's process is {pid} now")
    return redirect(url_for("load_balancer.configuration"))


@PAGE.get("/commands")
def commands() -> ResponseReturnValue:
    return render_template(
        "load_balancer/commands.html", commands=_call("GetState").commands, command="", answer=None, problem=""
    )


@PAGE.post("/commands")
def execute() -> ResponseReturnValue:
    person().must("operator")
    command = request.form.get("command", "").strip()
    answer, problem, status = None, "", 200
    try:
        answer = _call("Execute", command=command)
    except BadRequest as exc:
        problem, status = exc.message, exc.http_status
    template = "load_balancer/answer.html" if request.headers.get("HX-Request") else "load_balancer/commands.html"
    values: Mapping[str, Any] = {"command": command, "answer": answer, "problem": problem}
    return render_template(template, commands=_call("GetState").commands, **values), status


def _configuration_page(
    found: Any, text: str, revision: str, *, diff: str | None = None, problem: ZatoError | None = None
) -> ResponseReturnValue:
    page = render_template(
        "load_balancer/configuration.html",
        config=found.config,
        own_sections=text,
        revision=revision,
        is_changed=text != found.own_sections,
        diff=None if diff is None else diff.splitlines(),
        problem=problem.message if problem else "",
        may_change=person().may("admin"),
    )
    return page, problem.http_status if problem else 200


def _call(method: str, **fields: Any) -> Any:
    return webadmin().parts.load_balancer(method, **fields)


def _note(role: str, action: str, name: str, details: str = "") -> None:
    """Ask for the role, and write into the audit log what is about to be done: the agent knows parts, not people."""
    person().must(role)
    person().do("zato.audit-log.add", {"kind": "load-balancer", "action": action, "name": name, "details": details})


def _back() -> str:
    return url_for("cluster.page" if request.form.get("from") == "cluster" else "load_balancer.page")
