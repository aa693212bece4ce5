"""Around each request: who asks, whether a form is ours, and what browsers are told to refuse."""

import hmac
import time
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from flask import Flask, Response, abort, current_app, g, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from zato.common.cid import new_cid
from zato.webadmin.context import webadmin
from zato.webadmin.person import Person
from zato.webadmin.preferences import Preferences, is_zone, zone_of
from zato.webadmin.sessions import csrf_token, new_cookie

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
View = TypeVar("View", bound=Callable[..., Any])
OPEN, BEFORE_PASSWORD = "is_open", "is_before_password"
ZONE_COOKIE = "zone"
# Set by app.js where nobody did anything.
POLL = "X-Poll"
EVENTS = "text/event-stream"
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; manifest-src 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_HSTS = "max-age=31536000"


def install(app: Flask) -> None:
    app.before_request(_begin)
    app.after_request(_end)


def open_to_strangers(view: View) -> View:
    """Mark a view that needs nobody signed in."""
    view.__dict__[OPEN] = True
    return view


def open_before_password(view: View) -> View:
    """Mark a view that is there for those too whose password has to be changed first."""
    view.__dict__[BEFORE_PASSWORD] = True
    return view


def is_by_itself() -> bool:
    """Whether a page that stays open wants to hear what is new: that keeps nobody signed in."""
    return request.accept_mimetypes.best == EVENTS or POLL in request.headers


def cookie_name() -> str:
    # With this prefix no other host of the domain can set it.
    return "__Host-zato" if webadmin().settings.has_secure_cookies else "zato"


def set_cookie(response: BaseResponse, value: str, *, most_s: int | None = None) -> None:
    response.set_cookie(
        cookie_name(), value, httponly=True, samesite="Lax", secure=webadmin().settings.has_secure_cookies, max_age=most_s
    )


def forget_cookie(response: BaseResponse) -> None:
    is_secure = webadmin().settings.has_secure_cookies
    response.delete_cookie(cookie_name(), httponly=True, samesite="Lax", secure=is_secure)


def form_token() -> str:
    """Return what each form has in its field `csrf`."""
    return csrf_token(g.cookie)


def _begin() -> BaseResponse | None:
    g.cid, g.started_at = new_cid(), time.monotonic()
    g.person, g.preferences = None, Preferences()
    if request.endpoint == "static":
        return None
    view = current_app.view_functions.get(request.endpoint or "")
    _find_cookie()
    _check_form()
    session = None if g.is_new_cookie else webadmin().sessions.find(g.cookie, is_sign_of_life=not is_by_itself())
    if session is not None:
        g.preferences = webadmin().preferences.of(session.name)
        zone = zone_of(g.preferences.zone or _browsers_zone())
        g.person = Person(session, request.remote_addr or "", webadmin().cluster, g.preferences, zone)
        if session.must_change_password and not getattr(view, OPEN, False) and not getattr(view, BEFORE_PASSWORD, False):
            return redirect(url_for("account.change_password"))
        return None
    if view is None or getattr(view, OPEN, False):
        return None
    return to_sign_in()


def _find_cookie() -> None:
    given = request.cookies.get(cookie_name(), "")
    g.is_new_cookie = not (20 <= len(given) <= 100 and given.isascii())
    # Strangers have one as well: their form to sign in is as ours as all others.
    g.cookie = new_cookie() if g.is_new_cookie else given


def _check_form() -> None:
    """Refuse what another site lets a browser send in somebody's name."""
    if request.method in _SAFE:
        return
    origin = request.headers.get("Origin", "")
    is_foreign = origin not in ("", "null") and urlsplit(origin).netloc != request.host
    given = request.headers.get("X-CSRF-Token") or request.form.get("csrf", "")
    is_ours = not g.is_new_cookie and hmac.compare_digest(given.encode(), form_token().encode())
    if is_foreign or request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none") or not is_ours:
        abort(400, "The form was not ours, or your session has ended meanwhile: open the page anew and try again")


def to_sign_in() -> BaseResponse:
    target = url_for("account.sign_in", next=request.full_path.rstrip("?") if request.method == "GET" else None)
    if request.headers.get("HX-Request"):
        # A part of a page can't be signed in to: the whole page goes there.
        current = request.headers.get("HX-Current-URL", "")
        path = urlsplit(current).path
        return Response(status=204, headers={"HX-Redirect": url_for("account.sign_in", next=path or None)})
    return redirect(target)


def _browsers_zone() -> str:
    zone = unquote(request.cookies.get(ZONE_COOKIE, ""))
    return zone if is_zone(zone) else "UTC"


def _end(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if webadmin().settings.has_secure_cookies:
        response.headers["Strict-Transport-Security"] = _HSTS
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers["X-Zato-CID"] = g.get("cid", "")
        if g.get("is_new_cookie") and not response.headers.getlist("Set-Cookie"):
            set_cookie(response, g.cookie)
    return response
