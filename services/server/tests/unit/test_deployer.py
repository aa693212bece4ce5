"""Files of services, as a worker takes them up."""

import pytest

from zato.server.services.deployer import Deployer
from zato.server.services.invoke import Invoker
from zato.server.services.modules import SourceFile
from zato.server.services.names import default_service_name
from zato.server.services.store import ServiceStore

SERVICE = "from zato.server.service import Service\n"


def service(body: str, *, name: str = "x", before: str = "") -> bytes:
    return f"{before}{SERVICE}class X(Service):\n    name = {name!r}\n    def handle(self):\n        {body}\n".encode()


@pytest.fixture
def store():
    return ServiceStore()


@pytest.fixture
def deployer(store, tmp_path):
    return Deployer(store, tmp_path)


def run(store, name="x"):
    class Response:
        payload = None

    instance = store.get(name).cls()
    instance.response = Response()
    instance.handle()
    return instance.response.payload


def test_a_bad_file_leaves_the_old_version_and_gives_file_and_line(deployer, store):
    deployer.apply([SourceFile("a.py", 1, service("self.response.payload = 1"))])
    (outcome,) = deployer.apply([SourceFile("a.py", 2, b"x = 1\ndef broken(:\n")])
    assert not outcome.is_ok
    assert outcome.reason.startswith("a.py, line 2: ")
    assert outcome.version_running == 1
    assert run(store) == 1


def test_a_failing_import_names_its_line(deployer):
    (outcome,) = deployer.apply([SourceFile("a.py", 1, b"x = 1\ny = 1 / 0\n")])
    assert outcome.reason == "a.py, line 2: ZeroDivisionError: division by zero"


def test_the_order_of_deployment_does_not_matter(deployer, store):
    user = SourceFile("user.py", 1, service("self.response.payload = helper.V", before="import helper\n"))
    (waiting,) = deployer.apply([user])
    assert waiting.missing == "helper"
    outcomes = deployer.apply([SourceFile("helper.py", 1, b"V = 7\n")])
    assert all(outcome.is_ok for outcome in outcomes)
    assert run(store) == 7


def test_what_imports_a_changed_sibling_is_imported_anew(deployer, store):
    deployer.apply([SourceFile("helper.py", 1, b"V = 1\n")])
    deployer.apply([SourceFile("user.py", 1, service("self.response.payload = V", before="from helper import V\n"))])
    deployer.apply([SourceFile("helper.py", 2, b"V = 2\n")])
    assert run(store) == 2


def test_old_code_still_finds_its_old_sibling(deployer, store):
    deployer.apply([SourceFile("helper.py", 1, b"V = 1\n")])
    deployer.apply([SourceFile("user.py", 1, service("import helper; self.response.payload = helper.V"))])
    old = store.get("x").cls
    deployer.apply([SourceFile("helper.py", 2, b"V = 2\n")])

    class Response:
        payload = None

    instance = old()
    instance.response = Response()
    instance.handle()
    assert instance.response.payload == 1
    assert run(store) == 2


def test_a_removed_file_takes_its_services_along(deployer, store):
    deployer.apply([SourceFile("a.py", 1, service("pass"))])
    deployer.apply([], {"a.py": 2})
    assert "x" not in store


def test_two_files_may_not_define_one_service(deployer, store):
    deployer.apply([SourceFile("a.py", 1, service("self.response.payload = 1"))])
    (outcome,) = deployer.apply([SourceFile("b.py", 1, service("pass"))])
    assert "already defined in a.py" in outcome.reason
    assert run(store) == 1


def test_checking_a_file_uses_nothing_of_it(deployer, store):
    assert deployer.check(SourceFile("a.py", 1, service("pass"))).is_ok
    assert "x" not in store


def test_a_file_called_as_a_library_hides_nothing(deployer, store):
    import calendar

    (outcome,) = deployer.apply([SourceFile("calendar.py", 1, service("pass"))])
    assert outcome.is_ok
    import calendar as still

    assert still is calendar
    assert hasattr(still, "monthrange")


def test_a_dataclass_can_be_defined_in_a_deployed_file(deployer):
    source = b"from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass P:\n    x: int = 1\n"
    (outcome,) = deployer.apply([SourceFile("with_dataclass.py", 1, source)])
    assert outcome.is_ok, outcome.reason


def test_a_base_class_without_a_handler_is_no_service(deployer, store):
    source = SERVICE + "class Base(Service):\n    pass\nclass GetThing(Base):\n    def handle_GET(self):\n        pass\n"
    deployer.apply([SourceFile("someModule.py", 1, source.encode())])
    assert [entry.name for entry in store.entries()] == ["some-module.get-thing"]
    assert store.get("some-module.get-thing").verbs == {"GET"}


def test_names_that_begin_with_the_platforms_prefix_are_refused(deployer):
    (outcome,) = deployer.apply([SourceFile("a.py", 1, service("pass", name="zato.ping"))])
    assert "zato.ping" in outcome.reason


@pytest.mark.parametrize(
    ("module", "cls", "name"),
    [
        ("service_api", "MyService", "service-api.my-service"),
        ("tutorial2c_getclientdetails", "GetClientDetails", "tutorial2c-getclientdetails.get-client-details"),
        ("files", "GetPDFFile", "files.get-pdf-file"),
    ],
)
def test_a_service_without_a_name_is_called_after_file_and_class(module, cls, name):
    assert default_service_name(module, cls) == name


def test_an_unknown_service_is_not_found(store):
    from zato.common.errors import NotFound

    with pytest.raises(NotFound, match="nope"):
        Invoker(store).invoke("nope", None, cid="c", channel=None)
