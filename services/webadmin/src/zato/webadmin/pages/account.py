"""Signing in and out, and a person's own account: password, second factor, how pages look."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit
from zoneinfo import available_timezones

import segno
from flask import Blueprint, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from zato.common.errors import BadRequest, Conflict, TooManyRequests, Unauthorized, ZatoError
from zato.common.logs import get_logger
from zato.webadmin.context import tell, webadmin
from zato.webadmin.guard import forget_cookie, open_before_password, open_to_strangers, set_cookie
from zato.webadmin.menu import Entry
from zato.webadmin.person import ROLES, person
from zato.webadmin.preferences import THEMES, TIME_FORMATS, Preferences

log = get_logger(__name__)
PAGE = Blueprint("account", __name__)
MENU: tuple[Entry, ...] = ()
_CHANGED = "Your password is changed; all your other sessions have ended"


@PAGE.get("/sign-in")
@open_to_strangers
def sign_in() -> ResponseReturnValue:
    if g.person is not None:
        return redirect(_target())
    return _sign_in_page()


@PAGE.post("/sign-in")
@open_to_strangers
def begin() -> ResponseReturnValue:
    name, password, code = (request.form.get(field, "") for field in ("name", "password", "code"))
    if code:
        # The password was typed into the form before this one.
        password = webadmin().sessions.held(g.cookie)
    try:
        answer = webadmin().cluster.sign_in(name, password, code.strip(), address=request.remote_addr or "")
    except TooManyRequests as exc:
        page = _sign_in_page(f"{exc.message}. Wait {exc.retry_after_s} s.", status=429)
        page[2]["Retry-After"] = str(exc.retry_after_s)
        return page
    except Unauthorized as exc:
        return _sign_in_page(exc.message, status=401)
    if answer.needs_code:
        webadmin().sessions.hold(g.cookie, password)
        return _sign_in_page(needs_code=True)
    ends_at = datetime.fromisoformat(answer.expires_at).timestamp()
    # What a stranger's cookie was is not what a signed-in person's is.
    webadmin().sessions.end(g.cookie)
    cookie = webadmin().sessions.begin(
        answer.name, answer.role, answer.token, must_change_password=answer.must_change_password, expires_at=ends_at
    )
    log.info("signed_in", account=answer.name, remote_address=request.remote_addr)
    response = redirect(url_for("account.change_password") if answer.must_change_password else _target())
    set_cookie(response, cookie)
    return response


@PAGE.post("/sign-out")
@open_before_password
def sign_out() -> ResponseReturnValue:
    try:
        webadmin().cluster.sign_out(person().caller)
    except ZatoError as exc:
        # Here it ends all the same; there, when its time is over.
        log.warning("servers_not_told_of_sign_out", error=exc.message)
    webadmin().sessions.end(g.cookie)
    response = redirect(url_for("account.sign_in"))
    forget_cookie(response)
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


@PAGE.get("/account/password")
@open_before_password
def change_password() -> ResponseReturnValue:
    return render_template("account/password.html", problem="")


@PAGE.post("/account/password")
@open_before_password
def store_password() -> ResponseReturnValue:
    old, new, again = (request.form.get(field, "") for field in ("old", "new", "again"))
    if new != again:
        return render_template("account/password.html", problem="The new password was not typed the same twice"), 422
    someone = person()
    try:
        someone.do("zato.account.change-own-password", {"old_password": old, "new_password": new})
    except (BadRequest, Unauthorized) as exc:
        return render_template("account/password.html", problem=exc.message), 422
    # The session stays, all others have ended: it means more from now on, so its cookie is another one.
    session = replace(someone.session, must_change_password=False, notices=(("done", _CHANGED),))
    response = redirect(url_for("home.page"))
    set_cookie(response, webadmin().sessions.rotate(g.cookie, session))
    return response


@PAGE.get("/account/settings")
def settings() -> ResponseReturnValue:
    return render_template(
        "account/settings.html",
        zones=sorted(available_timezones()),
        themes=THEMES,
        time_formats=TIME_FORMATS,
        now=datetime.now(UTC),
    )


@PAGE.post("/account/settings")
def store_settings() -> ResponseReturnValue:
    chosen = Preferences(*(request.form.get(field, "") for field in ("zone", "time_format", "theme")))
    webadmin().preferences.keep(person().name, chosen)
    tell(person(), "Your settings are kept")
    return redirect(url_for("account.settings"))


@PAGE.get("/account/security")
def security() -> ResponseReturnValue:
    return _security_page()


@PAGE.post("/account/second-factor/begin")
def begin_second_factor() -> ResponseReturnValue:
    return _factor_page(person().do("zato.account.begin-second-factor"))


@PAGE.post("/account/second-factor/confirm")
def confirm_second_factor() -> ResponseReturnValue:
    try:
        person().do("zato.account.confirm-second-factor", {"code": request.form.get("code", "").strip()})
    except (Unauthorized, BadRequest) as exc:
        again = {"key": request.form.get("key", ""), "url": request.form.get("url", "")}
        return _factor_page(again, exc.message), 422
    tell(person(), "From now on you sign in with a code, too; all your other sessions have ended")
    return redirect(url_for("account.security"))


@PAGE.post("/account/second-factor/remove")
def remove_second_factor() -> ResponseReturnValue:
    try:
        person().do("zato.account.remove-second-factor", {"password": request.form.get("password", "")})
    except (Unauthorized, BadRequest) as exc:
        return _security_page(exc.message), 422
    tell(person(), "You sign in without a code from now on")
    return redirect(url_for("account.security"))


@PAGE.post("/account/tokens")
def create_token() -> ResponseReturnValue:
    days = request.form.get("expires_days", "")
    values = {"name": request.form.get("name", "").strip(), "role": request.form.get("role", ""), "expires_days": days}
    try:
        made = person().do("zato.account.create-token", values)
    except (BadRequest, Conflict) as exc:
        return _security_page(exc.message), 422
    return render_template("account/token.html", made=made)


@PAGE.post("/account/tokens/<int:token_id>/delete")
def delete_token(token_id: int) -> ResponseReturnValue:
    person().do("zato.account.delete-token", {"id": token_id})
    tell(person(), "It is good for nothing any more")
    return redirect(url_for("account.security"))


def _security_page(problem: str = "") -> str:
    return render_template(
        "account/security.html",
        own=person().ask("zato.account.get-own"),
        tokens=person().ask("zato.account.get-token-list"),
        roles=[role for role in ROLES if person().may(role)],
        problem=problem,
    )


def _factor_page(begun: Mapping[str, str], problem: str = "") -> str:
    picture = segno.make(begun["url"], error="m").svg_data_uri(scale=5, border=2, dark="#000", light="#fff")
    return render_template("account/factor.html", begun=begun, picture=picture, problem=problem)


def _sign_in_page(problem: str = "", *, status: int = 200, needs_code: bool = False) -> tuple[str, int, dict[str, str]]:
    return (
        render_template(
            "account/sign_in.html",
            problem=problem,
            needs_code=needs_code,
            name=request.form.get("name", ""),
            next=_target(),
        ),
        status,
        {},
    )


def _target() -> str:
    """Where somebody wanted to go: a path of ours, whatever somebody else has written into the address."""
    wanted = request.values.get("next", "")
    split = urlsplit(wanted)
    is_ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and not split.netloc and wanted.isprintable()
    return wanted if is_ours and "\\" not in wanted else url_for("home.page")
