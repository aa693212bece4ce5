"""The thread of a part that follows the configuration: it registers the part's kinds, then watches their objects."""

import threading
from collections.abc import Callable, Sequence

from zato.common.errors import DeadlineExceeded, ZatoError
from zato.common.kinds import Kind
from zato.common.logs import get_logger
from zato.common.rpc.servers import Server, Servers
from zato.proto.control_plane.v1.control_plane_pb2 import RegisterKindsRequest, WatchEvent, WatchRequest

log = get_logger(__name__)

_CALL_S = 3.0
_RETRY_S = 0.3
# Now and then another server is asked, so that one which hangs is not listened to for ever.
_WATCH_FOR_S = 30.0


class Follower:
    """
    Args:
        part: e.g. "scheduler".
        name: Of this process among those of its part, e.g. "scheduler1".
        kinds: What the part implements, and is told of.
        take: Called with each event, in their order.
    """

    def __init__(
        self, servers: Servers, part: str, name: str, kinds: Sequence[Kind], take: Callable[[WatchEvent], None]
    ) -> None:
        self._servers = servers
        self._part = part
        self._kinds = kinds
        self._name = name
        self._take = take
        self._version = 0
        self._has_registered = False

    def follow(self, stop: threading.Event) -> None:
        is_told = False
        while not stop.is_set():
            server = self._servers.in_order()[0]
            try:
                self._follow_one(server, stop)
                is_told = False
            except DeadlineExceeded:
                is_told = False
            except ZatoError as exc:
                if not is_told and not stop.is_set():
                    log.warning("configuration_not_followed", server=server.address, error=exc.message)
                is_told = True
                stop.wait(_RETRY_S)
            except Exception:  # this thread must not end, whatever we did not think of
                log.exception("follower_failed")
                stop.wait(_RETRY_S)

    def _follow_one(self, server: Server, stop: threading.Event) -> None:
        if not self._has_registered:
            # Once: while processes of two releases run, they would overwrite each other's description for ever.
            description = RegisterKindsRequest(part=self._part, kinds=[kind.describe() for kind in self._kinds])
            server.client.call(server.control_plane.RegisterKinds, description, timeout_s=_CALL_S)
            self._has_registered = True
        names = [kind.name for kind in self._kinds]
        request = WatchRequest(kinds=names, from_version=self._version, watcher=f"{self._part}/{self._name}")
        for event in self._servers.watch(server, request, timeout_s=_WATCH_FOR_S):
            if stop.is_set():
                return
            self._take(event)
            self._version = event.version
