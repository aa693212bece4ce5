"""HAProxy's program, and what it prints."""

import resource
from pathlib import Path

import pytest

from zato.lb_agent.errors import HAProxyNotInstalled
from zato.lb_agent.program import Program, affordable_connections, read_message


def test_messages_of_haproxy_have_a_level() -> None:
    assert read_message("[ALERT]    (7320) : config : no\n") == ("ALERT", "config : no")
    assert read_message(" continued\n") == ("", "continued")


def test_connections_fit_into_the_limit_of_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (1024, 4096))
    assert affordable_connections(1000) == 1000
    assert affordable_connections(8000) == 1848
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (1024, resource.RLIM_INFINITY))
    assert affordable_connections(8000) == 8000


def fake_haproxy(folder: Path, output: str) -> str:
    program = folder / "haproxy"
    program.write_text(f"#!/bin/sh\necho '{output}'\n")
    program.chmod(0o755)
    return str(program)


def test_an_old_haproxy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HAProxyNotInstalled, match=r"is HAProxy 2.4.22: it takes 2.6 or later"):
        Program(fake_haproxy(tmp_path, "HAProxy version 2.4.22 2023/02/14"))
    assert Program(fake_haproxy(tmp_path, "HAProxy version 3.0.1-1 2024/06/10")).version == "3.0.1-1"
    with pytest.raises(HAProxyNotInstalled, match="prints no version"):
        Program(fake_haproxy(tmp_path, "hello"))
