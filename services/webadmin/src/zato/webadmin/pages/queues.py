"""Messaging: connectors and what passes through them; queues with what waits, runs and was given up, to look at and settle."""

from collections.abc import Hashable, Mapping
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from zato.common.errors import BadRequest, Unavailable
from zato.webadmin.context import tell, webadmin
from zato.webadmin.highlighting import coloured, pretty
from zato.webadmin.menu import Entry
from zato.webadmin.person import person

PAGE = Blueprint("queues", __name__, url_prefix="/queues")
MENU = (Entry("Messaging", "queues.index", "inbox"),)
_PAGE_SIZE = 50
_STATES = {"dead": "Dead letters", "waiting": "Waiting", "delayed": "Delayed", "running": "Running"}


@PAGE.get("/")
def index() -> ResponseReturnValue:
    connectors = person().ask("zato.connector.get-list")
    template = "queues/now.html" if request.headers.get("HX-Request") else "queues/list.html"
    queues, problem = _queues()
    return render_template(
        template,
        queues=queues,
        problem=problem,
        connectors=connectors,
        rates=_rates(connectors),
        kinds=webadmin().kinds.all(person()),
    )


@PAGE.get("/<path:queue>")
def show(queue: str) -> ResponseReturnValue:
    """Messages of one queue in one state; with an `id`, one of them with what is in it."""
    state = _state(request.args.get("state", "dead"))
    if message_id := request.args.get("id"):
        found = person().ask("zato.queue.get-message", {"queue": queue, "state": state, "id": message_id})
        body = coloured(*pretty(found["payload"]))
        return render_template("queues/message.html", queue=queue, message=found, body=body, states=_STATES)
    query = request.args.get("q", "").strip()[:200]
    asked = {"cur_page": max(1, request.args.get("page", 1, type=int)), "page_size": _PAGE_SIZE, "query": query}
    answer = person().ask("zato.queue.get-messages", {"queue": queue, "state": state, **asked})
    return render_template(
        "queues/messages.html",
        queue=queue,
        state=state,
        states=_STATES,
        messages=answer["data"],
        meta=answer["_meta"],
        query=query,
    )


@PAGE.post("/settle")
def settle() -> ResponseReturnValue:
    """Try messages again, or delete them: those that were ticked, or all."""
    queue, state = request.form.get("queue", ""), _state(request.form.get("state", "dead"))
    which: dict[str, Any] = {"all": True} if "all" in request.form else {"ids": request.form.getlist("id")}
    if which.get("ids") == []:
        raise BadRequest("Tick the messages that are meant, or choose the button for all")
    if request.form.get("what") == "redrive":
        count = person().do("zato.queue.redrive", {"queue": queue, **which})["redriven"]
        tell(person(), f"{count} will be tried again")
    else:
        count = person().do("zato.queue.purge", {"queue": queue, "state": state, **which})["deleted"]
        tell(person(), f"{count} deleted")
    return redirect(url_for("queues.show", queue=queue, state=state))


def _queues() -> tuple[list[Mapping[str, Any]], str]:
    """Return the queues, and why they are not known when Redis, which has them, does not answer."""
    try:
        return person().ask("zato.queue.get-list"), ""
    except Unavailable as exc:
        return [], exc.message


def _rates(connectors: list[Mapping[str, Any]]) -> dict[Hashable, float | None]:
    """Return how many messages a second each object takes up, by the address of its connector and its id."""
    return webadmin().rates.per_second(
        {(each["address"], running["id"]): running["received"] for each in connectors for running in each["objects"]}
    )


def _state(name: str) -> str:
    return name if name in _STATES else "dead"
