"""Configuration in files, as `zato enmasse` has it: what a file would change, doing it, and a file of what there is."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from zato.common.errors import BadRequest, Conflict, ZatoError
from zato.webadmin.context import webadmin
from zato.webadmin.exporting import from_text, to_yaml
from zato.webadmin.kinds import default_of
from zato.webadmin.menu import Entry
from zato.webadmin.person import person

PAGE = Blueprint("sets", __name__, url_prefix="/files")
MENU = (Entry("Import and export", "sets.page", "git-compare"),)
_APPLY_S = 60.0


@PAGE.get("/")
def page() -> ResponseReturnValue:
    return render_template("sets/page.html", text="", prune=False)


@PAGE.post("/plan")
def plan() -> ResponseReturnValue:
    """What the file would do; nothing is done."""
    return _shown("zato.enmasse.plan", {})


@PAGE.post("/apply")
def apply() -> ResponseReturnValue:
    """What was shown is what is done: not when the configuration changed in between."""
    return _shown("zato.enmasse.apply", {"planned_at": request.form.get("planned_at", type=int)})


@PAGE.get("/export")
def export() -> ResponseReturnValue:
    exported = person().ask("zato.enmasse.export")["objects"]
    text = to_yaml(exported, webadmin().kinds.all(person()))
    headers = {"Content-Disposition": 'attachment; filename="zato.yaml"'}
    return Response(text, mimetype="application/yaml", headers=headers)


def _shown(service: str, more: Mapping[str, Any]) -> ResponseReturnValue:
    text, prune = _typed(), "prune" in request.form
    answer, error = None, None
    try:
        wanted = from_text(text)
        values = {"objects": list(wanted.objects), "prune": prune, "protect": list(wanted.protect), **more}
        answer = _worth_showing(person().do(service, values, timeout_s=_APPLY_S))
        count = len(wanted.objects)
    except (BadRequest, Conflict) as exc:
        error, count = exc, 0
    return _outcome(answer, error, text=text, prune=prune, count=count)


def _outcome(answer: Any, error: ZatoError | None, *, text: str, prune: bool, count: int) -> ResponseReturnValue:
    is_part = bool(request.headers.get("HX-Request"))
    template = "sets/plan.html" if is_part else "sets/page.html"
    shown = render_template(template, plan=answer, error=error, text=text, prune=prune, count=count, is_planned=True)
    return shown, (200 if error is None else 422)


def _typed() -> str:
    file = request.files.get("file")
    if file is not None and file.filename:
        try:
            return str(file.read(), "utf-8-sig")
        except UnicodeDecodeError:
            raise BadRequest(f"'{file.filename:.100}' is no UTF-8 text") from None
    return request.form.get("text", "").replace("\r\n", "\n")


def _worth_showing(answer: dict[str, Any]) -> dict[str, Any]:
    """Without what is created as by default, which is not worth a line."""
    kinds = webadmin().kinds.all(person())
    for change in answer["changes"]:
        if change["action"] != "create" or change["kind"] not in kinds:
            continue
        defaults = {option.name: default_of(option) for option in kinds[change["kind"]].options if not option.required}
        change["options"] = [
            each
            for each in change["options"]
            if not (each["name"] in defaults and each["after"] == defaults[each["name"]])
            and not (each["name"] == "is_active" and each["after"])
        ]
    return answer
