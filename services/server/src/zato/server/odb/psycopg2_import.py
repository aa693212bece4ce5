"""
psycopg2 is in the memory of those who have a PostgreSQL only, and waits as gevent does, whoever imports it, and when.

With its copies of libpq and OpenSSL it takes a server 5 MB.
"""

import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_NAME = "psycopg2"


def wait_with_gevent() -> None:
    """Call once in each worker, after the fork and before the first connection."""
    if _NAME in sys.modules:
        _install()
    else:
        sys.meta_path.insert(0, _Awaited())


class _Awaited(MetaPathFinder):
    """Sees its import coming, which is once."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname != _NAME:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(_NAME)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_install(module: ModuleType) -> None:
                execute(module)
                _install()

            spec.loader.exec_module = execute_and_install  # type: ignore[method-assign]
        return spec


def _install() -> None:
    from zato.server.odb import gevent_psycopg2

    gevent_psycopg2.install()
