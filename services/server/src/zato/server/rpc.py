"""What the sidecar forwards to a worker: gRPC calls as POSTs of protobuf messages to /__rpc/<contract>/<method>."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import BinaryIO

import gevent
from google.protobuf.message import DecodeError

from zato.common.cid import new_cid
from zato.common.errors import BadRequest, DeadlineExceeded, NotFound, ZatoError
from zato.common.logs import bind_cid, get_logger
from zato.common.rpc.details import as_zato_error, error_detail
from zato.proto.control_plane.v1 import control_plane_pb2 as control_plane
from zato.proto.invoker.v1.invoker_pb2 import Invoked, InvokeManyRequest, InvokeManyResponse, InvokeRequest, InvokeResponse
from zato.server.accounts.rpc import AccountsRPC
from zato.server.admin.noting import note_attempt
from zato.server.admin.services import check_caller
from zato.server.control.changes import Author
from zato.server.control.deployments import Deployed, Deployments
from zato.server.control.status import store_status
from zato.server.control.watch import Watch
from zato.server.http import formats
from zato.server.http.request import Request, Response
from zato.server.lines import FrequentLines, shown
from zato.server.odb.database import Database
from zato.server.services.context import ChannelInfo
from zato.server.services.invoke import Invoker
from zato.server.services.overseer import Overseer
from zato.server.services.reqresp import ServiceRequest

log = get_logger(__name__)

PREFIX = "/__rpc/"
PROTOBUF = "application/x-protobuf"
CID = b"x-zato-cid"
ACTOR = b"x-zato-actor"
ADDRESS = b"x-zato-address"
TOKEN = b"x-zato-token"
DEADLINE_MS = b"x-zato-deadline-ms"
WAIT_MS = b"x-zato-wait-ms"
# Beyond this nobody waits: a call without a deadline must not hold a greenlet for ever.
_LONGEST_S = 3600.0
_CID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MAX_ACTOR_CHARACTERS = 200
_MAX_ADDRESS_CHARACTERS = 100
_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class Call:
    """
    One forwarded call: its message, who makes it, and how long it may take.

    Args:
        deadline_s: After so many seconds nobody waits for its answer.
        wait_s: For how long to wait for news, of calls that do.
        is_from_part: Whether it showed the cluster's token, rather than a person's or none.
    """

    message: bytes
    author: Author
    deadline_s: float
    wait_s: float
    is_from_part: bool = True


class CallLog(FrequentLines):
    def __init__(self, part: str, stream: BinaryIO | None) -> None:
        super().__init__(__name__, "service_invoked", part, stream)


class RPC:
    """
    Args:
        server: Name of this server.
        register: Stores kinds that another part declares.
        accounts: Says who calls, and lets them sign in.
        call_log: Has a line of each service that was invoked.
        more: Methods of further contracts, e.g. "Jobs/Lead".
    """

    def __init__(
        self,
        server: str,
        invoker: Invoker,
        overseer: Overseer,
        database: Database,
        deployments: Deployments,
        watch: Watch,
        register: Callable[[control_plane.RegisterKindsRequest, Author], None],
        accounts: AccountsRPC,
        call_log: CallLog,
        more: Mapping[str, Callable[[Call], bytes]] = MappingProxyType({}),
    ) -> None:
        self._server = server
        self._invoker = invoker
        self._overseer = overseer
        self._database = database
        self._deployments = deployments
        self._watch = watch
        self._register = register
        self._call_log = call_log
        self._authorize = accounts.authorize
        self._methods: dict[str, Callable[[Call], bytes]] = {
            "Invoker/Invoke": lambda call: self._invoke(InvokeRequest.FromString(call.message), call).SerializeToString(),
            "Invoker/InvokeMany": self._invoke_many,
            "ControlPlane/RegisterKinds": self._register_kinds,
            "ControlPlane/Watch": self._next_watch_event,
            "ControlPlane/ReportStatus": self._report_status,
            "ControlPlane/Deploy": self._deploy,
            **accounts.methods,
            **more,
        }

    def __call__(self, request: Request) -> Response:
        given = request.header(CID)
        cid = given if _CID.fullmatch(given) else new_cid()
        with bind_cid(cid):
            try:
                return Response(200, self._run(request, cid), PROTOBUF)
            except Exception as exc:
                error = as_zato_error(exc)
                if error is not exc:
                    log.exception("rpc_failed", method=request.path)
                return Response(error.http_status, error_detail(error, cid).SerializeToString(), PROTOBUF)

    def _run(self, request: Request, cid: str) -> bytes:
        name = request.path.removeprefix(PREFIX)
        method = self._methods.get(name)
        if method is None:
            raise NotFound(f"This server does not know the call {request.path}: is it older than its caller?")
        deadline_s = _seconds(request, DEADLINE_MS, _LONGEST_S)
        token = request.header(TOKEN)
        identity = self._authorize(name, token)
        actor = identity.name if identity is not None else request.header(ACTOR)[:_MAX_ACTOR_CHARACTERS] or "unknown"
        author = Author(actor, cid, request.header(ADDRESS)[:_MAX_ADDRESS_CHARACTERS], identity=identity)
        call = Call(request.body, author, deadline_s, _seconds(request, WAIT_MS, 0.0), is_from_part=not token)
        with gevent.Timeout(deadline_s, DeadlineExceeded(f"The call did not end within its {deadline_s:.3g} s")):
            try:
                return method(call)
            except DecodeError:
                raise BadRequest(f"The message of {request.path} cannot be read: was it made from another contract?") from None

    def _invoke_many(self, call: Call) -> bytes:
        ends_at = time.monotonic() + call.deadline_s
        results: list[Invoked] = []
        for request in InvokeManyRequest.FromString(call.message).invocations:
            if results:
                # Whoever has that many must not keep others from their turn.
                gevent.sleep(0)
            results.append(self._invoked(request, call, ends_at))
        return InvokeManyResponse(results=results).SerializeToString()

    def _invoked(self, request: InvokeRequest, call: Call, ends_at: float) -> Invoked:
        """One of many, which has no more time than all of them together."""
        remaining = replace(call, deadline_s=max(0.001, ends_at - time.monotonic()))
        try:
            return Invoked(response=self._invoke(request, remaining))
        except Exception as exc:
            if isinstance(exc, DeadlineExceeded) and time.monotonic() >= ends_at:
                # Nobody waits for the others either.
                raise
            error = as_zato_error(exc)
            if error is not exc:
                log.exception("rpc_failed", method=f"{PREFIX}Invoker/InvokeMany", service=request.service)
            return Invoked(error=error_detail(error, call.author.cid))

    def _invoke(self, request: InvokeRequest, call: Call) -> InvokeResponse:
        data_format = request.data_format or "json"
        if data_format not in ("json", "raw"):
            raise BadRequest(f"'data_format' takes json or raw, not '{data_format:.40}'")
        payload_format = "json" if data_format == "json" else ""
        made = ServiceRequest(request.payload, lambda: formats.load(payload_format, request.payload), {}, None)
        channel = ChannelInfo("", request.channel_type or "invoke", payload_format)
        environ = {"actor": call.author.name, "address": call.author.address, "identity": call.author.identity}
        check_caller(self._invoker.store.get(request.service), call.author.identity)
        started = time.perf_counter()
        cid = request.cid if _CID.fullmatch(request.cid) else call.author.cid
        with bind_cid(cid):
            invoke = partial(self._invoker.invoke, cid=cid, channel=channel, environ=environ)
            # Beside the time-out of all calls, which does not reach a service that computes.
            response = self._overseer.run(call.deadline_s, invoke, request.service, made)
        body, content_type = formats.dump(payload_format, response.payload)
        elapsed_ms = round((time.perf_counter() - started) * 1000, 2)
        fields = {"service": request.service, "channel_type": shown(channel.type), "duration_ms": elapsed_ms}
        self._call_log.add(cid, fields)
        return InvokeResponse(
            cid=cid,
            payload=body,
            content_type=response.content_type or content_type,
            status=response.status_code,
            server=self._server,
        )

    def _register_kinds(self, call: Call) -> bytes:
        self._register(control_plane.RegisterKindsRequest.FromString(call.message), call.author)
        return control_plane.RegisterKindsResponse().SerializeToString()

    def _next_watch_event(self, call: Call) -> bytes:
        request = control_plane.WatchRequest.FromString(call.message)
        return self._watch.next_event(request, call.wait_s).SerializeToString()

    def _report_status(self, call: Call) -> bytes:
        store_status(self._database, control_plane.ReportStatusRequest.FromString(call.message))
        return control_plane.ReportStatusResponse().SerializeToString()

    def _deploy(self, call: Call) -> bytes:
        request = control_plane.DeployRequest.FromString(call.message)
        try:
            if request.undeploy:
                deployed = self._deployments.undeploy(request.file_name, call.author, wait_s=request.wait_s)
            else:
                deployed = self._deployments.deploy(request.file_name, request.source, call.author, wait_s=request.wait_s)
        except ZatoError as exc:
            if exc.http_status < _SERVER_ERROR:
                service = "zato.deployment.undeploy" if request.undeploy else "zato.deployment.deploy"
                note_attempt(self._database, service, {"name": request.file_name}, call.author, exc)
            raise
        return _deploy_response(deployed).SerializeToString()


def _deploy_response(deployed: Deployed) -> control_plane.DeployResponse:
    workers = [
        control_plane.WorkerDeployment(
            server=worker.server,
            pid=worker.pid,
            version_running=worker.version_running,
            is_ok=worker.is_ok,
            reason=worker.reason,
            traceback=worker.traceback,
        )
        for worker in deployed.workers
    ]
    return control_plane.DeployResponse(
        file_name=deployed.file_name,
        version=deployed.version,
        workers=workers,
        missing=deployed.missing,
        is_rejected=not deployed.is_accepted,
    )


def _seconds(request: Request, header: bytes, default: float) -> float:
    text = request.header(header)
    return int(text) / 1000 if text.isdecimal() else default
