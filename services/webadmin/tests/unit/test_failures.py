"""What people see when something broke in the web admin itself."""

from flask import Flask

from zato.webadmin.app import create_app
from zato.webadmin.config import WebAdminSettings
from zato.webadmin.guard import open_to_strangers


def test_a_page_that_broke_says_so_with_the_id_that_the_log_has_and_nothing_of_its_insides() -> None:
    app: Flask = create_app(WebAdminSettings(token="t", redis_url="redis://127.0.0.1:1"))

    @open_to_strangers
    def broken() -> str:
        raise KeyError("a secret of its insides")

    app.add_url_rule("/broken", "broken", broken)
    answer = app.test_client().get("/broken")
    assert answer.status_code == 500
    assert "Something broke" in answer.text
    assert answer.headers["X-Zato-CID"] in answer.text
    assert "secret of its insides" not in answer.text
    assert "Traceback" not in answer.text
