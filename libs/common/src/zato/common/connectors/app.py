"""A connector's process: builds everything from the protocol and the settings, and runs it until it is told to stop."""

import os
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zato.common.clock import SystemClock
from zato.common.connectors.grpc import SERVICE, Servicer
from zato.common.connectors.objects import Configured, Objects
from zato.common.connectors.running import Context, Keeper, Maker
from zato.common.connectors.settings import ConnectorSettings
from zato.common.errors import NotFound, NotImplementedHere, ZatoError
from zato.common.following import Follower
from zato.common.kinds import Kind
from zato.common.lifecycle.program import Program
from zato.common.logs import get_logger
from zato.common.rpc.handshakes import handshakes_watched
from zato.common.rpc.refusal_reports import RefusalReporter
from zato.common.rpc.refusals import Refusals
from zato.common.rpc.server import ThreadedServer
from zato.common.rpc.servers import Servers
from zato.proto.connector.v1.connector_pb2_grpc import add_ConnectorServicer_to_server
from zato.proto.control_plane.v1.control_plane_pb2 import ObjectStatus, ReportStatusRequest, WatchEvent

if TYPE_CHECKING:
    from zato.common.plain_http import PublicServer

log = get_logger(__name__)

_RPC_THREADS = 16
_RPC_GRACE_S = 5.0
_REPORT_AGAIN_S = 1.0
_CALL_S = 3.0


@dataclass(frozen=True)
class Protocol:
    """
    What makes a connector the one of its protocol.

    Args:
        part: e.g. "connector-amqp".
        channel_type: What services see as `self.channel.type`, e.g. "amqp".
        makers: By the names of kinds; what makes something that runs of an object.
        pings: By the names of kinds: raises Unavailable, saying why, unless the object's peer answers.
        overlaps: False for a kind whose changed object can't run while it runs as it was.
    """

    part: str
    channel_type: str
    kinds: tuple[Kind, ...]
    makers: Mapping[str, Maker]
    pings: Mapping[str, Callable[[Configured], None]] = field(default_factory=dict)
    overlaps: Mapping[str, bool] = field(default_factory=dict)


class App:
    """
    Raises:
        Unavailable: The port is taken.
    """

    def __init__(self, protocol: Protocol, settings: ConnectorSettings) -> None:
        self._protocol = protocol
        self._settings = settings
        self._owner = f"{settings.name}/{os.urandom(3).hex()}"
        self._refusals = Refusals()
        self._servers = Servers(settings.server_addresses, settings.token, settings.tls(), SystemClock(), self._refusals.take)
        self._objects = Objects(protocol.kinds)
        self._known: Mapping[int, Configured] = {}
        self._events: queue.SimpleQueue[WatchEvent | None] = queue.SimpleQueue()
        self._status_changed = threading.Event()
        self._keeper = Keeper(protocol.makers, self._make_context, protocol.overlaps)
        self._follower = Follower(self._servers, protocol.part, settings.name, protocol.kinds, self._events.put)
        self._reporter = RefusalReporter(self._servers, self._refusals, f"{protocol.part}/{settings.name}")
        servicer = Servicer(
            settings.name, self._keeper, self._ping, lambda: self._objects.version, lambda: self._servers.is_reachable
        )
        self._server = ThreadedServer(
            settings.grpc_address,
            token=settings.token,
            services=[SERVICE],
            add=lambda server: add_ConnectorServicer_to_server(servicer, server),
            tls=settings.tls(),
            checks_roles=settings.is_enrolled,
            on_refusal=self._refusals.take,
            threads=_RPC_THREADS,
        )

        self._http = self._make_http(settings.http_address) if settings.http_address else None

    def _make_http(self, address: str) -> "PublicServer":
        # Only where somebody wants to know: an idle connector is small.
        from zato.common.plain_http import PublicServer

        def render() -> bytes:
            from zato.common.connectors.metrics import Metrics

            return Metrics(self._keeper, lambda: self._objects.version, lambda: self._servers.is_reachable).render()

        pages = {"/metrics": ("text/plain; version=0.0.4", render), "/health/ready": ("text/plain", lambda: b"ready\n")}
        return PublicServer(address, pages)

    def run(self, stop: threading.Event) -> None:
        """Serve until `stop` is set; then drain: what is under way ends, what is not goes back to its peer."""
        with handshakes_watched(self._settings.tls(), self._refusals.take):
            self._serve(stop)

    def _serve(self, stop: threading.Event) -> None:
        self._server.start()
        if self._http is not None:
            self._http.start()
        log.info("connector_started", grpc=self._settings.grpc_address, servers=self._settings.server_addresses)
        threads = [
            threading.Thread(target=work, args=(stop,), name=name, daemon=True)
            for name, work in (
                ("follower", self._follower.follow),
                ("objects", self._apply),
                ("status", self._report),
                ("refusals", self._reporter.report),
            )
        ]
        for thread in threads:
            thread.start()
        stop.wait()
        log.info("connector_stopping")
        self._events.put(None)
        self._status_changed.set()
        threads[1].join(self._settings.drain_s)
        self._server.set_serving(False)
        self._keeper.stop(self._settings.drain_s)
        self._server.stop(_RPC_GRACE_S)
        if self._http is not None:
            self._http.stop()
        self._servers.close()
        log.info("connector_stopped")

    def _make_context(self) -> Context:
        protocol = self._protocol
        return Context(self._servers, protocol.part, protocol.channel_type, self._owner, self._status_changed.set)

    def _apply(self, stop: threading.Event) -> None:
        while (event := self._events.get()) is not None and not stop.is_set():
            try:
                self._objects.apply(event)
                self._known = self._objects.all()
                self._keeper.apply(self._known)
            except Exception:  # this thread must not end, whatever we did not think of
                log.exception("configuration_not_applied", version=event.version)
            self._status_changed.set()

    def _report(self, stop: threading.Event) -> None:
        """Tell the control plane how objects fare whenever that changes; again when no server took the report."""
        while not stop.is_set():
            self._status_changed.wait()
            self._status_changed.clear()
            try:
                self._report_once()
            except ZatoError as exc:
                log.debug("status_not_reported", error=exc.message)
                stop.wait(_REPORT_AGAIN_S)
                self._status_changed.set()
            except Exception:  # this thread must not end, whatever we did not think of
                log.exception("status_not_reported")
                stop.wait(_REPORT_AGAIN_S)

    def _report_once(self) -> None:
        statuses = [
            ObjectStatus(
                object_id=slot.configured.id,
                version_applied=slot.configured.version,
                is_connected=slot.context.state.is_connected,
                error=slot.context.state.error,
            )
            for slot in self._keeper.slots()
        ]
        if statuses:
            request = ReportStatusRequest(reporter=f"{self._protocol.part}/{self._settings.name}", objects=statuses)
            self._servers.call(lambda server: server.control_plane.ReportStatus, request, timeout_s=_CALL_S)

    def _ping(self, kind: str, name: str) -> None:
        ping = self._protocol.pings.get(kind)
        if ping is None:
            raise NotImplementedHere(f"Objects of the kind '{kind}' cannot be pinged")
        for configured in self._known.values():
            if (configured.kind, configured.name) == (kind, name):
                ping(configured)
                return
        raise NotFound(f"This connector knows no {kind} '{name}': check the name, or create it", name=name)


def connector_program(protocol: Protocol, settings: type[Any], description: str) -> Program[Any]:
    """
    Return the program of a connector, whose `main` is its console script.

    Args:
        settings: Derives from `ConnectorSettings`.
        description: A sentence for the program's help.
    """

    def run(made: ConnectorSettings, _folder: Path | None, stop: threading.Event) -> None:
        App(protocol, made).run(stop)

    return Program(protocol.part, settings, description, "GRPC_ADDRESS", run)
