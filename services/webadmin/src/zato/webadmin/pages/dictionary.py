"""Data dictionaries: what the same thing is called by different systems, tried, exported and imported."""

import base64
import binascii

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from zato.common.errors import BadRequest, NotFound, ZatoError
from zato.webadmin.context import tell
from zato.webadmin.menu import Entry
from zato.webadmin.person import person

PAGE = Blueprint("dictionary", __name__, url_prefix="/dictionary")
MENU = (Entry("Data dictionaries", "dictionary.entries", "book-open"),)
_SERVICES = "zato.kvdb.data-dict"
_PAGE_SIZE = 50
ENTRY = ("system", "key", "value")
TRANSLATION = ("system1", "key1", "value1", "system2", "key2", "value2")
TRIED = ("system1", "key1", "value1", "system2", "key2")
_EXPORTED = "data-dictionary.json.bz2"


@PAGE.get("/")
def entries() -> ResponseReturnValue:
    return _list("dictionary")


@PAGE.get("/translations")
def translations() -> ResponseReturnValue:
    return _list("translation")


@PAGE.post("/<group>")
def create(group: str) -> ResponseReturnValue:
    fields = _fields(group)
    values = {name: request.form.get(name, "").strip() for name in fields}
    try:
        if number := request.form.get("id", type=int):
            person().do(f"{_SERVICES}.{group}.edit", {"id": number, **values})
        else:
            person().do(f"{_SERVICES}.{group}.create", values)
    except ZatoError as exc:
        if exc.http_status >= 500 or exc.http_status == 403:
            raise
        return _list(group, typed={**values, "id": request.form.get("id", "")}, problem=exc)
    tell(person(), "The entry is kept" if group == "dictionary" else "The translation is kept")
    return redirect(_home(group))


@PAGE.post("/<group>/<int:number>/delete")
def delete(group: str, number: int) -> ResponseReturnValue:
    _fields(group)
    person().do(f"{_SERVICES}.{group}.delete", {"id": number})
    tell(person(), "It is deleted")
    return redirect(_home(group))


@PAGE.get("/translate")
def translate() -> ResponseReturnValue:
    values = {name: request.args.get(name, "").strip() for name in TRIED}
    answer, problem = None, ""
    if all(values.values()):
        try:
            answer = person().ask(f"{_SERVICES}.translation.translate", values)
        except (BadRequest, NotFound) as exc:
            problem = exc.message
    return render_template("dictionary/translate.html", values=values, answer=answer, problem=problem)


@PAGE.get("/export")
def export() -> ResponseReturnValue:
    data = base64.b64decode(person().ask(f"{_SERVICES}.impexp.export")["data"])
    headers = {"Content-Disposition": f'attachment; filename="{_EXPORTED}"'}
    return Response(data, mimetype="application/x-bzip2", headers=headers)


@PAGE.post("/import")
def import_all() -> ResponseReturnValue:
    person().must("deployer")
    file = request.files.get("file")
    if file is None or not file.filename:
        raise BadRequest("Choose a file that was exported here or elsewhere")
    try:
        data = base64.b64encode(file.read()).decode()
        made = person().do(f"{_SERVICES}.impexp.import", {"data": data})
    except binascii.Error as exc:
        raise BadRequest(f"The file is none that was exported: {exc}") from exc
    tell(person(), f"There are {made['items']} entries and {made['translations']} translations now")
    return redirect(url_for("dictionary.entries"))


def _list(group: str, *, typed: dict[str, str] | None = None, problem: ZatoError | None = None) -> ResponseReturnValue:
    fields = _fields(group)
    query = request.args.get("q", "").strip()[:200]
    asked = {"cur_page": max(1, request.args.get("page", 1, type=int)), "page_size": _PAGE_SIZE, "query": query}
    answer = person().ask(f"{_SERVICES}.{group}.get-list", asked)
    if typed is None and (number := request.args.get("edit", type=int)):
        typed = next(({**each, "id": number} for each in answer["data"] if each["id"] == number), None)
    page = render_template(
        "dictionary/list.html",
        group=group,
        fields=fields,
        rows=answer["data"],
        meta=answer["_meta"],
        query=query,
        typed=typed or {},
        problem=problem.message if problem else "",
        systems=[each["name"] for each in person().ask(f"{_SERVICES}.dictionary.get-system-list")],
        may_change=person().may("deployer"),
        home=_home(group),
    )
    return page, problem.http_status if problem else 200


def _fields(group: str) -> tuple[str, ...]:
    fields = {"dictionary": ENTRY, "translation": TRANSLATION}.get(group)
    if fields is None:
        raise NotFound(f"There is no '{group:.40}' in data dictionaries")
    return fields


def _home(group: str) -> str:
    return url_for("dictionary.entries" if group == "dictionary" else "dictionary.translations")
