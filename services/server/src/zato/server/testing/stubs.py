"""Outgoing connections that answer what a test told them to, and remember what they were asked."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from zato.common.errors import NotFound

_METHODS = ("get", "post", "put", "patch", "delete", "options", "head")
# 2.0's name for what posts.
_SEND = "send"


@dataclass(frozen=True)
class Call:
    """
    What a service sent.

    Args:
        method: In capitals.
        data: As the service gave it.
    """

    method: str
    cid: Any = ""
    data: Any = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


class StubAnswer:
    """The same to a service as the answer of a real connection."""

    def __init__(self, response: Any, status_code: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self.status_code = status_code
        self.headers = dict(headers or {})
        self._is_json = not isinstance(response, str | bytes)
        if isinstance(response, bytes):
            self.content = response
        else:
            self.content = (json.dumps(response, default=str) if self._is_json else response).encode()

    @property
    def ok(self) -> bool:
        return self.status_code < 400

    def __bool__(self) -> bool:
        return self.ok

    @property
    def text(self) -> str:
        return self.content.decode(errors="replace")

    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def data(self) -> Any:
        return self.json() if self._is_json else self.text


class StubConnection:
    """A REST connection: `conn` is the connection itself, as with a real one."""

    def __init__(self, name: str, answer: Callable[[Call], Any]) -> None:
        self.name = name
        self._answer = answer

    @property
    def conn(self) -> "StubConnection":
        return self

    def ping(self, cid: Any = "") -> Any:
        return self._answer(Call("HEAD", cid))

    def __getattr__(self, name: str) -> Any:
        if name == _SEND:
            name = "post"
        if name not in _METHODS:
            raise AttributeError(f"A connection has no '{name}'; a test may give its own: connections.set('rest', ...)")
        has_body = name in ("post", "put", "patch")
        return partial(self._with_body if has_body else self._without_body, name.upper())

    def _with_body(self, method: str, cid: Any = "", data: Any = "", params: Any = None, **kwargs: Any) -> Any:
        return self._answer(Call(method, cid, data, params or {}, kwargs.get("headers") or {}))

    def _without_body(self, method: str, cid: Any = "", params: Any = None, **kwargs: Any) -> Any:
        return self._answer(Call(method, cid, kwargs.get("data", ""), params or {}, kwargs.get("headers") or {}))


@dataclass(frozen=True)
class _Response:
    value: Any
    status_code: int
    headers: Mapping[str, str]
    method: str


class StubConnections:
    """`self.outgoing` of services in a sandbox. A connection that was told nothing does not exist."""

    def __init__(self) -> None:
        self._responses: dict[str, list[_Response]] = {}
        self._calls: dict[str, list[Call]] = {}
        self._others: dict[str, dict[str, Any]] = {}

    def set_response(
        self,
        connection: str,
        response: Any = "",
        *,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        method: str = "",
    ) -> None:
        """
        Say what a REST connection answers, to one method or to all. What was said last counts.

        Args:
            response: What JSON has a form for, text or bytes; an exception is raised; a function is called with each
                Call and returns any of these.
        """
        made = _Response(response, status_code, headers or {}, method.upper())
        self._responses.setdefault(connection, []).insert(0, made)

    def set(self, kind: str, name: str, connection: Any) -> None:
        """Give a connection of any kind, e.g. `set("sql", "crm", engine)`: services find it as `self.out.sql["crm"]`."""
        self._others.setdefault(kind, {})[name] = connection

    def calls(self, connection: str) -> list[Call]:
        return self._calls.get(connection, [])

    def __getattr__(self, kind: str) -> "StubsByName":
        if kind.startswith("_"):
            raise AttributeError(kind)
        return StubsByName(kind, self._find, lambda: self._names(kind))

    def _names(self, kind: str) -> list[str]:
        return sorted({*self._others.get(kind, {}), *self._responses})

    def _find(self, kind: str, name: str) -> Any:
        if name in self._others.get(kind, {}):
            return self._others[kind][name]
        if name not in self._responses:
            raise NotFound(f"There is no connection '{name}': a test says what it answers by set_response('{name}', ...)")
        return StubConnection(name, partial(self._answer, name))

    def _answer(self, name: str, call: Call) -> Any:
        self._calls.setdefault(name, []).append(call)
        for response in self._responses[name]:
            if response.method in ("", call.method):
                value = response.value(call) if callable(response.value) else response.value
                if isinstance(value, BaseException):
                    raise value
                return value if isinstance(value, StubAnswer) else StubAnswer(value, response.status_code, response.headers)
        raise NotFound(f"Connection '{name}' was not told what it answers to {call.method}")


class StubsByName:
    def __init__(self, kind: str, find: Callable[[str, str], Any], names: Callable[[], list[str]]) -> None:
        self._kind = kind
        self._find = find
        self._names = names

    def __getitem__(self, name: str) -> Any:
        return self._find(self._kind, name)

    def get(self, name: str, enforce_is_active: bool = True) -> Any:
        return self[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())
