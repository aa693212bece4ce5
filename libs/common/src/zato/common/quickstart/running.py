"""Starting, stopping and watching the parts of a cluster. Parts of one stage at the same time."""

import time
from collections.abc import Callable, Iterable
from threading import Thread
from typing import TypeVar

from zato.common.cli.parts import Parts
from zato.common.cli.progress import Progress
from zato.common.errors import DeadlineExceeded, ZatoError
from zato.common.lifecycle.probes import http_status
from zato.common.lifecycle.processes import Stopped, find_running
from zato.common.lifecycle.starting import NotReadyInTime, StartFailed, Status, start, status, stop
from zato.common.quickstart.cluster import Cluster
from zato.common.quickstart.roles import AUTHORITY, ROLES, Member, role_of
from zato.common.quickstart.trust import give_tokens

T = TypeVar("T")
PING_PATH = "/zato/ping"
_POLL_S = 0.05
_OK = 200


class PartsFailed(ZatoError):
    """Some parts did not start. `lines` is the end of the log of the first of them."""

    def __init__(self, failures: list[tuple[Member, ZatoError]]) -> None:
        super().__init__(" · ".join(_with_name(member, error.message) for member, error in failures))
        first = failures[0][1]
        self.lines = first.lines if isinstance(first, StartFailed | NotReadyInTime) else []


def running_members(cluster: Cluster) -> frozenset[str]:
    return frozenset(member.name for member in cluster.members if find_running(cluster.folder(member)))


def start_parts(cluster: Cluster, parts: Parts, progress: Progress, *, wait_s: float) -> None:
    """
    Start all parts, stage by stage; those that need a certificate are given a token as soon as the authority runs.

    Raises:
        PartsFailed: After the others of the stage have been given their chance; later stages are not started.
    """

    def start_one(member: Member) -> ZatoError | None:
        part, folder = parts.get(member.part), cluster.folder(member)
        progress.start(member.name, "starting")
        try:
            started = start(part, folder, wait_s=wait_s)
        except ZatoError as exc:
            progress.fail(member.name, "not ready" if isinstance(exc, NotReadyInTime) else "failed")
            return exc
        note = "  ".join(f"{label} {address}" for label, address in part.addresses(folder.load_settings(part)).items())
        if started.was_running:
            progress.skip(member.name, f"{note}   already running")
        else:
            progress.done(member.name, note)
        return None

    for stage in _stages(cluster):
        results = _at_once(start_one, stage)
        failures = [(member, error) for member, error in zip(stage, results, strict=True) if error is not None]
        if failures:
            raise PartsFailed(failures)
        if any(member.part == AUTHORITY for member in stage):
            give_tokens(cluster, parts)


def stop_parts(cluster: Cluster, progress: Progress, *, timeout_s: float) -> dict[str, Stopped | None]:
    """Stop all parts: doors, then the last stage first, so that nothing is taken away from a part that finishes its work."""
    stopped: dict[str, Stopped | None] = {}

    def stop_one(member: Member) -> None:
        progress.start(member.name, "stopping")
        result = stopped[member.name] = stop(cluster.folder(member), timeout_s=timeout_s)
        if result is None:
            progress.skip(member.name, "not running")
        elif result.was_killed:
            progress.done(member.name, f"killed: it had not ended after {timeout_s:g} s")
        else:
            progress.done(member.name, "stopped")

    doors = [member for member in cluster.members if role_of(member.part).is_door]
    _at_once(stop_one, doors)
    for stage in reversed(_stages(cluster)):
        _at_once(stop_one, [member for member in stage if member not in doors])
    return stopped


def statuses(cluster: Cluster, parts: Parts) -> list[Status]:
    def one(member: Member) -> Status:
        part = parts.get(member.part)
        return status(part, cluster.folder(member), version=parts.version(part.name))

    return _at_once(one, cluster.members)


def wait_for_load_balancer(address: str, wait_s: float) -> None:
    """
    Return once a request through the load-balancer is answered.

    Raises:
        DeadlineExceeded: Says what the last answer was.
    """
    deadline = time.monotonic() + wait_s
    while (answer := http_status(address, PING_PATH)) != _OK:
        if time.monotonic() > deadline:
            what = f"answers {answer}" if answer else "does not answer"
            raise DeadlineExceeded(
                f"The load-balancer {what} at http://{address}{PING_PATH} after {wait_s:g} s: "
                "'zato quickstart status' shows which part is not ready"
            )
        time.sleep(_POLL_S)


def _with_name(member: Member, message: str) -> str:
    return message if message.startswith(member.name) else f"{member.name}: {message}"


def _stages(cluster: Cluster) -> list[list[Member]]:
    numbers = sorted({role.stage for role in ROLES})
    stages = [[member for member in cluster.members if role_of(member.part).stage == number] for number in numbers]
    return [stage for stage in stages if stage]


def _at_once(function: Callable[[Member], T], members: Iterable[Member]) -> list[T]:
    """
    Call the function for all members at the same time, and return the results in their order.

    Threads that nobody waits for when we are interrupted: a pool would first wait for all of them.
    """
    members = list(members)
    results: dict[int, T] = {}
    errors: list[BaseException] = []

    def call(index: int, member: Member) -> None:
        try:
            results[index] = function(member)
        except BaseException as exc:  # raised again below, in the thread that can tell somebody
            errors.append(exc)

    threads = [Thread(target=call, args=pair, daemon=True, name=pair[1].name) for pair in enumerate(members)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return [results[index] for index in range(len(members))]
