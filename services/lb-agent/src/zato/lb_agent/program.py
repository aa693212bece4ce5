"""HAProxy's program: where it is, which version, what it says of a configuration, and how many files it may open."""

import re
import resource
import shutil
import subprocess
from pathlib import Path

from zato.lb_agent.errors import HAProxyNotInstalled, InvalidConfiguration

OLDEST_VERSION = (2, 6)
# Debian keeps it where ordinary users' PATH does not lead.
_FURTHER_FOLDERS = ("/usr/sbin", "/usr/local/sbin")
_RUN_TIMEOUT_S = 30.0
# What HAProxy opens beside clients and servers: logs, sockets, health checks.
_OTHER_FILES = 400
_message = re.compile(r"\[(?P<level>[A-Z]+)\]\s+\(\d+\) : (?P<text>.*)")


class Program:
    """
    Args:
        command: A name to look for, or a path.

    Raises:
        HAProxyNotInstalled: It is not there, does not run, or is too old.
    """

    def __init__(self, command: str) -> None:
        self.path = _find(command)
        self.version = _version(self.path)

    def check(self, file: Path) -> None:
        """
        Let HAProxy read a configuration without using it.

        Raises:
            InvalidConfiguration: Says what HAProxy says first.
        """
        done = subprocess.run(
            [self.path, "-c", "-f", str(file)],
            cwd=file.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_RUN_TIMEOUT_S,
        )
        if done.returncode:
            alerts = [text for level, text in map(read_message, done.stderr.splitlines()) if level == "ALERT"]
            reason = alerts[0] if alerts else f"it ended with {done.returncode}"
            raise InvalidConfiguration(f"HAProxy refuses the configuration: {reason}", reason=reason)


def read_message(line: str) -> tuple[str, str]:
    """Return level and text of a line such as "[ALERT]    (7320) : config : …"; the level is "" for other lines."""
    found = _message.fullmatch(line.strip())
    return (found["level"], found["text"]) if found else ("", line.strip())


def affordable_connections(wanted: int) -> int:
    """Return how many of `wanted` connections this process's limit of open files allows; each takes two of them."""
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if limit == resource.RLIM_INFINITY else min(wanted, max(1, (limit - _OTHER_FILES) // 2))


def _find(command: str) -> str:
    found = shutil.which(command)
    if found is None and "/" not in command:
        found = shutil.which(command, path=":".join(_FURTHER_FOLDERS))
    if found is None:
        raise HAProxyNotInstalled(
            f"HAProxy is not installed: there is no program '{command}'. Install it (apt-get install haproxy), or name it in"
            " the setting haproxy_command"
        )
    return found


def _version(path: str) -> str:
    try:
        done = subprocess.run(
            [path, "-v"], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=_RUN_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise HAProxyNotInstalled(f"{path} cannot be run: {exc}") from exc
    found = re.search(r"version ((\d+)\.(\d+)\S*)", done.stdout)
    if found is None:
        raise HAProxyNotInstalled(f"{path} is not HAProxy: '-v' prints no version")
    if (int(found[2]), int(found[3])) < OLDEST_VERSION:
        raise HAProxyNotInstalled(f"{path} is HAProxy {found[1]}: it takes {'.'.join(map(str, OLDEST_VERSION))} or later")
    return found[1]
