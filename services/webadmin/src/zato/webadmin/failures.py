"""Pages for when something does not go: each says what happened, and what to do next."""

from flask import Flask, g, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, NotFound

from zato.common.errors import Forbidden, Unauthorized, ZatoError
from zato.common.logs import get_logger
from zato.webadmin.cluster import NoServer
from zato.webadmin.context import webadmin
from zato.webadmin.guard import to_sign_in
from zato.webadmin.sessions import NoRedis

log = get_logger(__name__)
_TITLES = {
    400: "That did not work",
    401: "Sign in again",
    403: "Not with your role",
    404: "There is nothing here",
    405: "Not in this way",
    409: "That is not possible now",
    413: "Too large",
    429: "Too often",
    500: "Something broke",
    503: "Something is missing",
    504: "Nobody answered in time",
}


def install(app: Flask) -> None:
    app.register_error_handler(ZatoError, _refused)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _broken)


def _refused(error: ZatoError) -> ResponseReturnValue:
    if isinstance(error, Unauthorized) and g.get("person") is not None:
        # The servers do not know the token any more.
        webadmin().sessions.end(g.cookie)
        return to_sign_in()
    return _page(error.http_status, error.message, what=_what(error))


def _what(error: ZatoError) -> str:
    if isinstance(error, NoServer):
        return "servers"
    if isinstance(error, NoRedis):
        return "redis"
    return "role" if isinstance(error, Forbidden) else ""


def _http(error: HTTPException) -> ResponseReturnValue:
    message = f"The web admin has no page {request.path:.200}" if isinstance(error, NotFound) else error.description
    return _page(error.code or 500, message or "")


def _broken(error: Exception) -> ResponseReturnValue:
    log.exception("page_failed", path=request.path, cid=g.get("cid", ""))
    return _page(500, "The web admin met something that it does not know. Its log has all there is to know, by the id below.")


def _page(status: int, message: str, what: str = "") -> ResponseReturnValue:
    if request.headers.get("HX-Request"):
        return render_template("failure_part.html", status=status, message=message, what=what), status
    title = _TITLES.get(status, "That did not work")
    return render_template("failure.html", status=status, title=title, message=message, what=what), status
