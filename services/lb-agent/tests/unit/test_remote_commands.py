"""Which of HAProxy's commands may be run by who sees the load-balancer."""

import pytest

from zato.common.errors import BadRequest
from zato.lb_agent.remote_commands import ALLOWED, checked


@pytest.mark.parametrize("command", [*ALLOWED, "show  table   servers", "show sess all", " show info json "])
def test_what_only_shows_something_may_be_run(command: str) -> None:
    assert checked(command) == " ".join(command.split())


@pytest.mark.parametrize(
    "command",
    [
        "",
        "show",
        "show env",
        "show tls-keys",
        "show informally",
        "disable server servers/server1",
        "show info; disable server servers/server1",
        "show info \\; shutdown sessions server servers/server1",
        "@!1 show info",
        "show table x <<",
        "show info \x00",
        "show table " + "x" * 200,
    ],
)
def test_nothing_else_may(command: str) -> None:
    with pytest.raises(BadRequest, match="no command that can be run here; there are: show activity"):
        checked(command)
