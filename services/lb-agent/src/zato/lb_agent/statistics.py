"""What HAProxy says about itself, as values."""

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_LEAVING_STATES = ("MAINT", "DRAIN", "NOLB")


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """
    One server as HAProxy sees it. Counters began with HAProxy's present process.

    Args:
        endpoint: IP address and port.
        weight: 0 when it gets no new requests.
        is_in_maintenance: It was taken out of traffic, e.g. to be deleted.
        state: "up", "down", "drain" or "checking".
        last_check: e.g. "L7OK", or "L7STS/503" with the status of a bad answer; empty before the first check ended.
    """

    name: str
    endpoint: str
    weight: int
    is_in_maintenance: bool
    state: str
    last_check: str
    active_requests: int
    total_requests: int
    errors: int


@dataclass(frozen=True, slots=True)
class ProxyStatistics:
    """
    What a frontend, a backend or a server did since HAProxy's present process began: the names of the contract's message.

    Args:
        server: "" for the frontend or backend as a whole.
        kind: "frontend", "backend" or "server".
        queue_ms: This and those after it are means of the last 1024 requests.
    """

    proxy: str
    server: str
    kind: str
    state: str
    sessions: int
    max_sessions: int
    requests: int
    requests_per_s: int
    bytes_in: int
    bytes_out: int
    waiting: int
    refused_requests: int
    failed_connections: int
    failed_answers: int
    retries: int
    answers_2xx: int
    answers_3xx: int
    answers_4xx: int
    answers_5xx: int
    queue_ms: float
    connect_ms: float
    answer_ms: float
    total_ms: float
    down_s: float


_KINDS = {"0": "frontend", "1": "backend", "2": "server"}


def statistics_of(stat: str) -> tuple[ProxyStatistics, ...]:
    """Read the answer to `show stat`."""
    return tuple(_statistics(row, _KINDS[row["type"]]) for row in _rows(stat) if row["type"] in _KINDS)


def _statistics(row: Mapping[str, str], kind: str) -> ProxyStatistics:
    def number(column: str) -> int:
        return _number(row, column)

    return ProxyStatistics(
        proxy=row["pxname"],
        server=row["svname"] if kind == "server" else "",
        kind=kind,
        state=row["status"],
        sessions=number("scur"),
        max_sessions=number("smax"),
        # HAProxy counts requests of frontends and backends, and of servers the sessions, which are requests there.
        requests=number("stot" if kind == "server" else "req_tot"),
        requests_per_s=number("rate" if kind == "server" else "req_rate"),
        bytes_in=number("bin"),
        bytes_out=number("bout"),
        waiting=number("qcur"),
        refused_requests=number("dreq") + number("ereq"),
        failed_connections=number("econ"),
        failed_answers=number("eresp"),
        retries=number("wretr"),
        answers_2xx=number("hrsp_2xx"),
        answers_3xx=number("hrsp_3xx"),
        answers_4xx=number("hrsp_4xx"),
        answers_5xx=number("hrsp_5xx"),
        queue_ms=number("qtime"),
        connect_ms=number("ctime"),
        answer_ms=number("rtime"),
        total_ms=number("ttime"),
        down_s=number("downtime"),
    )


def servers_of(stat: str) -> tuple[ServerStatus, ...]:
    """Read the answer to `show stat <backend> 4 -1`."""
    return tuple(_server(row) for row in _rows(stat) if row["type"] == "2")


def active_requests_of(stat: str) -> int:
    """Return how many requests are with servers or wait for one."""
    return sum(_number(row, "scur") + _number(row, "qcur") for row in _rows(stat) if row["type"] == "1")


def info_of(info: str) -> Mapping[str, str]:
    """Read the answer to `show info`, e.g. {"Pid": "7439", "Version": "2.6.12-1", …}."""
    pairs = (line.partition(":") for line in info.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def workers_of(processes: str) -> tuple[int, ...]:
    """Return the process ids of HAProxy's workers, old ones included, from the master's answer to `show proc`."""
    lines = [line.split() for line in processes.splitlines() if not line.startswith("#")]
    return tuple(int(fields[0]) for fields in lines if fields[1:2] == ["worker"])


def failed_reloads_of(processes: str) -> int:
    """Return how often the master could not make a new worker, from its answer to `show proc`."""
    found = re.search(r"\[failed: (\d+)\]", processes)
    return int(found[1]) if found else 0


def _rows(stat: str) -> Iterable[Mapping[str, str]]:
    lines = [line for line in stat.splitlines() if line.strip()]
    if not lines:
        return ()
    return csv.DictReader([lines[0].removeprefix("# "), *lines[1:]])


def _server(row: Mapping[str, str]) -> ServerStatus:
    # An asterisk says that the next check is under way.
    check, code = row["check_status"].removeprefix("* "), row["check_code"]
    last_check = "" if check == "INI" else check
    return ServerStatus(
        name=row["svname"],
        endpoint=row["addr"],
        weight=_number(row, "weight"),
        is_in_maintenance=row["status"].startswith("MAINT"),
        state=_state(row["status"], _number(row, "weight"), last_check),
        last_check=f"{last_check}/{code}" if last_check == "L7STS" else last_check,
        active_requests=_number(row, "scur"),
        total_requests=_number(row, "stot"),
        errors=_number(row, "econ") + _number(row, "eresp"),
    )


def _state(status: str, weight: int, last_check: str) -> str:
    if status.startswith("DOWN"):
        return "down"
    if status.startswith(_LEAVING_STATES) or weight == 0:
        return "drain"
    return "up" if last_check else "checking"


def _number(row: Mapping[str, str], column: str) -> int:
    return int(row[column] or 0)
