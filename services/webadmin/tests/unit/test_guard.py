"""The cookie, before plain and https."""

from pathlib import Path

import pytest
from flask import Response

from zato.webadmin.app import create_app
from zato.webadmin.config import WebAdminSettings
from zato.webadmin.guard import forget_cookie, set_cookie


@pytest.mark.parametrize(("is_https", "name"), [(False, "zato"), (True, "__Host-zato")])
def test_the_cookie_that_was_set_is_the_one_that_is_deleted(is_https: bool, name: str, tmp_path: Path) -> None:
    app = create_app(WebAdminSettings(token="t", redis_url="redis://127.0.0.1:1", is_https=is_https))
    with app.test_request_context():
        response = Response()
        set_cookie(response, "its value")
        forget_cookie(response)
    begun, ended = response.headers.getlist("Set-Cookie")
    assert begun.startswith(f"{name}=") and ended.startswith(f"{name}=;")
    for cookie in (begun, ended):
        assert ("; Secure" in cookie) is is_https
        assert "; HttpOnly" in cookie and "; Path=/" in cookie and "Domain" not in cookie
    assert "Max-Age=0" in ended
