"""A worker imports psycopg2 when somebody needs it; it must not stop the worker then either."""

import subprocess
import sys

import pytest

_PATCHED = "from gevent import monkey; monkey.patch_all()\nfrom zato.server.odb import psycopg2_import\n"
_SHOW = "from psycopg2 import extensions; print(extensions.get_wait_callback())"


@pytest.mark.parametrize(
    "statements",
    [
        "import psycopg2; psycopg2_import.wait_with_gevent()",
        "psycopg2_import.wait_with_gevent(); import psycopg2",
        "psycopg2_import.wait_with_gevent(); from psycopg2 import extensions",
        "psycopg2_import.wait_with_gevent(); import sqlalchemy; sqlalchemy.create_engine('postgresql+psycopg2://')",
    ],
    ids=["imported before", "imported later", "a part of it", "by SQLAlchemy"],
)
def test_psycopg2_waits_with_gevent_whenever_it_was_imported(statements: str) -> None:
    program = f"{_PATCHED}{statements}\n{_SHOW}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert "_wait" in done.stdout


def test_who_does_not_need_it_does_not_have_it() -> None:
    program = f"{_PATCHED}psycopg2_import.wait_with_gevent()\nimport sys; print('psycopg2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "False\n"
