"""Accounts and roles: who may do what, for whoever may manage that."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from zato.common.errors import BadRequest, Conflict
from zato.webadmin.context import tell
from zato.webadmin.menu import Entry
from zato.webadmin.person import ROLES, person

PAGE = Blueprint("accounts", __name__, url_prefix="/accounts")
MENU = (Entry("Accounts", "accounts.index", "users", "admin"),)
ROLE_HELP = {
    "viewer": "Looks at everything but messages and secrets",
    "operator": "Pings, runs and pauses jobs, tries failed messages again, reads the audit log",
    "developer": "Invokes services, reads their source and samples of their messages",
    "deployer": "Deploys services; creates, edits and deletes objects",
    "admin": "Manages accounts, too",
}


@PAGE.get("/")
def index() -> ResponseReturnValue:
    return render_template("accounts/list.html", accounts=person().ask("zato.account.get-list"), role_help=ROLE_HELP)


@PAGE.get("/new")
def new() -> ResponseReturnValue:
    person().must("admin")
    return _new_page("", "viewer", None)


@PAGE.post("/new")
def create() -> ResponseReturnValue:
    name, role = request.form.get("name", "").strip(), request.form.get("role", "")
    try:
        made = person().do("zato.account.create", {"name": name, "role": role})
    except (BadRequest, Conflict) as exc:
        return _new_page(name, role, exc.message), 422
    return render_template("accounts/password.html", account=made, is_new=True)


@PAGE.get("/<name>")
def show(name: str) -> ResponseReturnValue:
    account = person().ask("zato.account.get", {"name": name})
    return render_template("accounts/show.html", account=account, roles=ROLES, role_help=ROLE_HELP, problem="")


@PAGE.post("/<name>")
def edit(name: str) -> ResponseReturnValue:
    values = {"name": name, "role": request.form.get("role", ""), "is_active": "is_active" in request.form}
    try:
        person().do("zato.account.edit", values)
    except (BadRequest, Conflict) as exc:
        account = person().ask("zato.account.get", {"name": name})
        page = render_template("accounts/show.html", account=account, roles=ROLES, role_help=ROLE_HELP, problem=exc.message)
        return page, exc.http_status
    tell(person(), f"{name} is changed")
    return redirect(url_for("accounts.show", name=name))


@PAGE.post("/<name>/reset-password")
def reset_password(name: str) -> ResponseReturnValue:
    account = person().do("zato.account.reset-password", {"name": name})
    return render_template("accounts/password.html", account=account, is_new=False)


@PAGE.post("/<name>/delete")
def delete(name: str) -> ResponseReturnValue:
    person().do("zato.account.delete", {"name": name})
    tell(person(), f"{name} is deleted")
    return redirect(url_for("accounts.index"))


def _new_page(name: str, role: str, problem: str | None) -> str:
    return render_template("accounts/new.html", name=name, role=role, problem=problem, roles=ROLES, role_help=ROLE_HELP)
