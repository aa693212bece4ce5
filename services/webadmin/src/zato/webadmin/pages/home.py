"""The first page: what the cluster answers now and over time, and for a new one the way to its first service."""

import time
from pathlib import Path

from flask import Blueprint, Response, current_app, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from zato.common.errors import AlreadyExists, ZatoError
from zato.webadmin.context import tell, webadmin
from zato.webadmin.guard import EVENTS
from zato.webadmin.live import numbers_of
from zato.webadmin.menu import Entry
from zato.webadmin.person import Person, person
from zato.webadmin.traffic import LIVE, SPANS, traffic_of

PAGE = Blueprint("home", __name__)
MENU = (Entry("Overview", "home.page", "layout-dashboard"),)
# Browsers come back by themselves: so a page that was left open takes no thread for ever.
_MOST_S = 600.0
_DEPLOY_S = 15.0
FIRST_SERVICE = Path(__file__).parent.parent / "first_service.py.txt"
FIRST_CHANNEL = {"name": "hello", "url_path": "/hello", "service": "hello.world", "method": "GET"}


@PAGE.get("/")
def page() -> ResponseReturnValue:
    someone = person()
    span = _span()
    found, missing = None, ""
    try:
        found = traffic_of(someone, span)
    except ZatoError as exc:
        missing = exc.message
    return render_template(
        "home/page.html",
        span=span,
        spans=SPANS,
        traffic=found,
        missing=missing,
        first_service=FIRST_SERVICE.read_text().strip(),
        is_new=not missing and not _has_services(someone),
    )


@PAGE.get("/traffic")
def traffic() -> ResponseReturnValue:
    """The same numbers anew, for a page that shows a longer time."""
    return Response(numbers_of(traffic_of(person(), _span()), current_app.jinja_env), mimetype="application/json")


@PAGE.get("/traffic/live")
def live() -> ResponseReturnValue:
    """The numbers as they come, for as long as the page is open and its session lasts (server-sent events)."""
    sessions, lifetime, cookie = webadmin().sessions, webadmin().lifetime, g.cookie
    ends_at = time.monotonic() + _MOST_S

    def goes_on() -> bool:
        return time.monotonic() < ends_at and not lifetime.is_over and sessions.find(cookie, is_sign_of_life=False) is not None

    events = webadmin().live.events(person(), goes_on)
    return Response(events, mimetype=EVENTS, headers={"X-Accel-Buffering": "no"})


@PAGE.post("/first-service")
def deploy_first_service() -> ResponseReturnValue:
    someone = person()
    someone.deploy("hello.py", FIRST_SERVICE.read_bytes(), wait_s=_DEPLOY_S)
    try:
        someone.do("zato.channel-http.create", FIRST_CHANNEL)
    except AlreadyExists:
        tell(someone, "The service is deployed; the channel 'hello' was there already", "note")
    else:
        tell(someone, "Your first service is live: call it through the load-balancer at /hello")
    return redirect(url_for("home.page"))


def _span() -> str:
    span = request.args.get("span", LIVE)
    return span if span in SPANS else LIVE


def _has_services(someone: Person) -> bool:
    return any(service["file_name"] for service in someone.ask("zato.service.get-list"))
