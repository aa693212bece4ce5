"""What a worker makes of files of services: found, named, imported, checked, swapped, kept."""

import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from zato.common.errors import NotFound
from zato.server.packages.package import Package
from zato.server.services.deployer import Deployer, Outcome
from zato.server.services.store import ServiceStore

HEAD = "from zato.server.service import Service\n"


def service(body: str = "return 1", *, name: str = "S", service_name: str = "s", before: str = "") -> str:
    """A file with one service whose `handle` has this body, one line or several."""
    lines = "\n        ".join(body.splitlines())
    return (
        f"{HEAD}{dedent(before)}\nclass {name}(Service):\n    name = '{service_name}'\n    def handle(self):\n        {lines}\n"
    )


class Worker:
    """A deployer with its store, told what changed as a follower tells it."""

    def __init__(self, folder: Path) -> None:
        self.store = ServiceStore()
        self.deployer = Deployer(self.store, folder)
        self._versions: dict[str, int] = {}

    def file(self, name: str, source: str) -> Package:
        self._versions[name] = self._versions.get(name, 0) + 1
        return Package(f"{name}.py", self._versions[name], source.encode())

    def deploy(self, **sources: str) -> dict[str, Outcome]:
        outcomes = self.deployer.apply([self.file(name, source) for name, source in sources.items()])
        return {outcome.file_name.removesuffix(".py"): outcome for outcome in outcomes}

    def deploy_ok(self, **sources: str) -> None:
        for outcome in self.deploy(**sources).values():
            assert outcome.is_ok, outcome.reason

    def remove(self, name: str) -> list[Outcome]:
        self._versions[name] += 1
        return self.deployer.apply([], {f"{name}.py": self._versions[name]})

    def names(self) -> list[str]:
        return [entry.name for entry in self.store.entries()]

    def cls(self, name: str = "s") -> Any:
        return self.store.get(name).cls

    def run(self, name: str = "s") -> Any:
        return self.cls(name)().handle()


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    before = dict(sys.modules)
    yield Worker(tmp_path)
    for name in sys.modules.keys() - before.keys():
        if hasattr(sys.modules[name], "__zato_deployed__"):
            del sys.modules[name]


# Which classes are services


def test_services_of_a_file_are_found_and_named(worker: Worker) -> None:
    worker.deploy_ok(
        some_module=HEAD
        + dedent("""
            class GetThing(Service):
                def handle(self): pass
            class Named(Service):
                name = "my.own.name"
                def handle(self): pass
            class Verbs(Service):
                def handle_GET(self): pass
                def handle_POST(self): pass
            """)
    )
    assert worker.names() == ["my.own.name", "some-module.get-thing", "some-module.verbs"]
    assert worker.store.get("some-module.verbs").verbs == {"GET", "POST"}
    entry = worker.store.get("some-module.get-thing")
    assert (entry.impl_name, entry.file_name, entry.version) == ("some_module.GetThing", "some_module.py", 1)


def test_base_classes_without_a_handler_are_no_services(worker: Worker) -> None:
    worker.deploy_ok(
        a=HEAD
        + dedent("""
            class Base(Service):
                def help(self): return 1
            class Real(Base):
                def handle(self): return self.help()
            class Grandchild(Real):
                pass
            """)
    )
    assert worker.names() == ["a.grandchild", "a.real"]


def test_a_handler_of_one_http_method_makes_a_base_class_a_service(worker: Worker) -> None:
    source = HEAD + "\nclass Base(Service):\n    pass\nclass GetThing(Base):\n    def handle_GET(self):\n        pass\n"
    worker.deploy_ok(someModule=source)
    assert worker.names() == ["some-module.get-thing"]
    assert worker.store.get("some-module.get-thing").verbs == {"GET"}


def test_what_is_imported_from_elsewhere_is_not_of_this_file(worker: Worker) -> None:
    worker.deploy_ok(a=service(service_name="of-a"), b="from a import S\n" + service(name="T", service_name="of-b"))
    assert worker.names() == ["of-a", "of-b"]
    assert worker.store.get("of-a").file_name == "a.py"


def test_a_class_with_two_names_in_its_module_is_one_service(worker: Worker) -> None:
    worker.deploy_ok(a=service() + "Alias = S\n")
    assert worker.names() == ["s"]


def test_get_name_may_be_overridden_as_a_method_of_the_class_or_none(worker: Worker) -> None:
    worker.deploy_ok(
        a=HEAD
        + dedent("""
            class A(Service):
                @staticmethod
                def get_name(): return "by.static"
                def handle(self): pass
            class B(Service):
                @classmethod
                def get_name(cls): return "by.class"
                def handle(self): pass
            """)
    )
    assert worker.names() == ["by.class", "by.static"]


def test_a_class_may_say_that_it_is_not_to_be_imported(worker: Worker) -> None:
    worker.deploy_ok(a=service() + "S.zato_dont_import = True\n")
    assert worker.names() == []


@pytest.mark.parametrize(("returned", "names"), [("True", ["s"]), ("False", []), ("None", [])])
def test_before_add_to_store_decides(worker: Worker, returned: str, names: list[str]) -> None:
    hook = f"    @staticmethod\n    def before_add_to_store(logger): return {returned}\n"
    worker.deploy_ok(a=service() + hook)
    assert worker.names() == names


def test_before_add_to_store_that_fails_refuses_the_file(worker: Worker) -> None:
    hook = "    @classmethod\n    def before_add_to_store(cls, logger): raise KeyError('no')\n"
    assert "KeyError" in worker.deploy(a=service() + hook)["a"].reason


def test_after_add_to_store_is_called_once_for_each_new_class(worker: Worker) -> None:
    source = service(before="calls = []") + "    @staticmethod\n    def after_add_to_store(logger): calls.append(1)\n"
    worker.deploy_ok(a=source)
    worker.deploy_ok(b=service(service_name="other"))
    assert sys.modules["a"].calls == [1]


def test_after_add_to_store_that_fails_does_no_harm(worker: Worker) -> None:
    worker.deploy_ok(a=service() + "    @staticmethod\n    def after_add_to_store(logger): 1 / 0\n")
    assert worker.run() == 1


@pytest.mark.parametrize("name", ["zato.ping", "zato.my-own"])
def test_names_of_the_platform_are_reserved(worker: Worker, name: str) -> None:
    assert name in worker.deploy(a=service(service_name=name))["a"].reason
    assert worker.names() == []


def test_two_classes_of_a_file_cannot_share_a_name(worker: Worker) -> None:
    outcome = worker.deploy(a=service(name="One") + service(name="Two"))["a"]
    assert "classes One and Two are both called 's'" in outcome.reason


def test_two_files_cannot_have_one_service_and_the_first_keeps_it(worker: Worker) -> None:
    worker.deploy_ok(a=service("return 'a'"))
    outcome = worker.deploy(b=service("return 'b'"))["b"]
    assert outcome.reason == "b.py: service 's' is already defined in a.py: name one of them differently"
    assert worker.run() == "a"


def test_a_service_may_move_from_one_file_to_another(worker: Worker) -> None:
    worker.deploy_ok(a=service("return 'a'"))
    assert not worker.deploy(b=service("return 'b'"))["b"].is_ok
    worker.remove("a")
    assert worker.run() == "b", "what waited for the name is tried again"


# What becomes of bad files


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("x = 1\ndef f(:\n", "a.py, line 2: invalid syntax"),
        ("x = 1\n\n\n1 / 0\n", "a.py, line 4: ZeroDivisionError: division by zero"),
        ("import no_such_library\n", "a.py, line 1: ModuleNotFoundError: No module named 'no_such_library'"),
        ("from zato.server.service import Nonsense\n", "a.py, line 1: ImportError: cannot import name 'Nonsense'"),
        ("def f():\n    raise ValueError('why')\nx = 1\nf()\n", "a.py, line 2: ValueError: why"),
        ("import sys\nsys.exit(1)\n", "a.py, line 2: SystemExit: 1"),
        ("from . import models\n", "a.py, line 1: "),
        ("from .models import x\n", "a.py, line 1: "),
        ("x = '\\ud800'\nraise ValueError(x)", "a.py, line 2: ValueError"),
    ],
    ids=lambda value: value[:30],
)
def test_a_bad_file_leaves_the_old_version_and_says_where_and_why(worker: Worker, source: str, reason: str) -> None:
    worker.deploy_ok(a=service("return 'old'"))
    outcome = worker.deploy(a=source)["a"]
    assert outcome.reason.startswith(reason)
    assert (outcome.version, outcome.version_running) == (2, 1)
    assert worker.run() == "old"
    worker.deploy_ok(a=service("return 'new'"))
    assert worker.run() == "new"


@pytest.mark.parametrize("source", [b"\xff\xfe", b"x = 1\0", b"# coding: nonsense\n", b"x = '\xff'\n"], ids=repr)
def test_bytes_that_are_no_source_are_refused(worker: Worker, source: bytes) -> None:
    (outcome,) = worker.deployer.apply([Package("a.py", 1, source)])
    assert outcome.reason.startswith("a.py")


def test_a_source_in_another_encoding_says_so_and_is_read(worker: Worker) -> None:
    source = ("# coding: iso-8859-2\n" + service("return 'żółw'")).encode("iso-8859-2")
    assert worker.deployer.apply([Package("a.py", 1, source)])[0].is_ok
    assert worker.run() == "żółw"


def test_a_package_relative_import_is_refused_with_what_to_write_instead(worker: Worker) -> None:
    reason = worker.deploy(a="from .models import x\n", models="x = 1\n")["a"].reason
    assert "write 'from models import x', without the dot" in reason


def test_checking_a_file_uses_nothing_of_it(worker: Worker) -> None:
    worker.deploy_ok(a=service("return 'old'"))
    module = sys.modules["a"]
    outcome = worker.deployer.check(worker.file("a", service("return 'new'")))
    assert outcome.is_ok
    assert worker.run() == "old"
    assert sys.modules["a"] is module
    assert worker.deployer.check(worker.file("b", service(service_name="new"))).is_ok
    assert worker.names() == ["s"]
    assert "b" not in sys.modules


def test_removing_a_file_removes_its_services_and_says_so(worker: Worker) -> None:
    worker.deploy_ok(a=service(), b=service(service_name="b"))
    (outcome,) = worker.remove("a")
    assert (outcome.file_name, outcome.version, outcome.version_running, outcome.is_ok) == ("a.py", 2, 0, True)
    assert worker.names() == ["b"]
    with pytest.raises(NotFound):
        worker.store.get("s")


def test_a_removed_file_is_found_by_name_no_more(worker: Worker) -> None:
    worker.deploy_ok(a="x = 1\n", b=service(service_name="b"))
    worker.remove("a")
    assert "a" not in sys.modules
    assert "No module named 'a'" in worker.deploy(c="import a\n")["c"].reason


# Files that import one another


@pytest.mark.parametrize(
    "statement",
    [
        "import models\nvalue = models.x",
        "import models as m\nvalue = m.x",
        "from models import x as value",
        "from models import *\nvalue = x",
    ],
)
def test_files_import_each_other_by_bare_name(worker: Worker, statement: str) -> None:
    worker.deploy_ok(models="x = 7\n", a=service("return value", before=statement))
    assert worker.run() == 7


@pytest.mark.parametrize("order", [("models", "a", "b"), ("b", "a", "models"), ("a", "b", "models")])
def test_the_order_of_deployments_does_not_matter(worker: Worker, order: tuple[str, ...]) -> None:
    sources = {
        "models": "x = 7\n",
        "b": "import models\ny = models.x + 1\n",
        "a": service("return b.y", before="import b"),
    }
    for name in order:
        worker.deploy(**{name: sources[name]})
    assert worker.run() == 8
    assert all(outcome.is_ok for outcome in worker.deploy(models="x = 8\n").values())


def test_a_file_that_waits_for_another_says_for_which(worker: Worker) -> None:
    outcome = worker.deploy(a=service("return models.x", before="import models"))["a"]
    assert (outcome.missing, outcome.version_running) == ("models", 0)


def test_a_changed_file_is_imported_anew_by_those_that_import_it(worker: Worker) -> None:
    worker.deploy_ok(base="x = 1\n", models="from base import x\n", a=service("return x", before="from models import x"))
    outcomes = worker.deploy(base="x = 2\n")
    assert worker.run() == 2
    assert set(outcomes) >= {"base"}


def test_a_change_that_breaks_its_importers_leaves_them_with_the_old_one(worker: Worker) -> None:
    worker.deploy_ok(models="x = 1\n", a=service("return x", before="from models import x"))
    outcomes = worker.deploy(models="y = 2\n")
    assert outcomes["models"].is_ok
    assert "cannot import name 'x'" in outcomes["a"].reason
    assert worker.run() == 1


def test_old_code_goes_on_with_old_siblings_even_by_an_import_inside_a_function(worker: Worker) -> None:
    worker.deploy_ok(models="x = 1\n", a=service("import models\nreturn models.x"))
    old = worker.cls()
    worker.deploy_ok(models="x = 2\n", a=service("import models\nreturn models.x"))
    assert worker.run() == 2
    assert old().handle() == 1


def test_files_may_import_each_other_in_a_circle(worker: Worker) -> None:
    worker.deploy_ok(
        a=service("return b.y + x", before="import b\nx = 1"),
        b="import a\ny = 10\ndef f(): return a.x\n",
    )
    assert worker.run() == 11
    assert sys.modules["b"].f() == 1


def test_in_a_circle_one_that_fails_takes_nobody_along_half(worker: Worker) -> None:
    worker.deploy_ok(a="import b\nx = 1\n", b=service("return a.x", before="import a"))
    outcomes = worker.deploy(a="import b\nx = 2\n1 / 0\n")
    assert not outcomes["a"].is_ok
    assert worker.run() == 1, "b goes on with the a that is whole"
    outcomes = worker.deploy(a="import b\nx = 3\n1 / 0\n", b=service("return a.x + 100", before="import a"))
    assert not outcomes["a"].is_ok
    assert "a.py, line 3: ZeroDivisionError" in outcomes["b"].reason
    assert worker.run() == 1


def test_after_a_restart_the_newest_version_that_can_be_imported_runs(tmp_path: Path) -> None:
    versions = [Package("a.py", number, source.encode()) for number, source in enumerate(_HISTORY, start=1)]
    store = ServiceStore()
    deployer = Deployer(store, tmp_path, older=lambda file: reversed(versions[: file.version - 1]))
    (outcome,) = deployer.apply([versions[-1]])
    assert (outcome.version, outcome.version_running) == (4, 2)
    assert "no_such_library" in outcome.reason
    assert store.get("s").version == 2
    # What it waits for has come.
    (outcome,) = [each for each in deployer.apply([Package("no_such_library.py", 1, b"")]) if each.file_name == "a.py"]
    assert (outcome.version_running, outcome.is_ok) == (4, True)


_HISTORY = [service("return 1"), service("return 2"), "import nothing_of_that_name\n", "import no_such_library\n" + service()]


def test_after_a_restart_those_that_import_an_older_version_run_too(tmp_path: Path) -> None:
    old = Package("models.py", 1, b"x = 1\n")
    user = Package("a.py", 1, service("return x", before="from models import x").encode())
    store = ServiceStore()
    deployer = Deployer(store, tmp_path, older=lambda file: [old] if file.name == "models.py" else [])
    outcomes = {each.file_name: each for each in deployer.apply([user, Package("models.py", 2, b"import nothing\n")])}
    assert (outcomes["a.py"].version_running, outcomes["a.py"].is_ok) == (1, True)
    assert (outcomes["models.py"].version_running, outcomes["models.py"].is_ok) == (1, False)


def test_a_file_whose_sibling_fails_says_which_and_why(worker: Worker) -> None:
    outcomes = worker.deploy(models="x = 1\n1 / 0\n", a=service("return 1", before="import models"))
    assert outcomes["a"].reason.startswith("a.py")
    assert "models.py, line 2: ZeroDivisionError" in outcomes["a"].reason


def test_an_optional_sibling_may_be_missing(worker: Worker) -> None:
    worker.deploy_ok(a=service("return x", before="try:\n    from extra import x\nexcept ImportError:\n    x = 'none'"))
    assert worker.run() == "none"
    worker.deploy_ok(extra="x = 'there'\n")
    assert worker.run() == "there"


def test_a_file_called_as_a_library_of_python_hides_it_from_nobody(worker: Worker) -> None:
    import json

    worker.deploy_ok(json=service("return 'mine'"), a=service("import json\nreturn json.dumps(1)", service_name="a"))
    assert worker.run("a") == "1"
    assert worker.run("s") == "mine"
    assert sys.modules["json"] is json
    assert worker.store.get("s").impl_name == "json.S"


def test_a_file_called_as_an_installed_library_hides_it_from_nobody_else(worker: Worker) -> None:
    import redis

    worker.deploy_ok(redis=service("return 'mine'"))
    assert worker.run() == "mine"
    assert sys.modules["redis"] is redis


# What code relies on


def test_dataclasses_enums_and_type_hints_work(worker: Worker) -> None:
    before = """
        import dataclasses, enum, typing
        @dataclasses.dataclass
        class Point:
            x: int
            y: "int" = 2
        class Color(enum.Enum):
            RED = 1
        Pair = typing.NamedTuple("Pair", [("a", int)])
        """
    worker.deploy_ok(a=service("return Point(1), typing.get_type_hints(Point), Color.RED, Pair(1)", before=before))
    point, hints, _, pair = worker.run()
    assert (point.y, hints, pair.a) == (2, {"x": int, "y": int}, 1)


def test_objects_of_deployed_classes_can_be_pickled(worker: Worker) -> None:
    worker.deploy_ok(
        a=service("return Point(1)", before="import dataclasses\n@dataclasses.dataclass\nclass Point:\n    x: int")
    )
    point = worker.run()
    assert pickle.loads(pickle.dumps(point)) == point


def test_super_and_inheritance_over_files_work(worker: Worker) -> None:
    worker.deploy_ok(
        base=HEAD + "class Base(Service):\n    def handle(self):\n        return ['base']\n",
        a="from base import Base\n"
        + service("return [*super().handle(), 'a']").removeprefix(HEAD).replace("(Service)", "(Base)"),
    )
    assert worker.run() == ["base", "a"]


def test_a_traceback_shows_the_line_of_the_running_version(worker: Worker) -> None:
    import traceback

    worker.deploy_ok(a=service("raise ValueError('first')  # version one"))
    worker.deploy_ok(a=service("pass\nraise ValueError('second')  # version two"))
    with pytest.raises(ValueError, match="second") as raised:
        worker.run()
    assert "# version two" in "".join(traceback.format_exception(raised.value))


def test_a_module_knows_its_file_and_its_name(worker: Worker) -> None:
    worker.deploy_ok(a=service("return __name__, __file__"))
    name, file = worker.run()
    assert name == "a"
    assert Path(file).read_text().startswith(HEAD)
