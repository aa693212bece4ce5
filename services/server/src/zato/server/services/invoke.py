"""Running a service: a new instance, its context, its handler, and its response. Every channel comes through here."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from types import GeneratorType
from typing import TYPE_CHECKING, Any

import gevent

from zato.common.errors import BadRequest, DeadlineExceeded, MethodNotAllowed, NotFound, ZatoError
from zato.common.logs import bind_cid, get_logger
from zato.server.services.absent import explain_absence
from zato.server.services.context import ChannelInfo, ServerContext
from zato.server.services.environ import Environ
from zato.server.services.moments import utc_now
from zato.server.services.recordings import report_slow
from zato.server.services.reqresp import ServiceRequest, ServiceResponse
from zato.server.services.rules import InvokeRules, split_target
from zato.server.services.store import ServiceEntry, ServiceStore

if TYPE_CHECKING:
    from zato.server.service import Service

log = get_logger(__name__)

INVOKE_CHANNEL = ChannelInfo("", "invoke", "dict")
_TEXT_FORMATS = ("json", "xml", "form", "post")


@dataclass(frozen=True, slots=True)
class InvokeOptions:
    """
    How one service invokes another.

    Args:
        channel: A channel's type.
        environ: Added to the caller's own, for the one that is called.
        timeout_s: For how long to wait; for ever when None.
    """

    channel: str = "invoke"
    data_format: str = ""
    environ: Mapping[str, Any] | None = None
    cid: str = ""
    timeout_s: float | None = None
    raises_timeout: bool = True


class Invoker:
    """
    Args:
        store: Where services are found.
        rules: What services may invoke.

    `context` is set once, when the worker has built it: services reach each other through it, and so back to here.
    """

    context: ServerContext
    # For services, whose module is loaded before this one.
    options = InvokeOptions

    def __init__(self, store: ServiceStore, rules: InvokeRules | None = None) -> None:
        self.store = store
        self.rules = rules or InvokeRules()

    def entry_for(self, caller: "Service", service: "str | type[Service]") -> ServiceEntry:
        """
        Return what a service means by a name, a class, or "name@target".

        Raises:
            NotFound: There is no such service.
            Inactive: It is switched off.
            ZatoError: The caller may not invoke it, or this server is not the target.
        """
        if not self.rules.is_restrictive:
            # The way of nearly all calls, without a step more than it needs.
            try:
                return self.store.find(service)
            except NotFound:
                pass
        entry, target = self.address_for(caller, service)
        if target:
            self.rules.check_target(entry.name, target)
        return entry

    def address_for(self, caller: "Service", service: "str | type[Service]") -> tuple[ServiceEntry, str]:
        """The same with the target, "" when none is named, for those who do not invoke it here."""
        target = ""
        try:
            entry = self.store.find(service)
        except NotFound:
            name, target = split_target(service) if isinstance(service, str) else ("", "")
            if not target:
                raise
            entry = self.store.find(name)
        if self.rules.is_restrictive:
            self.rules.check(caller, entry)
        return entry, target

    def invoke(
        self,
        name: str,
        request: ServiceRequest,
        *,
        cid: str,
        channel: ChannelInfo,
        environ: Mapping[str, Any] | None = None,
        in_reply_to: str = "",
    ) -> ServiceResponse:
        """
        Run the service and return its response.

        Raises:
            NotFound: There is no such service.
            MethodNotAllowed: It answers other HTTP methods only.
            Exception: Whatever the service raised.
        """
        entry = self.store.get(name)
        instance = self.new(entry, request, cid, channel, environ)
        if in_reply_to:
            instance.in_reply_to = in_reply_to
        return self.run(entry, instance)

    def invoke_from(
        self, caller: "Service", entry: ServiceEntry, payload: Any, options: InvokeOptions | None = None
    ) -> "Service | None":
        """
        Run a service for another one and return its instance, whose response is complete.

        Returns None when it did not end in time and this is to raise nothing. One that calls itself would never end,
        so it may not.

        Raises:
            ZatoError: The service invokes itself.
            DeadlineExceeded: It did not end in time.
        """
        if entry.cls is type(caller):
            raise ZatoError(f"Service '{entry.name}' may not invoke itself")
        if options is None:
            instance = self.new(entry, in_process_request(payload), caller.cid, INVOKE_CHANNEL, caller.environ)
            self.run(entry, instance)
            return instance
        channel = ChannelInfo("", options.channel, options.data_format or "dict")
        environ = Environ({**caller.environ, **options.environ}) if options.environ else caller.environ
        cid = options.cid or caller.cid
        instance = self.new(entry, in_process_request(payload, options.data_format), cid, channel, environ)
        if options.timeout_s is None:
            self._run_as(cid, caller, entry, instance)
            return instance
        timeout = gevent.Timeout(options.timeout_s)
        try:
            with timeout:
                self._run_as(cid, caller, entry, instance)
        except gevent.Timeout as exc:
            if exc is not timeout:
                raise
            if options.raises_timeout:
                raise DeadlineExceeded(f"Service '{entry.name}' did not end within {options.timeout_s:g} s") from None
            return None
        return instance

    def new(
        self, entry: ServiceEntry, request: ServiceRequest, cid: str, channel: ChannelInfo, environ: Mapping[str, Any] | None
    ) -> "Service":
        instance = entry.cls()
        # `name` is an attribute of the class for those who gave one, and the made one for those who did not.
        instance.__dict__.update(
            name=entry.name,
            cid=cid,
            request=request,
            response=ServiceResponse(),
            channel=channel,
            server=self.context,
            _began_at=time.time(),
        )
        if environ is not None:
            instance.__dict__["environ"] = environ if type(environ) is Environ else Environ(environ)
        return instance

    def run(self, entry: ServiceEntry, instance: "Service") -> ServiceResponse:
        """Run the handler of a new instance, and all that its class has around it."""
        try:
            if entry.is_plain:
                if (usage := self.context.usage) is not None:
                    usage.count(entry.name)
                started = time.perf_counter()
                handle = find_handler(entry, instance)
                if entry.io is None:
                    if (returned := handle()) is not None:
                        _take_generator(instance, returned)
                else:
                    entry.io.before_handle(instance)
                    handle()
                    entry.io.after_handle(instance)
                elapsed_ms = (time.perf_counter() - started) * 1000
                if (statistics := self.context.statistics) is not None:
                    statistics.observe(entry, instance, elapsed_ms)
                elif elapsed_ms > entry.plan.slow_threshold_ms:
                    report_slow(entry, elapsed_ms)
            else:
                self._run_steps(entry, instance)
        except BaseException as exc:
            if isinstance(exc, AttributeError):
                explain_absence(exc)
            self._count_failure(entry, instance, exc)
            raise
        return instance.response

    def _observe(self, entry: ServiceEntry, instance: "Service", elapsed_ms: float) -> None:
        if (statistics := self.context.statistics) is not None:
            statistics.observe(entry, instance, elapsed_ms)
        elif elapsed_ms > entry.plan.slow_threshold_ms:
            report_slow(entry, elapsed_ms)

    def _count_failure(self, entry: ServiceEntry, instance: "Service", exc: BaseException) -> None:
        if self.context.statistics is not None and not isinstance(exc, gevent.GreenletExit):
            elapsed_ms = max(0.0, time.time() - instance._began_at) * 1000
            self.context.statistics.observe_failure(entry, instance, exc, elapsed_ms)

    def _run_as(self, cid: str, caller: "Service", entry: ServiceEntry, instance: "Service") -> None:
        bound: AbstractContextManager[Any] = nullcontext() if cid == caller.cid else bind_cid(cid)
        with bound:
            self.run(entry, instance)

    def _run_steps(self, entry: ServiceEntry, instance: "Service") -> None:
        """
        The order that hooks were published in, between the input's being read and the output's being made.

        What a hook raises is logged and the next one runs; what `accept`, the validations and the handler raise is the
        call's answer, and no later step runs.
        """
        plan, channel_type = entry.plan, instance.channel.type
        handle = find_handler(entry, instance)
        if entry.io is not None:
            entry.io.before_handle(instance)
        if plan.accepts and not instance.accept():
            instance.response.status_code = 400
            instance.response.payload = ""
            return
        if self.context.usage is not None:
            self.context.usage.count(entry.name)
        started = time.perf_counter()
        if entry.check_input is not None:
            entry.check_input(instance.request.payload)
        _call_hooks(instance, plan.before(channel_type, instance.job_type))
        if plan.validates_input:
            instance.validate_input()
        if (returned := handle()) is not None:
            _take_generator(instance, returned)
        if plan.validates_output:
            instance.validate_output()
        _call_hooks(instance, plan.after(channel_type, instance.job_type))
        elapsed_ms = (time.perf_counter() - started) * 1000
        self._observe(entry, instance, elapsed_ms)
        if "finalize_handle" in plan.hooks:
            instance.handle_return_time = utc_now()
            instance.processing_time_raw = timedelta(milliseconds=elapsed_ms)
            instance.processing_time = int(elapsed_ms)
            _call_hooks(instance, ["finalize_handle"])
        if entry.io is not None:
            entry.io.after_handle(instance)


def in_process_request(payload: Any, data_format: str = "") -> ServiceRequest:
    """The request of a call that has its payload as a Python object already, or as text of a data format."""
    if data_format in _TEXT_FORMATS and isinstance(payload, str | bytes):
        from zato.server.http import formats

        body = payload.encode() if isinstance(payload, str) else payload
        return ServiceRequest(payload, lambda: formats.load("form" if data_format == "post" else data_format, body), {}, None)
    return ServiceRequest(payload, lambda: payload, {}, None)


def _take_generator(instance: "Service", returned: Any) -> None:
    """A handler that yields makes its response piece by piece. What others return has never meant anything."""
    if isinstance(returned, GeneratorType) and instance.response.payload is None:
        instance.response.payload = returned


def find_handler(entry: ServiceEntry, instance: "Service") -> Callable[[], Any]:
    if not entry.verbs:
        return instance.handle
    http = instance.request.http
    if http is None:
        return _only_handler(entry, instance)
    method = http.method
    if method in entry.verbs:
        return getattr(instance, f"handle_{method}")  # type: ignore[no-any-return]
    if method == "HEAD" and "GET" in entry.verbs:
        return instance.handle_GET  # type: ignore[attr-defined,no-any-return]
    allowed = entry.verbs | {"HEAD"} if "GET" in entry.verbs else entry.verbs
    raise MethodNotAllowed(f"Method {method} is not allowed here", allow=", ".join(sorted(allowed)))


def _only_handler(entry: ServiceEntry, instance: "Service") -> Callable[[], Any]:
    """Outside HTTP there is no method to choose a handler by: POST's is the one that takes a payload."""
    verb = "POST" if "POST" in entry.verbs else min(entry.verbs)
    return getattr(instance, f"handle_{verb}")  # type: ignore[no-any-return]


def _call_hooks(instance: "Service", names: Iterable[str]) -> None:
    for name in names:
        try:
            getattr(instance, name)()
        except Exception:
            log.exception("hook_failed", service=instance.name, hook=name)


@cache
def service_logger(name: str) -> "ServiceLogger":
    return ServiceLogger(logging.getLogger(name), {})


class ServiceLogger(logging.LoggerAdapter):  # type: ignore[type-arg]
    """The standard library's logger. Published services may say `cid=` in a call; each line has it as it is."""

    def process(self, msg: Any, kwargs: Any) -> Any:
        kwargs.pop("cid", None)
        return msg, kwargs


def as_mapping(payload: Any) -> Mapping[str, Any]:
    """Return an admin service's input. Raises BadRequest unless it is a JSON object."""
    if payload in ("", None):
        return {}
    if not isinstance(payload, Mapping):
        raise BadRequest("The input has to be a JSON object of option names and values")
    return payload
