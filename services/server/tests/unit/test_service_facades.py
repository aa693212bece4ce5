"""The small things that a service finds on `self`: definitions, files, pages; and a sentence for what is not there."""

import os
from pathlib import Path
from typing import Any

import pytest

from zato.common.errors import NotFound, Unavailable
from zato.common.options import parse_options
from zato.server.connections import extras
from zato.server.control.state import ConfigObject, Configuration
from zato.server.packages.package import Package
from zato.server.security.basic_auth import BasicAuthOptions
from zato.server.service import Service
from zato.server.services import html
from zato.server.services.deployer import Deployer
from zato.server.services.security_facade import SecurityFacade
from zato.server.services.static_config import StaticConfig
from zato.server.services.store import ServiceStore
from zato.server.testing import Sandbox

# Security definitions


def definitions() -> SecurityFacade:
    options = parse_options(BasicAuthOptions, {"username": "jane", "password": "p"}, what="it")
    bearer = ConfigObject(9, "security-bearer-token", "token", False, 1, options)
    objects = {5: ConfigObject(5, "security-basic-auth", "crm", True, 1, options), 9: bearer}
    return SecurityFacade(lambda: Configuration(1, objects))


def test_a_definition_is_found_by_name_and_by_id() -> None:
    found = definitions().basic_auth["crm"]
    assert (found.id, found.name, found.username, found.password, found["is_active"]) == (5, "crm", "jane", "p", True)
    assert definitions().basic_auth.get("crm") == found == definitions().basic_auth.get_by_id(5)
    assert list(definitions().basic_auth) == ["crm"] and "crm" in definitions().basic_auth
    assert definitions().bearer_token["token"].is_active is False


def test_a_definition_that_is_not_there_is_a_key_error_with_a_sentence() -> None:
    for find in (lambda: definitions().basic_auth["token"], lambda: definitions().bearer_token.get_by_id(5)):
        with pytest.raises(KeyError) as caught:
            find()
        assert isinstance(caught.value, NotFound) and str(caught.value).startswith("There is no security-b")
    assert definitions().basic_auth.get("token", 1) == 1 and "token" not in definitions().basic_auth


# Static files


def test_static_files_are_read_by_name_and_anew_when_they_change(tmp_path: Path) -> None:
    static = StaticConfig(tmp_path / "static")
    assert list(static) == [] and "terms.txt" not in static
    (tmp_path / "static").mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    file = tmp_path / "static" / "terms.txt"
    file.write_text("old")
    assert static["terms.txt"] == "old" and list(static) == ["terms.txt"]
    file.write_text("new")
    os.utime(file, ns=(1, 1))
    assert static.get("terms.txt") == "new"
    for name in ("../secret.txt", "nothing.txt", ".", "..", "", str(tmp_path / "secret.txt")):
        with pytest.raises(NotFound, match="There is no file"):
            static[name]
        assert static.get(name, "default") == "default"
    assert "x" not in StaticConfig(None)


# Pages


PAGE = """
from zato.server.service.internal.helpers import HTMLService

class Page(HTMLService):
    name = "page"

    def handle(self):
        template = "<b>{{ name }}</b>{% for row in rows %}<i>{{ row }}</i>{% endfor %}"
        self.set_html_payload({"name": self.request.payload, "rows": [1.5, 2]}, template)
"""


def test_a_page_is_made_of_a_template_with_its_values_escaped(tmp_path: Path) -> None:
    store = ServiceStore()
    (outcome,) = Deployer(store, tmp_path).apply([Package("pages.py", 1, PAGE.encode())])
    assert outcome.is_ok, outcome.reason
    response = Sandbox().invoke(store.get("page").cls, "<script>é").response
    assert response.payload == "<b>&lt;script&gt;é</b><i>1.5</i><i>2</i>"
    assert response.content_type == "text/html; charset=utf-8"


def test_a_page_without_django_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def import_module(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name}", name="django")

    html._engine.cache_clear()
    monkeypatch.setattr(extras.importlib, "import_module", import_module)
    service = type("Page", (html.HTMLService,), {"name": "page", "handle": lambda self: self.set_html_payload({}, "")})
    with pytest.raises(Unavailable, match=r"pip install 'zato-server\[html\]'"):
        Sandbox().invoke(service)


# What is not there


def told(handle: Any) -> str:
    """Return what is added to the traceback of a service that fails."""
    with pytest.raises(AttributeError) as caught:
        Sandbox().invoke(type("Fails", (Service,), {"name": "fails", "handle": handle}))
    return "\n".join(getattr(caught.value, "__notes__", []))


@pytest.mark.parametrize(
    ("handle", "sentence"),
    [
        (lambda self: self.outgiong, "A service has no 'outgiong': did you mean self.outgoing"),
        (lambda self: self.quite_something_else, "A service has no 'quite_something_else': docs/compatibility.md lists"),
        (lambda self: self.pubsub.publish(1), "There is no self.pubsub here: topics are a broker's"),
        (lambda self: self.worker_store, "There is no self.worker_store here: it was the inside of the original"),
        (lambda self: self.cassandra_conn, "connections are found as self.outgoing.<type>[name]"),
    ],
)
def test_who_asks_for_what_is_not_there_is_told_what_is(handle: Any, sentence: str) -> None:
    assert told(handle).count(sentence) == 1


def test_a_service_that_another_one_invokes_explains_itself_once() -> None:
    sandbox = Sandbox()
    sandbox.deploy(type("Inner", (Service,), {"name": "inner", "handle": lambda self: self.outgiong}))
    with pytest.raises(AttributeError) as caught:
        sandbox.invoke(type("Outer", (Service,), {"name": "outer", "handle": lambda self: self.invoke("inner")}))
    assert len(caught.value.__notes__) == 1


@pytest.mark.parametrize(
    "handle",
    [
        lambda self: {}.nothing,  # of something else
        lambda self: self.outgoing._nothing,
        lambda self: (_ for _ in ()).throw(AttributeError("the author's own")),
    ],
)
def test_other_errors_stay_as_they_are(handle: Any) -> None:
    assert told(handle) == ""


def test_a_service_may_ask_whether_it_has_something() -> None:
    service = type(
        "Asks", (Service,), {"name": "asks", "handle": lambda self: setattr(self.response, "payload", hasattr(self, "x"))}
    )
    assert Sandbox().invoke(service).response.payload is False


def test_a_type_of_connection_that_is_not_there_says_which_are() -> None:
    from zato.server.connections.outgoing import Outgoing
    from zato.server.connections.pool import ConnectionPool

    outgoing = Outgoing(ConnectionPool)
    with pytest.raises(AttributeError, match=r"There is no out\.carrier_pigeon; there are: .*ftp.*sql"):
        outgoing.carrier_pigeon  # noqa: B018
    with pytest.raises(AttributeError, match=r"There is no email\.pop3; there are: imap, smtp"):
        outgoing.email.pop3  # noqa: B018
