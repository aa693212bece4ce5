"""What the agent does: keeps HAProxy running, and its servers those that are members."""

import difflib
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from zato.common.clock import Clock
from zato.common.errors import BadRequest, Conflict, ZatoError
from zato.common.logs import get_logger
from zato.lb_agent import saved_members
from zato.lb_agent.addresses import resolve
from zato.lb_agent.configuration import BACKEND, Configuration, server_options
from zato.lb_agent.differences import Command, commands, unwanted
from zato.lb_agent.errors import HAProxyUnavailable
from zato.lb_agent.haproxy import HAProxy
from zato.lb_agent.https import digest_of_files
from zato.lb_agent.members import Member, Membership, new_member
from zato.lb_agent.own_sections import OwnSections, check_sections, read_sections, write_sections
from zato.lb_agent.remote_commands import checked
from zato.lb_agent.restarts import Restarts
from zato.lb_agent.statistics import ProxyStatistics, ServerStatus, servers_of, statistics_of
from zato.lb_agent.work_folder import WorkFolder

log = get_logger(__name__)

# HAProxy and the members are compared this often even if nothing is known to have changed.
_AUDIT_INTERVAL_S = 5.0
_ALL_SERVERS = f"show stat {BACKEND} 4 -1"


@dataclass(frozen=True, slots=True)
class State:
    """
    Args:
        servers: Members, and servers that end their last requests; by name.
        haproxy_pid: The process that serves; 0 while HAProxy does not run.
        uptime_s: Seconds since HAProxy's start; reloads do not count as one.
    """

    frontend_address: str
    servers: tuple[ServerStatus, ...]
    members: dict[str, Member]
    haproxy_pid: int
    haproxy_version: str
    uptime_s: float
    reloads: int


class Balancer:
    """
    Safe to share between threads. `start` and `tick` belong to one thread that lives as long as HAProxy should.

    Args:
        configure: Reads the settings and what belongs to them anew.
    """

    def __init__(
        self,
        *,
        haproxy: HAProxy,
        membership: Membership,
        folder: WorkFolder,
        clock: Clock,
        configuration: Configuration,
        configure: Callable[[], Configuration],
    ) -> None:
        self._haproxy = haproxy
        self._membership = membership
        self._folder = folder
        self._clock = clock
        self._configuration = configuration
        self._configure = configure
        self._restarts = Restarts(clock)
        # Held while HAProxy is changed. Renewals of leases do without it.
        self._lock = threading.Lock()
        self._editing = threading.Lock()
        self._is_settled = True
        self._settled_at = clock.monotonic()
        self._started_at = clock.monotonic()
        self._leaving_since: dict[str, float] = {}
        self._saved: tuple[str, str] | None = None
        # What was logged already and goes on.
        self._troubles: set[str] = set()
        self._reloads = 0
        # What TLS was made with, and what was tried in vain since.
        self._files = digest_of_files(configuration.settings)
        self._refused_files = b""

    # What others ask for

    def join(self, name: str, address: str, weight: int) -> float:
        """
        Add a server or renew its lease, and return the lease in seconds.

        Raises:
            BadRequest: Name, address or weight do not fit.
        """
        known = self._membership.get(name)
        if known is not None and known.address == address:
            # First of all, since a name server may take longer than the lease.
            self._membership.join(known)
        member = new_member(name, address, _endpoint(address, known), weight)
        if self._membership.join(member):
            log.info("server_changed" if known else "server_joined", server=name, address=address, weight=member.weight)
            self._settle()
        return self._membership.lease_s

    def drain(self, name: str) -> None:
        """Raises NotFound."""
        if self._membership.set_drained(name, True):
            log.info("server_drained", server=name)
        self._settle()

    def resume(self, name: str) -> None:
        """Raises NotFound."""
        if self._membership.set_drained(name, False):
            log.info("server_resumed", server=name)
        self._settle()

    def give_weight(self, name: str, weight: int) -> None:
        """Raises NotFound, or BadRequest when the weight is out of bounds."""
        if self._membership.give_weight(name, weight):
            log.info("server_weighted", server=name, weight=weight)
        self._settle()

    def leave(self, name: str) -> None:
        """Return when the server gets no new requests; it is deleted when its last one has ended."""
        if self._membership.leave(name):
            log.info("server_left", server=name)
        self._settle()

    def state(self) -> State:
        members = {member.name: member for member in self._membership.all()}
        try:
            pid = self._haproxy.pid()
            servers = servers_of(self._haproxy.runtime.ask(_ALL_SERVERS))
        except HAProxyUnavailable:
            pid, servers = 0, ()
        seen = {server.name: _with_share(server, members.get(server.name)) for server in servers}
        unseen = {name: _unseen(member) for name, member in members.items() if name not in seen}
        both = seen | unseen
        return State(
            frontend_address=self._configuration.settings.frontend_address,
            servers=tuple(both[name] for name in sorted(both)),
            members=members,
            haproxy_pid=pid,
            haproxy_version=self._haproxy.version,
            uptime_s=self._clock.monotonic() - self._started_at if pid else 0.0,
            reloads=self._reloads,
        )

    def config(self) -> str:
        """Return the configuration that HAProxy runs with, passwords masked."""
        return self._configuration.shown(self._membership.all())

    @property
    def own_sections(self) -> OwnSections:
        return self._configuration.own

    def check(self, text: str) -> tuple[str, str]:
        """
        Return the configuration that these sections of one's own would give, and how it differs from the present one.

        Raises:
            BadRequest: They are not for editing from elsewhere, or HAProxy refuses them.
        """
        check_sections(text)
        wanted = replace(self._configuration, own=replace(self.own_sections, text=text))
        members = self._membership.all()
        with self._lock:
            self._haproxy.check(wanted.text(members))
        before, after = self.config(), wanted.shown(members)
        lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "present", "wanted", lineterm="")
        return after, "\n".join(lines)

    def replace_own_sections(self, text: str, revision: str) -> int:
        """
        Load these sections of one's own, keep them, and return the process that serves with them.

        Args:
            revision: Of those that they replace; "" replaces any.

        Raises:
            BadRequest: They are not for editing from elsewhere, HAProxy refuses them, or the file can't be written.
            Conflict: Others have come in the meantime.
            HAProxyUnavailable: HAProxy does not run, or did not load them.
        """
        check_sections(text)
        with self._editing:
            before = self.own_sections
            if read_sections(self._configuration.settings).text != before.text:
                raise Conflict(f"File {before.file} was changed and is not loaded yet: do that first, with 'zato lb reload'")
            if revision and revision != before.revision:
                raise Conflict("Somebody else has changed the configuration meanwhile: look at it again, then edit that")
            wanted = replace(before, text=text)
            write_sections(wanted)
            try:
                pid = self._load(replace(self._configuration, own=wanted))
            except ZatoError:
                write_sections(before)
                raise
        log.info("own_sections_replaced", file=str(wanted.file), revision=wanted.revision, before=before.revision)
        return pid

    def statistics(self) -> tuple[ProxyStatistics, ...]:
        """Raises HAProxyUnavailable."""
        return statistics_of(self._haproxy.runtime.ask("show stat"))

    def execute(self, command: str) -> str:
        """Return what HAProxy answers. Raises BadRequest when the command is none that may be run; HAProxyUnavailable."""
        words = checked(command)
        log.info("command_executed", command=words)
        return self._haproxy.runtime.ask(words)

    def reload(self) -> int:
        """
        Read the settings anew, load what they give, and return the process that serves with it.

        Raises:
            InvalidOptions: A setting does not fit; nothing has changed.
            InvalidConfiguration: HAProxy refuses it; nothing has changed.
            HAProxyUnavailable: HAProxy does not run, or did not load it.
        """
        return self._load(self._configure())

    def _load(self, configuration: Configuration) -> int:
        files = digest_of_files(configuration.settings)
        with self._lock:
            pid = self._haproxy.reload(configuration.text(self._membership.all()))
            self._configuration = configuration
            self._files = files
            self._reloads += 1
            self._apply()
        log.info("haproxy_reloaded", worker_pid=pid)
        return pid

    # What the agent's own loop does

    def start(self) -> None:
        """Raises what `HAProxy.start` raises."""
        with self._lock:
            self._start()

    def tick(self) -> None:
        """Look after HAProxy and the leases. To be called several times a second."""
        ended = self._membership.expire()
        for member in ended:
            log.warning("server_lost", server=member.name, address=member.address, lease_s=self._membership.lease_s)
        with self._lock:
            if not self._haproxy.is_running:
                self._restart()
            elif ended or not self._is_settled or self._clock.monotonic() - self._settled_at >= _AUDIT_INTERVAL_S:
                self._apply()

    def renew(self) -> None:
        """Load certificates that are new. To be called now and then; what HAProxy refuses is logged, and changes nothing."""
        files = digest_of_files(self._configuration.settings)
        if files in (self._files, self._refused_files):
            return
        try:
            # With the settings that it has: those in the file may be half edited.
            self._load(self._configuration)
        except ZatoError as exc:
            self._refused_files = files
            log.error("certificates_not_taken", reason=exc.message)
        else:
            log.info("certificates_taken")

    def stop(self, grace_s: float) -> None:
        """Let requests end for at most `grace_s` seconds, then end HAProxy."""
        with self._lock:
            self._haproxy.stop(grace_s)

    def _start(self) -> None:
        members = self._membership.all()
        self._haproxy.start(self._configuration.text(members))
        self._started_at = self._clock.monotonic()
        self._restarts.started()
        self._apply()

    def _restart(self) -> None:
        if not self._restarts.is_due():
            return
        log.error("haproxy_ended")
        self._haproxy.kill()
        try:
            self._start()
        except ZatoError as exc:
            self._restarts.failed()
            log.error("haproxy_not_restarted", reason=exc.message)

    def _settle(self) -> None:
        with self._lock:
            self._apply()

    def _apply(self) -> None:
        """Make HAProxy's servers the members, as far as this can be done now; `tick` does the rest."""
        members = self._membership.all()
        try:
            self._is_settled = self._bring(members)
        except HAProxyUnavailable as exc:
            self._is_settled = False
            self._trouble("members_not_applied", reason=exc.message)
        self._save(members)
        self._settled_at = self._clock.monotonic()
        if self._is_settled:
            self._troubles.clear()

    def _save(self, members: tuple[Member, ...]) -> None:
        texts = (self._configuration.text(members), saved_members.to_text(members))
        if texts == self._saved:
            return
        try:
            self._haproxy.write(texts[0])
            self._folder.write(saved_members.FILE, texts[1])
            self._saved = texts
        except OSError as exc:
            # HAProxy goes on with the members that it was told of; only a restart would not know them.
            self._trouble("members_not_saved", reason=str(exc))

    def _trouble(self, event: str, **fields: str) -> None:
        """Log something that is tried again several times a second, once."""
        text = f"{event} {fields}"
        if text not in self._troubles:
            self._troubles.add(text)
            log.warning(event, **fields)

    def _bring(self, members: tuple[Member, ...]) -> bool:
        present = servers_of(self._haproxy.runtime.ask(_ALL_SERVERS))
        leaving = unwanted(members, present)
        now = self._clock.monotonic()
        settings = self._configuration.settings
        self._leaving_since = {name: self._leaving_since.get(name, now) for name in leaving}
        overdue = frozenset(name for name, since in self._leaving_since.items() if now - since >= settings.leave_timeout_s)
        todo = commands(members, present, options=server_options(settings), overdue=overdue)
        are_done = [self._run(command) for command in todo]
        # A server that leaves is settled when it is seen to be gone.
        return all(are_done) and not leaving

    def _run(self, command: Command) -> bool:
        answer = self._haproxy.runtime.ask(command.text).strip()
        is_done = not answer or bool(command.expects and command.expects in answer)
        if not is_done:
            self._trouble("haproxy_refused", command=command.text, answer=answer)
        return is_done


def _endpoint(address: str, known: Member | None) -> str:
    try:
        return resolve(address)
    except BadRequest:
        # A name server that is away for a while takes nobody out.
        if known is None or known.address != address:
            raise
        return known.endpoint


def _with_share(server: ServerStatus, member: Member | None) -> ServerStatus:
    """HAProxy's weight of a drained server is 0; people want to see the one that it comes back with."""
    return server if member is None else replace(server, weight=member.share)


def _unseen(member: Member) -> ServerStatus:
    return ServerStatus(
        name=member.name,
        endpoint=member.endpoint,
        weight=member.share,
        is_in_maintenance=False,
        state="drain" if member.is_drained else "down",
        last_check="",
        active_requests=0,
        total_requests=0,
        errors=0,
    )
