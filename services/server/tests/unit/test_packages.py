"""What a worker makes of packages of several modules: imported, found, swapped whole, and tried in a process of its own."""

import importlib
import pickle
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_type_hints

import psutil
import pytest

from zato.common.testing.waiting import eventually
from zato.server.packages.archives import pack
from zato.server.packages.package import Package
from zato.server.services.canary import Bounds, Canary
from zato.server.services.deployer import Deployer, Outcome
from zato.server.services.store import ServiceStore

HEAD = "from zato.server.service import Service\n"


def service(answer: str, name: str = "s", before: str = "") -> str:
    """A module with one service that answers what the expression `answer` gives."""
    return f"{HEAD}{before}\nclass S(Service):\n    name = '{name}'\n    def handle(self):\n        return {answer}\n"


class Worker:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = ServiceStore()
        self.deployer = Deployer(self.store, folder / "services")
        self._versions: dict[str, int] = {}

    def package(self, name: str, files: Mapping[str, str | bytes] | str) -> Package:
        version = self._versions[name] = self._versions.get(name, 0) + 1
        if isinstance(files, str):
            return Package(name, version, files.encode())
        return Package(
            name, version, pack({path: text.encode() if isinstance(text, str) else text for path, text in files.items()})
        )

    def deploy(self, **packages: Mapping[str, str | bytes] | str) -> dict[str, Outcome]:
        """Deploy packages, and files: of these a "_" before the name stands for ".py" behind it."""
        named = {f"{name[1:]}.py" if name.startswith("_") else name: files for name, files in packages.items()}
        outcomes = self.deployer.apply([self.package(name, files) for name, files in named.items()])
        return {outcome.file_name: outcome for outcome in outcomes}

    def deploy_ok(self, **packages: Mapping[str, str | bytes] | str) -> None:
        for outcome in self.deploy(**packages).values():
            assert outcome.is_ok, outcome.reason

    def run(self, name: str = "s") -> object:
        return self.store.get(name).cls().handle()  # type: ignore[func-returns-value]

    def names(self) -> list[str]:
        return [entry.name for entry in self.store.entries()]


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    before = dict(sys.modules)
    made = Worker(tmp_path)
    yield made
    made.deployer.apply([], dict.fromkeys(made.deployer.file_names, 0))
    assert {name for name in sys.modules.keys() - before.keys() if hasattr(sys.modules[name], "__zato_deployed__")} == set()


# How its modules see one another


@pytest.mark.parametrize(
    "statement",
    [
        "from orders.models import x",
        "from .models import x",
        "from . import models\nx = models.x",
        "from orders import models as m\nx = m.x",
        "import orders.models\nx = orders.models.x",
        "import orders.models as m\nx = m.x",
        "from orders.sub import y as x",
        "from .sub.deep import y as x",
        "from orders import *\nx = models.x",
        "import importlib\nx = importlib.import_module('orders.models').x",
        "import importlib\nx = importlib.import_module('.models', __package__).x",
    ],
)
def test_modules_import_each_other_as_in_any_package(worker: Worker, statement: str) -> None:
    files = {
        "orders/__init__.py": "__all__ = ['models']\n",
        "orders/api.py": service("x", before=statement),
        "orders/models.py": "x = 7\n",
        "orders/sub/__init__.py": "from .deep import y\n",
        "orders/sub/deep.py": "from ..models import x as y\n",
    }
    worker.deploy_ok(orders=files)
    assert worker.run() == 7


def test_services_are_found_in_all_modules_and_named_after_them(worker: Worker) -> None:
    cls = f"{HEAD}class GetThing(Service):\n    def handle(self): pass\n"
    worker.deploy_ok(orders={"orders/__init__.py": cls, "orders/web/api.py": cls, "tools.py": cls})
    assert worker.names() == ["orders.get-thing", "orders.web.api.get-thing", "tools.get-thing"]
    entry = worker.store.get("orders.web.api.get-thing")
    assert (entry.impl_name, entry.file_name, entry.version) == ("orders.web.api.GetThing", "orders", 1)


def test_what_is_beside_the_services_is_not_imported(worker: Worker) -> None:
    broken = "raise SystemExit('this is no module of services')"
    files = dict.fromkeys(("orders/__main__.py", "orders/tests/test_a.py", "orders/test_b.py", "orders/conftest.py"), broken)
    worker.deploy_ok(orders={**files, "orders/__init__.py": service("1")})
    assert worker.names() == ["s"]


@pytest.mark.parametrize("name", ["test_orders.py", "setup.py", "tests.py"])
def test_a_file_that_is_deployed_by_itself_is_meant_whatever_it_is_called(name: str) -> None:
    assert Package(name, 1, b"").services_modules == [name.removesuffix(".py")]


def test_data_files_are_found_by_path_and_as_resources(worker: Worker) -> None:
    def files(rate: str) -> dict[str, str | bytes]:
        before = (
            "from importlib import resources\nfrom pathlib import Path\n"
            "AT_IMPORT = resources.files('orders').joinpath('data/rate.txt').read_text()\n"
            "def read():\n    by_path = (Path(__file__).parent / 'data' / 'rate.txt').read_text()\n"
            "    return AT_IMPORT, by_path, resources.files(__package__).joinpath('data/rate.txt').read_text()\n"
        )
        return {"orders/__init__.py": "", "orders/api.py": service("read()", before=before), "orders/data/rate.txt": rate}

    worker.deploy_ok(orders=files("1.0"))
    old = worker.store.get("s").cls()
    assert worker.run() == ("1.0", "1.0", "1.0")
    worker.deploy_ok(orders=files("2.0"))
    assert worker.run() == ("2.0", "2.0", "2.0")
    assert old.handle()[:2] == ("1.0", "1.0")  # type: ignore[func-returns-value,index]


def test_plugins_are_found_as_packages_find_theirs_and_imported_once(worker: Worker) -> None:
    before = (
        "import importlib, pkgutil\nfrom orders import plugins, registry\n"
        "for each in pkgutil.iter_modules(plugins.__path__):\n    importlib.import_module(f'orders.plugins.{each.name}')"
    )
    files = {
        "orders/__init__.py": "registry = []\n",
        "orders/api.py": service("registry", before=before),
        "orders/plugins/__init__.py": "",
        "orders/plugins/a.py": "from orders import registry\nregistry.append('a')\n",
        "orders/plugins/b.py": "from . import a\na.registry.append('b')\n",
    }
    worker.deploy_ok(orders=files)
    assert worker.run() == ["a", "b"]


def test_a_module_that_others_can_do_without_may_be_missing_something(worker: Worker) -> None:
    optional = {"orders/a_fast.py": "import no_such_library\n", "orders/__init__.py": ""}
    before = "try:\n    from .a_fast import x\nexcept ImportError:\n    x = 'slow'"
    worker.deploy_ok(orders={**optional, "orders/core.py": service("x", before=before)})
    assert worker.run() == "slow"
    outcome = worker.deploy(orders={**optional, "orders/core.py": service("1")})["orders"]
    assert outcome.reason.startswith("orders/a_fast.py, line 1: ModuleNotFoundError")


@pytest.mark.parametrize(
    "statement", ["from . import nothing", "import orders.nothing", "from orders.nothing import x", "from ...x import y"]
)
def test_what_a_package_lacks_itself_it_does_not_wait_for(worker: Worker, statement: str) -> None:
    outcome = worker.deploy(orders={"orders/__init__.py": "", "orders/api.py": statement})["orders"]
    assert outcome.reason.startswith("orders/api.py, line 1: ")
    assert outcome.missing == ""


def test_a_package_called_as_an_installed_library_hides_it_from_nobody_else(worker: Worker) -> None:
    import redis

    files = {
        "redis/__init__.py": "x = 'mine'\n",
        "redis/api.py": service("x", before="from redis import x\nfrom . import x as y"),
    }
    worker.deploy_ok(redis=files)
    assert worker.run() == "mine"
    assert sys.modules["redis"] is redis


# Packages, and files beside them


def test_files_and_packages_import_each_other(worker: Worker) -> None:
    orders = {"orders/__init__.py": "", "orders/models.py": "from settings import x\ny = x + 1\n"}
    outcomes = worker.deploy(_a=service("y", before="from orders.models import y"), orders=orders)
    assert {outcome.missing for outcome in outcomes.values()} == {"settings"}
    worker.deploy_ok(_settings="x = 1\n")
    assert worker.run() == 2
    worker.deploy_ok(_settings="x = 10\n")
    assert worker.run() == 11, "who imports what changed is imported anew, through the package too"


def test_two_cannot_be_called_after_the_same_module(worker: Worker) -> None:
    worker.deploy_ok(_orders=service("'file'"))
    outcome = worker.deploy(orders={"orders/__init__.py": service("'package'")})["orders"]
    assert outcome.reason.startswith("the module 'orders' is already in orders.py")
    worker.deployer.apply([], {"orders.py": 2})
    assert worker.run() == "package", "what waited for the name is tried again"


# Each package is a namespace of its own


def with_own_modules(name: str, number: int) -> dict[str, str | bytes]:
    """A package whose services use a file `models.py` and a folder `utils/`, as other packages have them too."""
    return {
        f"{name}/__init__.py": "",
        f"{name}/api.py": service(
            "(Row, level, lazy())",
            name=name,
            before="from models import Row\nimport utils.text\nfrom utils import level\n"
            "def lazy():\n    import models\n    from utils.text import number\n"
            "    return models.NUMBER, number, utils.text.number\n",
        ),
        "models.py": f"from dataclasses import dataclass\nNUMBER = {number}\n@dataclass\nclass Row:\n    id: 'int' = NUMBER\n",
        "utils/__init__.py": f"level = {number}\n",
        "utils/text.py": f"from . import level\nfrom models import NUMBER\nnumber = NUMBER\nassert level == {number}\n",
    }


def numbers(answer: Any) -> set[int]:
    row, level, lazy = answer
    return {row().id, level, *lazy}


def test_two_packages_have_modules_of_the_same_name_and_each_means_its_own(worker: Worker) -> None:
    worker.deploy_ok(orders=with_own_modules("orders", 1))
    old = worker.store.get("orders").cls()
    worker.deploy_ok(invoices=with_own_modules("invoices", 2), both=with_own_modules("both", 3))
    worker.deploy_ok(orders=with_own_modules("orders", 4))
    assert numbers(worker.run("orders")) == {4}
    assert numbers(worker.run("invoices")) == {2}
    assert numbers(worker.run("both")) == {3}
    assert numbers(old.handle()) == {1}  # type: ignore[func-returns-value]


def test_what_they_made_of_these_modules_can_be_pickled_and_described(worker: Worker) -> None:
    worker.deploy_ok(orders=with_own_modules("orders", 1), invoices=with_own_modules("invoices", 2))
    for name, number in (("orders", 1), ("invoices", 2)):
        row = worker.run(name)[0]  # type: ignore[index]
        assert row.__module__ == f"deployed.{name}.models"
        assert pickle.loads(pickle.dumps(row())).id == number
        assert get_type_hints(row) == {"id": int}
        assert importlib.import_module(f"deployed.{name}.utils.text").number == number
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("models")


def test_a_module_that_one_package_has_alone_is_found_by_its_plain_name(worker: Worker) -> None:
    worker.deploy_ok(orders=with_own_modules("orders", 1))
    assert importlib.import_module("utils.text").number == 1
    worker.deploy_ok(invoices=with_own_modules("invoices", 2))
    assert "utils" not in sys.modules
    worker.deployer.apply([], {"orders": 2})
    assert importlib.import_module("utils.text").number == 2


def test_a_file_is_what_others_import_whatever_packages_have(worker: Worker) -> None:
    worker.deploy_ok(orders=with_own_modules("orders", 1))
    worker.deploy_ok(_models="NUMBER = 7\n")
    worker.deploy_ok(_file=service("NUMBER", before="from models import NUMBER"))
    assert worker.run() == 7
    assert numbers(worker.run("orders")) == {1}
    worker.deploy_ok(_models="NUMBER = 8\n")
    assert worker.run() == 8
    assert numbers(worker.run("orders")) == {1}


def test_who_has_no_such_module_is_told_that_it_could_mean_two(worker: Worker) -> None:
    worker.deploy_ok(orders=with_own_modules("orders", 1), invoices=with_own_modules("invoices", 2))
    outcome = worker.deploy(_file=service("NUMBER", before="from models import NUMBER"))["file.py"]
    assert outcome.reason.startswith("file.py, line 2: ImportError: the module 'models' is in invoices and in orders: call one")
    worker.deployer.apply([], {"invoices": 2})
    assert worker.run() == 1, "it is tried again when that is clear"


@pytest.mark.parametrize("newcomer", ["invoices", "models.py"])
def test_a_newcomer_does_not_change_what_others_import(worker: Worker, canary: Canary, newcomer: str) -> None:
    worker.deploy_ok(orders=with_own_modules("orders", 1), _file=service("NUMBER", before="from models import NUMBER"))
    files = with_own_modules("invoices", 2) if newcomer == "invoices" else "NUMBER = 2\n"
    package = worker.package(newcomer, files)
    reason = "the module 'models' is already in orders, from where file.py imports it: call one of them differently"
    assert canary.check(package).reason == reason
    outcomes = {outcome.file_name: outcome for outcome in worker.deployer.apply([package])}
    assert outcomes[newcomer].reason == reason
    assert worker.run() == 1
    worker.deploy_ok(_file=service("2"))
    assert worker.deployer.version_running(newcomer) == 1


def test_a_service_is_in_one_module_of_one_package(worker: Worker) -> None:
    outcome = worker.deploy(orders={"orders/a.py": service("1"), "orders/b.py": service("2")})["orders"]
    assert outcome.reason == "orders/b.py: service 's' is already defined by orders.a.S: name one of them differently"
    worker.deployer.apply([], {"orders": 2})
    worker.deploy_ok(_a=service("1"))
    outcome = worker.deploy(orders={"orders/b.py": service("2")})["orders"]
    assert outcome.reason == "orders/b.py: service 's' is already defined in a.py: name one of them differently"


# All or nothing


def test_a_package_is_swapped_whole_and_old_code_goes_on_with_old_modules(worker: Worker) -> None:
    def files(number: int) -> dict[str, str | bytes]:
        lazy = f"def lazy():\n    from .late import x\n    from orders.late import x as y\n    return x, y, {number}\n"
        return {"orders/__init__.py": "", "orders/api.py": service("lazy()", before=lazy), "orders/late.py": f"x = {number}\n"}

    worker.deploy_ok(orders=files(1))
    old = worker.store.get("s").cls()
    worker.deploy_ok(orders=files(2))
    assert worker.run() == (2, 2, 2)
    assert old.handle() == (1, 1, 1)  # type: ignore[func-returns-value]
    assert importlib.import_module("orders.late").x == 2


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        ("orders/z.py", "1 / 0\n", "orders/z.py, line 1: ZeroDivisionError: division by zero"),
        ("orders/z.py", "x = 1\ndef f(:\n", "orders/z.py, line 2: invalid syntax"),
        ("orders/__init__.py", "import sys\nsys.exit(3)\n", "orders/__init__.py, line 2: SystemExit: 3"),
        ("orders/z.py", "class S:\n    pass\nraise KeyError\n", "orders/z.py, line 3: KeyError"),
        ("orders/z.py", service("1", name="zato.x"), "orders/z.py: class S: 'zato.x' is no name for a service of yours"),
    ],
)
def test_one_bad_module_leaves_the_old_package_whole(worker: Worker, path: str, text: str, reason: str) -> None:
    good = {"orders/__init__.py": "", "orders/api.py": service("'old'"), "orders/b.py": "x = 1\n"}
    worker.deploy_ok(orders=good)
    before = {name: sys.modules[name] for name in ("orders", "orders.api", "orders.b")}
    outcome = worker.deploy(orders={**good, "orders/api.py": service("'new'"), path: text})["orders"]
    assert outcome.reason.startswith(reason)
    assert (outcome.version, outcome.version_running) == (2, 1)
    assert worker.run() == "old"
    assert {name: sys.modules[name] for name in before} == before
    assert "orders.z" not in sys.modules


def test_the_traceback_is_the_authors_own(worker: Worker) -> None:
    files = {
        "orders/__init__.py": "",
        "orders/api.py": "from .models import f\nf()\n",
        "orders/models.py": "def f():\n    1 / 0\n",
    }
    traceback = worker.deploy(orders=files)["orders"].traceback
    assert traceback.splitlines() == [
        "Traceback (most recent call last):",
        '  File "orders/api.py", line 2, in <module>',
        "    f()",
        '  File "orders/models.py", line 2, in f',
        "    1 / 0",
        "    ~~^~~",
        "ZeroDivisionError: division by zero",
    ]


def test_a_module_that_is_gone_is_found_no_more(worker: Worker) -> None:
    worker.deploy_ok(orders={"orders/__init__.py": service("1"), "orders/old.py": ""})
    worker.deploy_ok(orders={"orders/__init__.py": service("1")})
    assert "orders.old" not in sys.modules
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("orders.old")


# Tried in a process of its own


def canary_of(worker: Worker, timeout_s: float = 60.0) -> Canary:
    return Canary(worker.deployer, worker.folder / "trials", worker.folder, (), Bounds(timeout_s, memory_mb=256))


@pytest.fixture
def canary(worker: Worker) -> Canary:
    return canary_of(worker)


def test_a_package_that_is_fine_is_found_to_be_so_and_leaves_nothing_behind(worker: Worker, canary: Canary) -> None:
    worker.deploy_ok(_models="x = 1\n")
    package = worker.package("orders", {"orders/__init__.py": service("x", before="from models import x")})
    assert canary.check(package) == Outcome("orders", 1, 0)
    assert worker.names() == []
    assert list((worker.folder / "trials").iterdir()) == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import os\nos._exit(0)", "the process that imported it ended with exit code 0"),
        ("import os\nos._exit(3)", "the process that imported it ended with exit code 3"),
        (
            "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
            "the process that imported it was ended by SIGKILL",
        ),
        ("while True: pass", "importing it did not end within 5 s"),
        ("import time\ntime.sleep(60)", "importing it did not end within 5 s"),
        (
            "x = []\nwhile True: x.append(bytearray(10_000_000))",
            "orders/__init__.py, line 2: MemoryError: importing it may take 256 MB",
        ),
        ("import gevent\nraise gevent.GreenletExit", "GreenletExit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("import ctypes\nctypes.string_at(0)", "the process that imported it was ended by SIGSEGV"),
        ("1 / 0", "orders/__init__.py, line 1: ZeroDivisionError"),
        ("print('x' * 10_000_000)\n1 / 0", "orders/__init__.py, line 2: ZeroDivisionError"),
    ],
)
def test_code_that_would_harm_a_worker_is_found_out(worker: Worker, text: str, reason: str) -> None:
    worker.deploy_ok(orders={"orders/__init__.py": service("'old'")})
    # A busy machine takes its time over what is no matter of time.
    canary = canary_of(worker, 5.0 if "did not end" in reason else 60.0)
    outcome = canary.check(worker.package("orders", {"orders/__init__.py": text}))
    assert outcome.reason.startswith(reason)
    assert (outcome.version, outcome.version_running) == (2, 1)
    assert worker.run() == "old"


def test_what_it_starts_ends_with_it(worker: Worker, canary: Canary) -> None:
    file = worker.folder / "child"
    text = f"import subprocess\nchild = subprocess.Popen(['sleep', '60'])\nopen({str(file)!r}, 'w').write(str(child.pid))\n"
    assert canary.check(worker.package("orders", {"orders/__init__.py": text})).is_ok
    pid = int(file.read_text())
    # It was told to, and does so once the kernel comes to it.
    eventually(lambda: has_ended(pid), what="the child to end")


def has_ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_services_and_modules_of_others_count_there_too(worker: Worker, canary: Canary) -> None:
    worker.deploy_ok(_a=service("1"), _orders="x = 1\n")
    assert "service 's' is already defined in a.py" in canary.check(worker.package("b", {"b/__init__.py": service("2")})).reason
    clashing = canary.check(worker.package("orders", {"orders/__init__.py": ""}))
    assert "the module 'orders' is already in orders.py" in clashing.reason
    assert canary.check(worker.package("a.py", service("3"))).is_ok, "its own names are its own"
    assert canary.check(worker.package("c.py", "import nowhere\n")).missing == "nowhere"
