"""Builds everything from the settings and runs it until it is told to stop."""

import itertools
import threading
from collections.abc import Callable

from zato.common.clock import Clock, SystemClock
from zato.common.errors import BadRequest
from zato.common.logs import get_logger
from zato.common.rpc.handshakes import handshakes_watched
from zato.common.rpc.refusals import Refusals
from zato.common.rpc.server import ThreadedServer
from zato.lb_agent import saved_members
from zato.lb_agent.balancer import Balancer
from zato.lb_agent.config import LBAgentSettings
from zato.lb_agent.configuration import Configuration
from zato.lb_agent.grpc import SERVICE, BalancerServicer
from zato.lb_agent.haproxy import HAProxy
from zato.lb_agent.members import Member, Membership
from zato.lb_agent.own_sections import read_sections
from zato.lb_agent.program import Program, affordable_connections
from zato.lb_agent.work_folder import WorkFolder
from zato.proto.load_balancer.v1.load_balancer_pb2_grpc import add_LoadBalancerServicer_to_server

log = get_logger(__name__)

_TICK_S = 0.2
# Certificates are renewed in hours.
_TICKS_PER_LOOK = 5
_RPC_GRACE_S = 1.0


class Agent:
    """
    Args:
        read_settings: Reads the settings anew, for a reload.

    Raises:
        ZatoError: It cannot run here: HAProxy is missing, a port is taken, another agent uses the folder.
    """

    def __init__(
        self, settings: LBAgentSettings, *, read_settings: Callable[[], LBAgentSettings], clock: Clock | None = None
    ) -> None:
        clock = clock or SystemClock()
        self._settings = settings
        self._folder = WorkFolder(settings.work_folder)
        self._folder.lock()
        self._balancer = Balancer(
            haproxy=HAProxy(Program(settings.haproxy_command), self._folder),
            membership=Membership(clock, settings.lease_s, _saved_members(self._folder)),
            folder=self._folder,
            clock=clock,
            configuration=configuration_of(settings),
            configure=lambda: configuration_of(read_settings()),
        )
        self._refusals = Refusals(clock)
        servicer = BalancerServicer(self._balancer, self._refusals)
        # Before HAProxy is touched: where another agent has this address nothing of it should be disturbed.
        self._server = ThreadedServer(
            settings.grpc_address,
            token=settings.token,
            services=[SERVICE],
            add=lambda server: add_LoadBalancerServicer_to_server(servicer, server),
            tls=settings.tls(),
            checks_roles=settings.is_enrolled,
            on_refusal=self._refusals.take,
        )

    def run(self, stop: threading.Event) -> None:
        """
        Serve until `stop` is set, then end what was begun.

        To be called from the main thread, since HAProxy ends with the thread that started it.

        Raises:
            ZatoError: HAProxy could not be started the first time.
        """
        with handshakes_watched(self._settings.tls(), self._refusals.take):
            self._serve(stop)

    def _serve(self, stop: threading.Event) -> None:
        self._balancer.start()
        self._server.start()
        log.info("agent_started", grpc=self._settings.grpc_address, frontend=self._settings.frontend_address)
        try:
            for ticks in itertools.count(1):
                if stop.wait(_TICK_S):
                    break
                self._tick(looks_at_files=ticks % _TICKS_PER_LOOK == 0)
        finally:
            log.info("agent_stopping")
            self._server.stop(_RPC_GRACE_S)
            self._balancer.stop(self._settings.stop_timeout_s)
            self._folder.unlock()
        log.info("agent_stopped")

    def _tick(self, *, looks_at_files: bool) -> None:
        try:
            self._balancer.tick()
            if looks_at_files:
                self._balancer.renew()
        except Exception:  # the loop must go on, whatever we did not think of
            log.exception("tick_failed")


def configuration_of(settings: LBAgentSettings) -> Configuration:
    """Raises InvalidOptions when the file of extra configuration can't be read."""
    max_connections = affordable_connections(settings.max_connections)
    if max_connections < settings.max_connections:
        log.warning("max_connections_lowered", wanted=settings.max_connections, given=max_connections, limit="open files")
    return Configuration(settings, max_connections, read_sections(settings))


def _saved_members(folder: WorkFolder) -> tuple[Member, ...]:
    text = folder.read(saved_members.FILE)
    try:
        return saved_members.from_text(text) if text else ()
    except BadRequest as exc:
        # They join again within seconds.
        log.warning("saved_members_ignored", reason=exc.message)
        return ()
