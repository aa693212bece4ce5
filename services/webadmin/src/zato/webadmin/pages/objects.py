"""Objects of every kind, by what the kind declares: list, form, status, history, export."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from zato.common.errors import BadRequest, Conflict, NotFound, ZatoError
from zato.webadmin.context import tell, webadmin
from zato.webadmin.exporting import to_yaml
from zato.webadmin.filters import PREFIX, Filter, asked_of, filters_of, in_address
from zato.webadmin.forms import changed, form_of, problems_of, values_of
from zato.webadmin.kinds import Kind
from zato.webadmin.menu import Entry
from zato.webadmin.objects import MASK, differences, live_states
from zato.webadmin.person import person

PAGE = Blueprint("objects", __name__, url_prefix="/objects")
MENU: tuple[Entry, ...] = ()
_PAGE_SIZES = (25, 50, 100)
_HISTORY = 50
_PICKED = 20
_PING_S = 40.0
_HEAD = ("id", "name", "is_active", "version")
# Each cluster has those of the platform by itself: no file has to bring them.
_PLATFORM = "zato."


@PAGE.get("/<kind_name>/")
def index(kind_name: str) -> ResponseReturnValue:
    kind = _kind(kind_name)
    if any(not value for name, value in request.args.items() if name.startswith(PREFIX)):
        # A form sends what was not chosen, too: the address has what matters.
        chosen = urlencode([(name, value) for name, value in request.args.items() if value])
        return redirect(f"{url_for('objects.index', kind_name=kind.name)}?{chosen}")
    filters = filters_of(kind, request.args)
    asked = _asked(kind, filters)
    answer = person().ask(kind.service("get-list"), asked)
    found = answer["data"]
    template = "objects/table.html" if request.headers.get("HX-Target") == "table" else "objects/list.html"
    return render_template(
        template,
        kind=kind,
        objects=found,
        meta=answer["_meta"],
        query=asked.get("query", ""),
        sort=asked.get("sort", "name"),
        sizes=_PAGE_SIZES,
        filters=filters,
        in_address=in_address,
        live=live_states(person(), kind, found),
    )


@PAGE.get("/<kind_name>/live")
def live(kind_name: str) -> ResponseReturnValue:
    """The states of those objects that a list shows, for a list that stays up to date."""
    kind = _kind(kind_name)
    found = person().ask(kind.service("get-list"), _asked(kind, filters_of(kind, request.args)))["data"]
    return render_template("objects/live.html", objects=found, live=live_states(person(), kind, found))


@PAGE.get("/<kind_name>/new")
def new(kind_name: str) -> ResponseReturnValue:
    kind = _kind(kind_name)
    head: dict[str, Any] = {"name": "", "is_active": True}
    values: dict[str, Any] = {}
    if source := request.args.get("from", type=int):
        stored = person().ask(kind.service("get"), {"id": source})
        head = {"name": f"{stored['name']}-copy", "is_active": stored["is_active"]}
        values = _options(stored)
    return _form_page(kind, head, values, is_new=True)


@PAGE.post("/<kind_name>/new")
def create(kind_name: str) -> ResponseReturnValue:
    kind = _kind(kind_name)
    head, values = _typed_head(), values_of(kind, request.form)
    try:
        made = person().do(kind.service("create"), {**head, **values})
    except (BadRequest, Conflict) as exc:
        return _form_page(kind, head, values, is_new=True, error=exc)
    tell(person(), f"{kind.label} {made['name']} is created")
    return redirect(url_for("objects.show", kind_name=kind.name, object_id=made["id"]))


@PAGE.get("/<kind_name>/<int:object_id>")
def show(kind_name: str, object_id: int) -> ResponseReturnValue:
    kind = _kind(kind_name)
    stored = person().ask(kind.service("get"), {"id": object_id})
    return _form_page(kind, stored, _options(stored), is_new=False)


@PAGE.post("/<kind_name>/<int:object_id>")
def edit(kind_name: str, object_id: int) -> ResponseReturnValue:
    # Before what is stored is compared with what was typed, which is none of a viewer's business.
    person().must("deployer")
    kind = _kind(kind_name)
    stored = person().ask(kind.service("get"), {"id": object_id})
    head, values = _typed_head(), values_of(kind, request.form)
    shown = {**stored, **head, "name": stored["name"], "typed_name": head["name"]}
    if request.form.get("version", type=int) != stored["version"]:
        meanwhile = Conflict("Somebody else changed this object while you did: look at its history, then open it anew")
        return _form_page(kind, shown, values, is_new=False, error=meanwhile)
    wanted: dict[str, Any] = {"id": object_id, **changed({"is_active": head["is_active"], **values}, stored)}
    if head["name"] != stored["name"]:
        wanted["new_name"] = head["name"]
    try:
        made = person().do(kind.service("edit"), wanted)
    except (BadRequest, Conflict) as exc:
        return _form_page(kind, shown, values, is_new=False, error=exc)
    tell(person(), f"{kind.label} {made['name']} is saved" if made["is_changed"] else "Nothing was different")
    return redirect(url_for("objects.show", kind_name=kind.name, object_id=object_id))


@PAGE.post("/<kind_name>/<int:object_id>/active")
def switch(kind_name: str, object_id: int) -> ResponseReturnValue:
    kind = _kind(kind_name)
    is_active = request.form.get("is_active") == "true"
    made = person().do(kind.service("edit"), {"id": object_id, "is_active": is_active})
    tell(person(), f"{made['name']} is switched {'on' if is_active else 'off'}")
    return redirect(_back(kind, object_id))


@PAGE.get("/<kind_name>/<int:object_id>/delete")
def confirm_delete(kind_name: str, object_id: int) -> ResponseReturnValue:
    person().must("deployer")
    kind = _kind(kind_name)
    stored = person().ask(kind.service("get"), {"id": object_id})
    return _delete_page(kind, stored)


@PAGE.post("/<kind_name>/<int:object_id>/delete")
def delete(kind_name: str, object_id: int) -> ResponseReturnValue:
    kind = _kind(kind_name)
    stored = person().ask(kind.service("get"), {"id": object_id})
    try:
        person().do(kind.service("delete"), {"id": object_id})
    except Conflict as exc:
        return _delete_page(kind, stored, exc.message), 409
    tell(person(), f"{kind.label} {stored['name']} is deleted")
    return redirect(url_for("objects.index", kind_name=kind.name))


@PAGE.post("/<kind_name>/<int:object_id>/ping")
def ping(kind_name: str, object_id: int) -> ResponseReturnValue:
    kind = _kind(kind_name)
    name = person().ask(kind.service("get"), {"id": object_id})["name"]
    answer = person().do(kind.service("ping"), {"name": name}, timeout_s=_PING_S)
    return render_template("objects/pinged.html", answer=answer)


@PAGE.get("/<kind_name>/<int:object_id>/password")
def ask_password(kind_name: str, object_id: int) -> ResponseReturnValue:
    person().must("deployer")
    kind = _kind(kind_name)
    stored = person().ask(kind.service("get"), {"id": object_id})
    return render_template("objects/password.html", kind=kind, object=stored, problem="")


@PAGE.post("/<kind_name>/<int:object_id>/password")
def change_password(kind_name: str, object_id: int) -> ResponseReturnValue:
    kind = _kind(kind_name)
    stored = person().ask(kind.service("get"), {"id": object_id})
    typed = {name: request.form.get(name, "") for name in ("password1", "password2")}
    try:
        person().do(kind.service("change-password"), {"id": object_id, **typed})
    except BadRequest as exc:
        return render_template("objects/password.html", kind=kind, object=stored, problem=exc.message), 422
    tell(person(), f"The secret of {stored['name']} is changed")
    return redirect(url_for("objects.show", kind_name=kind.name, object_id=object_id))


@PAGE.get("/<kind_name>/<int:object_id>/status")
def status(kind_name: str, object_id: int) -> ResponseReturnValue:
    kind = _kind(kind_name)
    stored = person().ask(kind.service("get"), {"id": object_id})
    found = live_states(person(), kind, [stored]).get(stored["name"])
    return render_template("objects/status.html", kind=kind, object=stored, live=found)


@PAGE.get("/<kind_name>/<int:object_id>/history")
def history(kind_name: str, object_id: int) -> ResponseReturnValue:
    kind = _kind(kind_name)
    stored = person().ask(kind.service("get"), {"id": object_id})
    page = max(1, request.args.get("page", 1, type=int))
    asked = {"kind": kind.name, "name": stored["name"], "cur_page": page, "page_size": _HISTORY}
    answer = person().ask("zato.audit-log.get-list", asked)
    entries = [(entry, differences(entry["before"], entry["after"])) for entry in answer["data"]]
    return render_template("objects/history.html", kind=kind, object=stored, entries=entries, meta=answer["_meta"], mask=MASK)


@PAGE.get("/<kind_name>/export")
def export_all(kind_name: str) -> ResponseReturnValue:
    kind = _kind(kind_name)
    found = person().ask(kind.service("get-list"))
    return _exported(kind, [each for each in found if not each["name"].startswith(_PLATFORM)], kind.name)


@PAGE.get("/<kind_name>/<int:object_id>/export")
def export(kind_name: str, object_id: int) -> ResponseReturnValue:
    kind = _kind(kind_name)
    stored = person().ask(kind.service("get"), {"id": object_id})
    return _exported(kind, [stored], f"{kind.name}-{stored['name']}")


@PAGE.get("/pick")
def pick() -> ResponseReturnValue:
    """What a field may refer to, for what was typed so far."""
    query = next((value for name, value in request.args.items() if name.startswith(("o-", PREFIX))), "")
    found: list[tuple[str, str]] = []
    for name in request.args.getlist("kind"):
        if name == "service":
            services = person().ask("zato.service.get-list", {"query": query[:200]})
            found += [(each["name"], "") for each in services if not each["is_internal"]] + [
                (each["name"], "of the platform") for each in services if each["is_internal"]
            ]
            continue
        kind = webadmin().kinds.all(person()).get(name)
        if kind is not None:
            answer = person().ask(kind.service("get-list"), {"query": query[:200], "cur_page": 1, "page_size": _PICKED})
            found += [(each["name"], kind.label) for each in answer["data"]]
    return render_template("objects/picked.html", found=found[:_PICKED])


@PAGE.get("/find")
def find() -> ResponseReturnValue:
    """To an object whose name and possible kinds are known, as another object refers to it."""
    name = request.args.get("name", "")
    for kind_name in request.args.getlist("kind"):
        if kind_name == "service":
            return redirect(url_for("services.show", name=name))
        kind = webadmin().kinds.all(person()).get(kind_name)
        if kind is not None:
            with contextlib.suppress(NotFound):
                found = person().ask(kind.service("get"), {"name": name})
                return redirect(url_for("objects.show", kind_name=kind.name, object_id=found["id"]))
    raise NotFound(f"There is nothing that is called '{name:.200}'")


def _kind(name: str) -> Kind:
    return webadmin().kinds.get(person(), name)


def _asked(kind: Kind, filters: tuple[Filter, ...]) -> dict[str, Any]:
    """What of a list is wanted, from the address of the page."""
    names = {"name", "is_active", "version", *(option.name for option in kind.options if not option.secret)}
    asked: dict[str, Any] = {"cur_page": max(1, request.args.get("page", 1, type=int))}
    size = request.args.get("size", _PAGE_SIZES[0], type=int)
    asked["page_size"] = size if size in _PAGE_SIZES else _PAGE_SIZES[0]
    if query := request.args.get("q", "").strip():
        asked["query"] = query[:200]
    if chosen := asked_of(filters):
        asked["filters"] = chosen
    sort = request.args.get("sort", "")
    if sort.removeprefix("-") in names:
        asked["sort"] = sort
    return asked


def _options(stored: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in stored.items() if name not in _HEAD}


def _typed_head() -> dict[str, Any]:
    return {"name": request.form.get("name", "").strip(), "is_active": "is_active" in request.form}


def _form_page(
    kind: Kind, head: Mapping[str, Any], values: Mapping[str, Any], *, is_new: bool, error: ZatoError | None = None
) -> ResponseReturnValue:
    known = {"name", "is_active", *(option.name for option in kind.options)}
    problems = problems_of(error, known) if error is not None else {}
    page = render_template(
        "objects/form.html",
        kind=kind,
        head=head,
        form=form_of(kind, values, is_new=is_new, problems=problems),
        is_new=is_new,
        error=error,
        problems=problems,
        may_change=person().may("deployer"),
        live=None if is_new else live_states(person(), kind, [head]).get(head["name"]),
    )
    return page, (200 if error is None else 409 if isinstance(error, Conflict) else 422)


def _delete_page(kind: Kind, stored: Mapping[str, Any], problem: str = "") -> str:
    kinds = webadmin().kinds.all(person())
    users = _users(kind, stored)
    return render_template("objects/delete.html", kind=kind, object=stored, users=users, kinds=kinds, problem=problem)


def _users(kind: Kind, stored: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(person().ask(kind.service("get-users"), {"id": stored["id"]})) if kind.can("get-users") else []


def _back(kind: Kind, object_id: int) -> str:
    """To where the button was: the list, or the object's own page."""
    if request.form.get("from") == "list":
        return url_for("objects.index", kind_name=kind.name)
    return url_for("objects.show", kind_name=kind.name, object_id=object_id)


def _exported(kind: Kind, found: Sequence[Mapping[str, Any]], file_name: str) -> Response:
    """As `zato enmasse` takes it, so without secrets."""
    rows = [
        {"kind": kind.name, "name": each["name"], "is_active": each["is_active"], "options": _options(each)} for each in found
    ]
    safe = "".join(character if character.isalnum() or character in "-._" else "_" for character in file_name)
    headers = {"Content-Disposition": f'attachment; filename="{safe.encode("ascii", "replace").decode()}.yaml"'}
    return Response(to_yaml(rows, {kind.name: kind}), mimetype="application/yaml", headers=headers)
