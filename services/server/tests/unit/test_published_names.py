"""What published services import is there, and means what it meant."""

import pickle
import sys
from pathlib import Path
from typing import Any

import pytest

from zato.common import errors
from zato.common.errors import MethodNotAllowed, Unauthorized, ZatoError, error_from
from zato.server.packages.package import Package
from zato.server.services.deployer import Deployer
from zato.server.services.store import ServiceStore

IMPORTS = """
from zato.common import (BadRequest, Conflict, DATA_FORMAT, CHANNEL, Forbidden, HTTPException, Inactive, MethodNotAllowed,
    NotFound, SMTPMessage, TooManyRequests, Unauthorized, URL_TYPE, ZatoException, ClientSecurityException, ZATO_OK,
    ConnectionException, TimeoutException, ParsingException)
from zato.common.api import DATA_FORMAT as FROM_API, SCHEDULER
from zato.common.exception import BadRequest as FROM_EXCEPTION
from zato.server.commands import CommandResult
from zato.server.connection.http_soap import BadRequest as FROM_HTTP_SOAP, NotFound, Unauthorized, Forbidden
from zato.server.service import RESTAdapter, Service
from zato.server.service.adapter import JSONAdapter
from zato.server.service.internal.helpers import Echo, HTMLService, InputLogger, SIOInputLogger
from zato.common.broker_message import SERVICE


class MyAdapter(JSONAdapter):
    outconn = "crm"


class MyREST(RESTAdapter):
    conn_name = "crm"
"""

PYTHON_2 = """
import httplib
import urllib2
import urlparse
from anyjson import dumps, loads
from bunch import Bunch, bunchify, unbunchify
from cStringIO import StringIO
from httplib import BAD_REQUEST, HTTPConnection, OK, responses
from urllib2 import HTTPError, Request, URLError, quote, urlopen
from urlparse import parse_qs, urljoin, urlparse as parse

assert loads(dumps({"a": 1})) == {"a": 1}
assert bunchify({"a": {"b": 1}}).a.b == 1
assert StringIO("text").read() == "text"
assert StringIO(b"bytes").read() == b"bytes"
assert httplib.OK == OK == 200 and responses[400] == "Bad Request"
assert parse_qs("a=1") == {"a": ["1"]} and urljoin("http://h/a", "b") == "http://h/b"
assert urlparse.urlparse("http://h/p").path == "/p" == parse("http://h/p").path
assert quote("a b") == "a%20b" == urllib2.quote("a b")
"""


def deploy(tmp_path: Path, source: str) -> Any:
    (outcome,) = Deployer(ServiceStore(), tmp_path).apply([Package("published.py", 1, source.encode())])
    return outcome


@pytest.mark.parametrize("source", [IMPORTS, PYTHON_2], ids=["ours", "python-2"])
def test_a_file_with_all_published_imports_is_deployed(tmp_path: Path, source: str) -> None:
    assert deploy(tmp_path, source).reason == ""


def test_modules_of_python_2_are_for_services_only(tmp_path: Path) -> None:
    assert deploy(tmp_path, PYTHON_2).is_ok
    for name in ("httplib", "urllib2", "urlparse", "cStringIO", "anyjson"):
        assert name not in sys.modules
        with pytest.raises(ModuleNotFoundError):
            __import__(name)


def test_other_missing_modules_are_still_missing(tmp_path: Path) -> None:
    outcome = deploy(tmp_path, "import no_such_module")
    assert (outcome.missing, outcome.version_running) == ("no_such_module", 0)


def test_a_missing_module_inside_a_library_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a_library_of_python_2.py").write_text("import httplib")
    monkeypatch.syspath_prepend(str(tmp_path))
    outcome = deploy(tmp_path / "deployed", "import a_library_of_python_2")
    assert outcome.missing == "httplib"


def test_what_services_catch_is_what_the_platform_raises() -> None:
    import zato.common as common
    from zato.server.connection import http_soap

    assert common.ZatoException is ZatoError
    for name in ("BadRequest", "Conflict", "Forbidden", "MethodNotAllowed", "NotFound", "Unauthorized"):
        assert getattr(common, name) is getattr(http_soap, name) is getattr(errors, name)
    for name in ("HTTPException", "TooManyRequests", "Inactive", "ConnectionException", "ClientSecurityException"):
        assert issubclass(getattr(common, name), ZatoError)
    with pytest.raises(ImportError):
        from zato.common import Nothing  # noqa: F401


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("BadRequest", 400),
        ("Unauthorized", 401),
        ("Forbidden", 403),
        ("NotFound", 404),
        ("MethodNotAllowed", 405),
        ("Conflict", 409),
        ("TooManyRequests", 429),
        ("ZatoException", 500),
    ],
)
def test_errors_take_a_cid_and_a_message_and_have_their_status(name: str, status: int) -> None:
    import zato.common as common

    cls = getattr(common, name)
    for raised in (cls("a-cid", "It is wrong"), cls(cid="a-cid", msg="It is wrong"), cls(None, "It is wrong")):
        assert (str(raised), raised.msg, raised.message) == ("It is wrong",) * 3
        assert (raised.status, raised.http_status) == (status, status)
        assert not {"msg", "cid"} & set(raised.attributes)
    assert cls("a-cid", "x").cid == cls(cid="a-cid", msg="x").cid == "a-cid"
    assert (cls("A sentence").message, cls("A sentence").cid, str(cls())) == ("A sentence", "", "")


def test_an_error_may_have_any_status() -> None:
    from zato.common import HTTPException

    for raised in (HTTPException("cid", "teapot", 418), HTTPException(cid="cid", msg="teapot", status=418)):
        assert (raised.status, raised.msg, raised.cid) == (418, "teapot", "cid")
        assert pickle.loads(pickle.dumps(raised)).status == 418
    assert error_from("HTTPException", "m", {"status": "404"}).http_status == 404


def test_challenges_come_with_either_form() -> None:
    for raised in (Unauthorized("cid", "m", "Basic x"), Unauthorized("m", challenge="Basic x")):
        assert (raised.message, raised.challenge) == ("m", "Basic x")
    assert MethodNotAllowed("cid", "m", "GET").allow == MethodNotAllowed("m", allow="GET").allow == "GET"


def test_a_mail_holds_what_it_is_given() -> None:
    from zato.common import SMTPMessage

    message = SMTPMessage()
    message.to, message.subject = "a@example.com", "Hello"
    message.attach("a.txt", b"x")
    assert message.attachments == [{"name": "a.txt", "contents": b"x"}]
    assert SMTPMessage().attachments == []
    assert SMTPMessage("me@example.com", "you@example.com", "Subject", "Body").subject == "Subject"


def test_all_names_that_are_said_to_be_there_are() -> None:
    from zato.common import api, exception

    for module in (api, exception):
        assert [name for name in module.__all__ if not hasattr(module, name)] == []
