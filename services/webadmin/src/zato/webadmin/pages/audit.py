"""The audit log: who did what, when and from where; what it changed; and whether somebody tampered with it."""

from datetime import datetime
from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from zato.webadmin.menu import Entry
from zato.webadmin.objects import differences
from zato.webadmin.person import person

PAGE = Blueprint("audit", __name__, url_prefix="/audit")
MENU = (Entry("Audit log", "audit.index", "scroll-text", "operator"),)
_PAGE_SIZE = 50
_EXACT = ("who", "action", "kind", "name", "result", "cid")
_VERIFY_S = 60.0


@PAGE.get("/")
def index() -> ResponseReturnValue:
    given = {name: request.args.get(name, "").strip() for name in ("query", "since", "until", *_EXACT)}
    asked: dict[str, Any] = {name: value for name, value in given.items() if value and name in (*_EXACT, "query")}
    for name in ("since", "until"):
        if given[name] and (moment := _moment(given[name])):
            asked[name] = moment
    asked |= {"cur_page": max(1, request.args.get("page", 1, type=int)), "page_size": _PAGE_SIZE}
    answer = person().ask("zato.audit-log.get-list", asked)
    template = "audit/table.html" if request.headers.get("HX-Target") == "table" else "audit/list.html"
    return render_template(template, entries=answer["data"], meta=answer["_meta"], given=given)


@PAGE.get("/<int:entry_id>")
def show(entry_id: int) -> ResponseReturnValue:
    entry = person().ask("zato.audit-log.get", {"id": entry_id})
    return render_template("audit/entry.html", entry=entry, differences=differences(entry["before"], entry["after"]))


@PAGE.post("/verify")
def verify() -> ResponseReturnValue:
    """Looks at the whole chain, which takes a while when it is long."""
    found = person().do("zato.audit-log.verify", timeout_s=_VERIFY_S)
    return render_template("audit/verified.html", found=found)


def _moment(text: str) -> str:
    """What a person typed is a time of their zone."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=person().zone).isoformat()
    except ValueError:
        return ""
