"""
A worker in memory, for tests of services.

    sandbox = Sandbox()
    sandbox.connections.set_response("crm.api", {"name": "Jane"})
    service = sandbox.invoke(GetCustomer, {"customer_id": "123"})
    assert service.response.payload == {"name": "Jane"}
"""

import traceback
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from bunch import bunchify
from zato.common.cid import new_cid
from zato.common.errors import NotFound
from zato.common.secrets import SecretBox, generate_key
from zato.server.services.asynchronous import run_task
from zato.server.services.context import ChannelInfo, ServerContext
from zato.server.services.environ import Environ
from zato.server.services.finding import describe_service
from zato.server.services.invoke import Invoker, in_process_request
from zato.server.services.reqresp import HTTPRequest, ServiceRequest
from zato.server.services.schemas import Schemas
from zato.server.services.store import ServiceEntry, ServiceStore
from zato.server.services.task_results import Result, final_tasks, follow_ups, target_outcome
from zato.server.services.tasks import Task
from zato.server.testing.memory import MemoryKVDB, MemoryTasks
from zato.server.testing.stubs import StubConnections

if TYPE_CHECKING:
    from zato.server.service import Service


class Sandbox:
    """
    Services, each of which is deployed when it is first named by its class; connections that answer what they are
    told; a Redis in memory.

    Attributes:
        connections: What services find as `self.outgoing`.
        tasks: What services invoked asynchronously; `run_async` runs it.
        kvdb: What services find as `self.kvdb`.
        server: What they find as `self.server`.
    """

    def __init__(self) -> None:
        self.connections = StubConnections()
        self.kvdb = MemoryKVDB()
        self.tasks = MemoryTasks()
        self.cid = new_cid()
        self._store = ServiceStore()
        self._entries: dict[str, ServiceEntry] = {}
        self._outcomes: dict[str, list[dict[str, Any]]] = {}
        self._invoker = Invoker(self._store)
        self.server: Any = ServerContext(
            "sandbox",
            self._invoker,
            self.connections,  # type: ignore[arg-type]
            self.kvdb,
            box=SecretBox([generate_key()]),
            tasks=self.tasks,  # type: ignore[arg-type]
        )
        self._invoker.context = self.server

    def deploy(self, *services: "type[Service]") -> None:
        """Make services known, for those that invoke them by name."""
        for cls in services:
            module = cls.__module__.rpartition(".")[2]
            entry = describe_service(cls, module)
            self._add(replace(entry, check_input=Schemas().compile(cls.schema)))

    def set_service_response(self, name: str, response: Any = "") -> None:
        """Let another service answer with `response`, or raise it, or what `response` returns for its payload."""
        from zato.server.service import Service

        def handle(self: Service) -> None:
            value = response(self.request.payload) if callable(response) else response
            if isinstance(value, BaseException):
                raise value
            self.response.payload = value

        self.deploy(type("Stub", (Service,), {"name": name, "handle": handle}))

    def set_config(self, values: Mapping[str, Any]) -> None:
        """Say what `self.user_config` holds, e.g. {"crm": {"api": {"limit": "10"}}}."""
        self.server.__dict__["user_config"] = bunchify(values)

    def invoke(
        self,
        service: "type[Service] | str",
        payload: Any = "",
        *,
        method: str = "",
        path: str = "/",
        params: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        channel: str = "",
        data_format: str = "",
        environ: Mapping[str, Any] | None = None,
        raw_request: Any = None,
    ) -> "Service":
        """
        Run a service and return its instance: its answer is in `.response`. What it raises comes out of this call.

        Args:
            service: A class, or the name of what was deployed before.
            method: Of HTTP, in capitals; then the service has `self.request.http` and its `handle_<METHOD>` is run.
            params: Those of the path.
            channel: A channel's type, e.g. "scheduler".
            raw_request: What came in, if the payload is not it.
        """
        entry = self._find(service)
        raw = payload if raw_request is None else raw_request
        if method:
            http = HTTPRequest(method, path, dict(params or {}), dict(query or {}), _lower(headers))
            request = ServiceRequest(raw, lambda: payload, {**(params or {}), **(query or {})}, http)
        else:
            request = in_process_request(payload, data_format)
            request.raw_request = raw
        info = ChannelInfo("sandbox", channel or ("http-soap" if method else "invoke"), data_format or "json")
        instance = self._invoker.new(entry, request, self.cid, info, Environ(environ or {}))
        response = self._invoker.run(entry, instance)
        # Tests may write `service.response.payload.name`, as services do.
        response.payload = bunchify(response.payload)
        return instance

    def run_async(self, most: int = 1000) -> list[Task]:
        """
        Run what was invoked asynchronously, and what follows from it, and return it all.

        Nothing is tried again: what fails has failed for good.

        Raises:
            RuntimeError: There is no end to it.
        """
        done: list[Task] = []
        while self.tasks.waiting:
            if len(done) >= most:
                raise RuntimeError(f"{most} asynchronous invocations have run and there are more: do they go in a circle?")
            task = self.tasks.waiting.pop(0)
            result = self._run(task)
            self.tasks.publish([*follow_ups(task, result), *self._ended(task, result)])
            done.append(task)
        return done

    def _run(self, task: Task) -> Result:
        try:
            return Result(run_task(self._invoker, task))
        except Exception as exc:
            return Result(error=f"{type(exc).__name__}: {exc}", traceback=traceback.format_exc())

    def _ended(self, task: Task, result: Result) -> list[Task]:
        pattern = task.pattern
        if pattern is None or pattern.kind != "fanout":
            return []
        outcomes = self._outcomes.setdefault(pattern.cid, [])
        outcomes.append(msgspec.to_builtins(target_outcome(task, pattern, result)))
        return final_tasks(pattern, outcomes) if len(outcomes) == pattern.targets else []

    def _find(self, service: "type[Service] | str") -> ServiceEntry:
        if isinstance(service, str):
            return self._store.get(service)
        try:
            entry = self._store.find(service)
            if entry.cls is service:
                return entry
        except NotFound:
            pass
        self.deploy(service)
        return self._store.find(service)

    def _add(self, entry: ServiceEntry) -> None:
        self._entries[entry.name] = entry
        self._store.replace_deployed(self._entries.values())


def make_invoker(*services: "type[Service] | ServiceEntry") -> Invoker:
    """Return what runs services, with these in it; for tests of the platform itself."""
    sandbox = Sandbox()
    for service in services:
        if isinstance(service, ServiceEntry):
            sandbox._add(service)
        else:
            sandbox.deploy(service)
    invoker: Invoker = sandbox.server.invoker
    return invoker


def _lower(headers: Mapping[str, str] | None) -> dict[str, str]:
    return {name.lower(): value for name, value in (headers or {}).items()}
