"""The key/value database: its commands, of those that people may give."""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from zato.common.errors import BadRequest, Forbidden
from zato.webadmin.menu import Entry
from zato.webadmin.person import person

PAGE = Blueprint("kvdb", __name__, url_prefix="/kvdb")
MENU = (Entry("Key/value DB", "kvdb.page", "database", role="deployer"),)


@PAGE.get("/")
def page() -> ResponseReturnValue:
    return _page("kvdb/page.html")


@PAGE.post("/")
def execute() -> ResponseReturnValue:
    command = request.form.get("command", "").strip()
    template = "kvdb/answer.html" if request.headers.get("HX-Request") else "kvdb/page.html"
    try:
        answer = person().do("zato.kvdb.remote-command.execute", {"command": command})["result"]
    except (BadRequest, Forbidden) as exc:
        return _page(template, command, problem=exc.message), exc.http_status
    return _page(template, command, answer=answer)


def _page(template: str, command: str = "", *, answer: object = None, problem: str = "") -> str:
    known = person().ask("zato.kvdb.remote-command.get-list")
    has_answer = bool(command) and not problem
    return render_template(template, commands=known, command=command, answer=answer, has_answer=has_answer, problem=problem)
