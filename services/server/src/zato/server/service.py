"""
The class that users' services are written against.

    from zato.server.service import Service

    class Hello(Service):
        def handle(self):
            self.response.payload = {"hello": self.request.input.get("name", "world")}
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import gevent

from bunch import bunchify
from zato.common.models import Model, ModelCtx
from zato.server.services import snapshots
from zato.server.services.facades import Facades
from zato.server.services.hooks import Hooks
from zato.server.services.lazy import lazy
from zato.server.services.simpleio import defaults
from zato.server.services.simpleio.elements import (
    CSV,
    UTC,
    UUID,
    AsIs,
    Bool,
    Boolean,
    Date,
    DateTime,
    Decimal,
    Dict,
    DictList,
    Float,
    ForceType,
    Int,
    Integer,
    List,
    ListOfDicts,
    Nested,
    Opaque,
    Secret,
    Text,
    Unicode,
)

if TYPE_CHECKING:
    from zato.server.services.locks import ServiceLock

_LOCK_WAIT_S = 10.0

__all__ = [
    "Service",
    # What input and output are declared with; see docs/simpleio.md.
    "AsIs",
    "Bool",
    "Boolean",
    "CSV",
    "Date",
    "DateTime",
    "Decimal",
    "Dict",
    "DictList",
    "Float",
    "ForceType",
    "Int",
    "Integer",
    "List",
    "ListOfDicts",
    "Model",
    "ModelCtx",
    "Nested",
    "Opaque",
    "Secret",
    "Text",
    "Unicode",
    "UTC",
    "UUID",
    "dataclass",
]


class Service(Hooks, Facades):
    """
    One service. A new instance is made for each invocation, so state must not be kept on it, the class or the module.

    Attributes:
        name: What the service is called; set it on the class, or the name is made of the file and the class:
            class GetThing in some_module.py is "some-module.get-thing".
        cid: Correlation id of the request, the same in every log line and in the X-Zato-CID header.
        request: What came in: `.payload`, `.raw_request`, `.input`, `.http`.
        response: What goes out: `.payload`, `.status_code`, `.headers`, `.content_type`.
        channel, chan: What the call came in through: `.name`, `.type`. Equals the text of its type.
        in_reply_to: In a callback, the cid of the call that it answers.
        server: The worker; `server.user_ctx` is shared by all services that run in it.
        schema: A JSON Schema that input has to fit, a file's name or the schema itself. Others get 400.
        call_hooks: False to run no hooks.
        slow_threshold: Milliseconds; who takes longer is logged as service_slow.
        invokes: The services that it may invoke, by name or class; holds where the server's settings enforce it.
        handle_return_time, processing_time, processing_time_raw: When the handler ended, in UTC, and how long it took,
            in milliseconds and as a timedelta. Known to `finalize_handle` only.
    """

    name: ClassVar[str] = ""
    schema: ClassVar[Any] = ""
    call_hooks: ClassVar[bool] = True
    slow_threshold: ClassVar[float] = 99999
    invokes: ClassVar[Any] = ()

    in_reply_to: str | None = None
    handle_return_time: datetime | None = None
    processing_time: int | None = None
    processing_time_raw: timedelta | None = None

    def handle(self) -> None:
        """
        Do the work. Define `handle_GET`, `handle_POST` and so on instead to answer HTTP methods apart; others then
        get 405.
        """
        raise NotImplementedError

    # Invoking others

    def invoke(
        self,
        name: "str | type[Service]",
        payload: Any = "",
        channel: str = "invoke",
        data_format: str | None = None,
        transport: str | None = None,
        serialize: bool = False,
        as_bunch: bool = False,
        environ: Mapping[str, Any] | None = None,
        *,
        cid: str = "",
        timeout: float | None = None,
        raise_timeout: bool = True,
        skip_response_elem: bool = False,
        **kwargs: Any,
    ) -> Any:
        """
        Run another service here and now, and return its response's payload. Its exceptions come out of this call.

        Args:
            name: The service's name, or its class; "name@target" where only servers that are this target may run it.
            payload: Its input; further keywords are its input when there is no payload.
            channel: What the other one sees as `self.channel.type`.
            data_format: "json", "xml" or "form" to have a payload that is text parsed.
            serialize: Return text, as a channel of the data format would; JSON unless there is one.
            as_bunch: Return dictionaries as Bunch objects.
            environ: Added to this service's own for the other one.
            timeout: Seconds; then DeadlineExceeded is raised, or with `raise_timeout=False` None returned.
            skip_response_elem: Return what is inside the response element.

        Raises:
            NotFound: There is no such service.
            Inactive: It is switched off.
            ZatoException: A service invokes itself, or what it may not invoke.
        """
        invoker = self.server.invoker
        options = None
        if channel != "invoke" or data_format or environ or cid or timeout is not None:
            options = invoker.options(channel, data_format or "", environ, cid, timeout, raise_timeout)
        given = kwargs if kwargs and (payload is None or payload == "") else payload
        instance = invoker.invoke_from(self, invoker.entry_for(self, name), given, options)
        if instance is None:
            return None
        result = instance.response.payload
        if skip_response_elem:
            result = _unwrapped(result, instance)
        if serialize:
            return _serialized(result, data_format or "json")
        return bunchify(result) if as_bunch else result

    def invoke_by_impl_name(self, impl_name: str, payload: Any = "", **kwargs: Any) -> Any:
        """The same by "module.ClassName"."""
        return self.invoke(self.server.invoker.store.get_by_impl_name(impl_name).name, payload, **kwargs)

    def invoke_by_id(self, id: int | str, payload: Any = "", **kwargs: Any) -> Any:
        return self.invoke(self.server.invoker.store.get_by_id(id).name, payload, **kwargs)

    def invoke_async(
        self,
        name: "str | type[Service]",
        payload: Any = "",
        channel: str = "invoke-async",
        data_format: str = "dict",
        transport: str | None = None,
        expiration: float | None = None,
        to_json_string: bool = False,
        cid: str | None = None,
        callback: Any = None,
        zato_ctx: Mapping[str, Any] | None = None,
        environ: Mapping[str, Any] | None = None,
        *,
        delay: float = 0.0,
        **kwargs: Any,
    ) -> str:
        """
        Have another service run later, in any worker of the cluster, and return the cid that it will see.

        It is in Redis before this returns, and stays there until it has run; when it fails it is tried again, and in
        the end put aside together with the reason. So it may run twice, when a worker dies at the wrong moment.

        Args:
            payload: What JSON has a form for, or bytes.
            expiration: Seconds after which it need not run any more; never when None.
            to_json_string: Give the payload to the service as JSON text.
            callback: Names or classes of services that get the response, or this service itself. A service called
                "<name of this one>-async-callback" is one without being named.
            environ: The other one's `self.environ`; what JSON has a form for.
            delay: Seconds to wait first.

        With "name@target" for a name it runs in every worker that listens now, of each server that is this target, and
        nowhere again should it fail.

        Raises:
            NotFound: There is no such service.
            Inactive: It is switched off.
            Unavailable: Redis does not answer, or would forget it when it is restarted.
        """
        from zato.server.services.asynchronous import invoke_async

        given = kwargs if kwargs and (payload is None or payload == "") else payload
        entry, target = self.server.invoker.address_for(self, name)
        return invoke_async(
            self,
            entry.name,
            given,
            target=target or None,
            channel=channel,
            data_format=data_format,
            expires_s=expiration,
            to_json_string=to_json_string,
            cid=cid,
            callback=callback,
            environ=environ,
            delay_s=delay,
        )

    # Helpers

    @lazy
    def id(self) -> int:
        return self.server.invoker.store.find(type(self)).id

    @lazy
    def impl_name(self) -> str:
        return self.get_impl_name()

    def lock(
        self,
        name: str | None = None,
        expires: float | None = None,
        timeout: float | None = None,
        backend: Any = None,
        *,
        ttl: float | None = None,
        block: float | None = None,
    ) -> "ServiceLock":
        """
        A lock that holds in the whole cluster: `with self.lock("stock"):`.

        Args:
            name: Of the lock; the service's own when None.
            ttl, expires: Seconds after which it is given up at the latest; 20.
            block, timeout: Seconds to wait for it; 10, and 0 not to wait.

        Raises:
            NotLocked: On entering, when another one holds it.
        """
        from zato.server.services.locks import make_lock

        lock_name = name or self.name
        key = f"zato:{self.server.cluster}:lock:service:{lock_name}"
        waits = {"block": block, "timeout": timeout, "default_wait": _LOCK_WAIT_S}
        return make_lock(self.kvdb.conn, key, lock_name, ttl=ttl, expires=expires, **waits)  # type: ignore[arg-type]

    def translate(self, system1: str, key1: str, value1: str, system2: str, key2: str, default: Any = "") -> Any:
        """Return what a value of one system is called in another one, as the data dictionary says, or `default`."""
        return self.kvdb.translate(system1, key1, value1, system2, key2, default)

    def log_input(self, user_msg: str = "", level: int = logging.INFO, suppress_keys: Iterable[str] | None = None) -> Any:
        """Log the call's context with the request, and return it as a dictionary. Suppressed keys say so."""
        made = snapshots.input_snapshot(self, suppress_keys)
        self.logger.log(level, "%s%s", f"{user_msg} " if user_msg else "", made)
        return made

    def log_output(
        self, user_msg: str = "", level: int = logging.INFO, suppress_keys: Iterable[str] | None = ("wsgi_environ",)
    ) -> Any:
        """The same with the response."""
        made = snapshots.output_snapshot(self, suppress_keys)
        self.logger.log(level, "%s%s", f"{user_msg} " if user_msg else "", made)
        return made

    def sleep(self, timeout: float = 1) -> None:
        """Let others work for so many seconds."""
        gevent.sleep(timeout)

    def run_in_thread(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> "gevent.Greenlet[..., Any]":
        """Run a function in the background of this worker; `.get()` of what is returned waits for its result."""
        return gevent.spawn(func, *args, **kwargs)

    spawn = run_in_thread

    def new_instance(self, name: "str | type[Service]") -> "Service":
        """Return another service's instance, whose methods may be called, without its handler being run."""
        from zato.server.services.context import ChannelInfo
        from zato.server.services.invoke import in_process_request

        invoker = self.server.invoker
        channel = ChannelInfo("", "new-instance", "dict")
        return invoker.new(invoker.store.find(name), in_process_request(""), self.cid, channel, self.environ)

    @classmethod
    def get_name(cls) -> str:
        """Return the name that the class was given, or "" to have one made. May be overridden."""
        return cls.name

    @classmethod
    def get_impl_name(cls) -> str:
        return f"{cls.__module__}.{cls.__name__}"

    @classmethod
    def convert_impl_name(cls, impl_name: str) -> str:
        """Return what a class of that "module.ClassName" is called."""
        from zato.server.services.names import default_service_name

        module, _, class_name = impl_name.rpartition(".")
        return default_service_name(module, class_name)

    @classmethod
    def can_handle(cls) -> bool:
        """Whether this is a service, or only a base class that has no handler."""
        return cls.handle is not Service.handle or any(name.startswith("handle_") and name[7:].isupper() for name in dir(cls))


def _unwrapped(result: Any, service: Service) -> Any:
    """Of {"response": …}, or what the service calls that, and of nothing else, return what is inside."""
    element = getattr(getattr(service, "SimpleIO", None), "response_elem", None) or defaults.current().response_elem
    return result[element] if isinstance(result, Mapping) and list(result) == [element] else result


def _serialized(result: Any, data_format: str) -> str:
    from zato.server.http import formats

    body, _ = formats.dump("xml" if data_format == "xml" else "json", result)
    return body.decode()


def __getattr__(name: str) -> Any:
    # A service itself, so it can only be made when there is Service.
    if name == "RESTAdapter":
        from zato.server.services.adapters import RESTAdapter

        return RESTAdapter
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
