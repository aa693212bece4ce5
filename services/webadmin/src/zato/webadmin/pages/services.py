"""Services: which there are and how they fare, their source, deploying and invoking them, and runs that are worth a look."""

import base64
import json
import time
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from zato.common.errors import BadRequest, NotFound, PayloadTooLarge, Unavailable, ZatoError
from zato.webadmin.context import tell, webadmin
from zato.webadmin.forms import form_of, values_of
from zato.webadmin.highlighting import coloured, pretty
from zato.webadmin.invoking import Answer, input_fields, input_of
from zato.webadmin.kinds import Kind
from zato.webadmin.menu import Entry
from zato.webadmin.person import person

PAGE = Blueprint("services", __name__, url_prefix="/services")
MENU = (Entry("Services", "services.index", "workflow"),)
_PAGE_SIZE = 50
# More than so many that invoke a service are in their own list, with a filter.
_MOST_USERS = 20
_DEPLOY_S = 15.0
_INVOKE_S = 60.0
_KIND = "service"
# What is kept of runs, by the word in the address: the service that lists them, and what people call them.
RECORDINGS = {"samples": ("sample", "Samples"), "slow": ("slow-response", "Slow responses"), "errors": ("error", "Errors")}
NEW_FILE = '''\
from zato.server.service import Service


class Hello(Service):
    """Greets whoever calls."""

    name = "hello"
    input = "-name"

    def handle(self):
        self.response.payload = {"greeting": f"Hello, {self.request.input.name or 'world'}!"}
'''


@PAGE.get("/")
def index() -> ResponseReturnValue:
    query, is_platform = request.args.get("q", "").strip()[:200], request.args.get("of") == "platform"
    asked = {"query": query} if query else {}
    found = [each for each in person().ask("zato.service.get-list", asked) if (not each["file_name"]) is is_platform]
    page = max(1, request.args.get("page", 1, type=int))
    shown = found[(page - 1) * _PAGE_SIZE : page * _PAGE_SIZE]
    meta = _meta(page, len(found))
    template = "services/table.html" if request.headers.get("HX-Target") == "table" else "services/list.html"
    return render_template(template, services=shown, meta=meta, query=query, is_platform=is_platform, numbers=_numbers())


@PAGE.get("/new")
def new() -> ResponseReturnValue:
    person().must("deployer")
    return render_template("services/edit.html", file_name="hello.py", source=NEW_FILE, is_new=True, outcome=None)


@PAGE.post("/deploy")
def deploy() -> ResponseReturnValue:
    """Files that were chosen on this machine, or the text of the editor."""
    uploads = [(each.filename or "", each.read()) for each in request.files.getlist("files") if each.filename]
    typed = request.form.get("source")
    if typed is not None:
        uploads.append((request.form.get("file_name", "").strip(), typed.replace("\r\n", "\n").encode()))
    if not uploads:
        raise BadRequest("Choose a file of services, which ends in .py, or a package: .zip or .whl")
    outcomes = []
    for name, source in uploads:
        _check_upload(name, source)
        outcomes.append(person().deploy(name, source, wait_s=_DEPLOY_S))
    failed = [each for each in outcomes if each.missing or not all(worker.is_ok for worker in each.workers)]
    if typed is not None and failed:
        name, source = uploads[0]
        page = render_template("services/edit.html", file_name=name, source=source.decode(), is_new=False, outcome=failed[0])
        return page, 422
    return render_template("services/deployed.html", outcomes=outcomes, failed=failed)


@PAGE.post("/files/<file_name>/undeploy")
def undeploy(file_name: str) -> ResponseReturnValue:
    person().do("zato.package.undeploy", {"name": file_name, "wait": _DEPLOY_S}, timeout_s=2 * _DEPLOY_S)
    tell(person(), f"{file_name} is not deployed any more")
    return redirect(url_for("services.index"))


@PAGE.get("/files/<file_name>")
def versions(file_name: str) -> ResponseReturnValue:
    found = person().ask("zato.package.get-history", {"name": file_name})
    return render_template("services/versions.html", file_name=file_name, versions=found)


@PAGE.get("/files/<file_name>/<int:version>")
def version(file_name: str, version: int) -> ResponseReturnValue:
    """One version of a file or package, and what it made different from the one before it that has something."""
    history = person().ask("zato.package.get-history", {"name": file_name})
    found = person().ask("zato.package.get", {"name": file_name, "version": version})
    before = next((each["version"] for each in history if each["version"] < version and each["action"] != "undeploy"), 0)
    compared = {"name": file_name, "from_version": before, "to_version": version}
    return render_template(
        "services/version.html",
        file_name=file_name,
        facts=found,
        is_live=any(each["version"] == version and each["is_live"] for each in history),
        before=before,
        differences=person().ask("zato.package.diff", compared)["files"] if before else [],
        text=_text_of(file_name, found),
    )


@PAGE.get("/files/<file_name>/<int:version>/content")
def content(file_name: str, version: int) -> ResponseReturnValue:
    """As it can be deployed elsewhere: a Python file, or a zip archive."""
    found = person().ask("zato.package.get-source", {"name": file_name, "version": version})
    headers = {"Content-Disposition": f'attachment; filename="{found["payload_name"]}"'}
    return Response(base64.b64decode(found["payload"]), mimetype="application/octet-stream", headers=headers)


@PAGE.post("/files/<file_name>/<int:version>/roll-back")
def roll_back(file_name: str, version: int) -> ResponseReturnValue:
    """The old content becomes a new version: what was is kept."""
    wanted = {"name": file_name, "version": version, "wait": _DEPLOY_S}
    made = person().do("zato.package.roll-back", wanted, timeout_s=2 * _DEPLOY_S)
    if made["is_ok"]:
        tell(person(), f"{file_name} is live in version {made['version']}, with what version {version} had")
    else:
        missing = f"not heard of in time: {', '.join(made['missing'])}"
        tell(
            person(), f"Version {made['version']} of {file_name} is not live everywhere: {made['reason'] or missing}", "problem"
        )
    return redirect(url_for("services.versions", file_name=file_name))


@PAGE.get("/<name>")
def show(name: str) -> ResponseReturnValue:
    service = _service(name)
    return render_template(
        "services/overview.html",
        service=service,
        hour=person().ask("zato.stats.get-by-service", {"service": name}) if _has_numbers(service) else None,
        users=person().ask("zato.service.get-channel-list", {"name": name}),
        most_users=_MOST_USERS,
        kinds=webadmin().kinds.all(person()),
        deployments=person().ask("zato.service.get-deployment-info-list", {"name": name}),
    )


@PAGE.get("/<name>/source")
def source(name: str) -> ResponseReturnValue:
    service = _service(name)
    found = person().ask("zato.service.get-source-info", {"name": name})
    return render_template(
        "services/source.html", service=service, found=found, text=coloured(found["source"], "python", has_lines=True)
    )


@PAGE.get("/<name>/edit")
def edit(name: str) -> ResponseReturnValue:
    person().must("deployer")
    found = person().ask("zato.service.get-source-info", {"name": name})
    return render_template(
        "services/edit.html", file_name=found["source_path"], source=found["source"], is_new=False, outcome=None
    )


@PAGE.get("/<name>/invoke")
def ask_input(name: str) -> ResponseReturnValue:
    person().must("developer")
    service, schema = _service(name), _schema(name)
    fields = input_fields(schema)
    example = json.dumps({field.name: field.value or "" for field in fields}, indent=2) if fields else "{}"
    return render_template("services/invoke.html", service=service, fields=fields, example=example)


@PAGE.post("/<name>/invoke")
def invoke(name: str) -> ResponseReturnValue:
    person().must("developer")
    if request.form.get("as") == "form":
        payload, data_format = json.dumps(input_of(_schema(name), request.form)).encode(), "json"
    else:
        payload = request.form.get("payload", "").encode()
        data_format = "raw" if request.form.get("data_format") == "raw" else "json"
    if "later" in request.form:
        return _queued(name, payload, data_format)
    answer = _answer(name, payload, data_format)
    body, language = pretty(answer.body)
    return render_template("services/answer.html", answer=answer, body=coloured(body, language))


@PAGE.get("/<name>/later/<cid>")
def outcome(name: str, cid: str) -> ResponseReturnValue:
    """What became of an asynchronous invocation, for the page that waits for it, or with a page of its own."""
    found = person().ask("zato.async.get-outcome", {"cid": cid})
    body, language = pretty(found["payload"])
    template = "services/outcome_part.html" if request.headers.get("HX-Request") else "services/later.html"
    return render_template(template, service=_service(name), found=found, body=coloured(body, language))


@PAGE.get("/<name>/kept/<what>")
def recordings(name: str, what: str) -> ResponseReturnValue:
    group, label = _recording(what)
    page = max(1, request.args.get("page", 1, type=int))
    asked = {"name": name, "cur_page": page, "page_size": _PAGE_SIZE}
    answer = person().ask(f"zato.service.{group}.get-list", asked)
    return render_template(
        "services/recordings.html", service=_service(name), what=what, label=label, found=answer["data"], meta=answer["_meta"]
    )


@PAGE.get("/<name>/kept/<what>/<cid>")
def recording(name: str, what: str, cid: str) -> ResponseReturnValue:
    group, label = _recording(what)
    found = person().ask(f"zato.service.{group}.get", {"name": name, "cid": cid})
    messages = [
        (title, coloured(*pretty(str(found[field]))))
        for field, title in (("req", "Request"), ("resp", "Response"))
        if found.get(field)
    ]
    trace = coloured(found["traceback"], "traceback") if found.get("traceback") else ""
    return render_template(
        "services/recording.html", service=_service(name), what=what, label=label, found=found, messages=messages, trace=trace
    )


@PAGE.post("/<name>/kept/<what>/delete")
def delete_recordings(name: str, what: str) -> ResponseReturnValue:
    group, label = _recording(what)
    person().do(f"zato.service.{group}.delete", {"name": name})
    tell(person(), f"{label} of {name} are deleted")
    return redirect(url_for("services.recordings", name=name, what=what))


@PAGE.get("/<name>/settings")
def settings(name: str) -> ResponseReturnValue:
    return _settings_page(name, _stored(name))


@PAGE.post("/<name>/settings")
def store_settings(name: str) -> ResponseReturnValue:
    values = {"is_active": "is_active" in request.form, **values_of(_kind(), request.form)}
    try:
        person().do("zato.service.edit", {"name": name, **values})
    except BadRequest as exc:
        return _settings_page(name, values, exc)
    tell(person(), f"{name} is changed")
    return redirect(url_for("services.settings", name=name))


def _text_of(name: str, package: dict[str, Any]) -> Markup | None:
    """The source of what is one file, in colours."""
    if package["file_count"] != 1 or not name.endswith(".py"):
        return None
    found = person().ask("zato.package.get-source", {"name": name, "version": package["version"]})
    return coloured(base64.b64decode(found["payload"]).decode(errors="replace"), "python", has_lines=True)


def _settings_page(name: str, values: dict[str, Any], error: ZatoError | None = None) -> ResponseReturnValue:
    problems = dict(error.attributes) if error is not None else {}
    form = form_of(_kind(), values, is_new=False, problems=problems)
    is_active = values.get("is_active", True)
    page = render_template(
        "services/settings.html", service=_service(name), form=form, is_active=is_active, error=error, problems=problems
    )
    return page, (200 if error is None else 422)


def _kind() -> Kind:
    return webadmin().kinds.get(person(), _KIND)


def _stored(name: str) -> dict[str, Any]:
    try:
        return dict(person().ask("zato.service.get", {"name": name}))
    except NotFound:
        # Nobody has said anything of it yet.
        return {}


def _service(name: str) -> dict[str, Any]:
    return dict(person().ask("zato.service.get-by-name", {"name": name}))


def _has_numbers(service: dict[str, Any]) -> bool:
    """Whether Redis, which has them, answers."""
    return "usage" in service


def _schema(name: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = person().ask("zato.service.get-json-schema", {"name": name})["input"]
    return found


def _numbers() -> dict[str, dict[str, Any]]:
    try:
        found = person().ask("zato.stats.get-summary-by-range", {"n": 1000, "is_internal": True})
    except Unavailable:
        return {}
    return {each["service_name"]: each for each in found}


def _answer(name: str, payload: bytes, data_format: str) -> Answer:
    started = time.monotonic()
    try:
        given = person().invoke_raw(name, payload, data_format=data_format, timeout_s=_INVOKE_S)
    except ZatoError as exc:
        took = (time.monotonic() - started) * 1000
        return Answer("", exc.http_status, "", "", exc.attributes.get("cid", ""), took, exc.message or type(exc).__name__)
    took = (time.monotonic() - started) * 1000
    text = given.payload.decode(errors="replace")
    return Answer(text, given.status or 200, given.content_type, given.server, given.cid, took)


def _queued(name: str, payload: bytes, data_format: str) -> ResponseReturnValue:
    text = payload.decode()
    try:
        content = text if data_format == "raw" or not text.strip() else json.loads(text)
    except ValueError as exc:
        raise BadRequest(f"The payload is no JSON: {exc}") from exc
    made = person().do("zato.async.invoke", {"name": name, "payload": content, "data_format": data_format})
    return redirect(url_for("services.outcome", name=name, cid=made["cid"]), 303)


def _check_upload(name: str, source: bytes) -> None:
    most = webadmin().settings.max_upload_bytes
    if len(source) > most:
        raise PayloadTooLarge(f"'{name:.100}' has {len(source):,} bytes; at most {most:,} are taken")
    if name.endswith(".py") and b"\0" in source:
        raise BadRequest(f"'{name:.100}' is no text: a file of services is Python")


def _recording(what: str) -> tuple[str, str]:
    if what not in RECORDINGS:
        raise NotFound(f"Nothing called '{what:.40}' is kept of services")
    return RECORDINGS[what]


def _meta(page: int, total: int) -> dict[str, Any]:
    pages = max(1, -(-total // _PAGE_SIZE))
    return {
        "cur_page": page,
        "num_pages": pages,
        "total": total,
        "has_prev_page": page > 1,
        "has_next_page": page < pages,
        "prev_page": page - 1,
        "next_page": page + 1,
    }
