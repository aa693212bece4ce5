"""The request and the response as a service sees them."""

from collections.abc import Callable, Mapping
from typing import Any


class HTTPRequest:
    """What only HTTP has: `self.request.http`."""

    def __init__(
        self, method: str, path: str, params: Mapping[str, str], query: Mapping[str, Any], headers: Mapping[str, str]
    ) -> None:
        self.method = method
        self.path = path
        self.params = dict(params)
        self.GET = dict(query)
        self.headers = headers

    @property
    def user_agent(self) -> str:
        return self.headers.get("user-agent", "")

    @property
    def _wsgi_environ(self) -> dict[str, Any]:
        """Published services read it, for headers most of all, although it is called private."""
        from zato.server.services.wsgi import make_wsgi_environ

        return make_wsgi_environ(self)


class ServiceRequest:
    """
    What came in: `self.request`.

    Attributes:
        raw_request: Exactly what was received.
        payload: The same, parsed by the channel's data format. A body that does not parse is refused when a service
            asks for it; a service that reads `raw_request` may still make sense of it.
        input: The payload's keys, with the parameters of path and query.
        http: Method, path, parameters and headers; None unless the call came by HTTP.
    """

    def __init__(
        self,
        raw_request: Any,
        parse: Callable[[], Any],
        channel_params: Mapping[str, Any],
        http: HTTPRequest | None,
        *,
        params_over_payload: bool = True,
    ) -> None:
        self.raw_request = raw_request
        self.channel_params = dict(channel_params)
        self.http = http
        self._parse = parse
        self._params_over_payload = params_over_payload

    @property
    def payload(self) -> Any:
        if "_payload" not in self.__dict__:
            self._payload = self._parse()
        return self._payload

    @payload.setter
    def payload(self, value: Any) -> None:
        self._payload = value

    @property
    def input(self) -> Any:
        if "_input" not in self.__dict__:
            body = self.payload
            body = body if isinstance(body, Mapping) else {}
            first, second = (body, self.channel_params) if self._params_over_payload else (self.channel_params, body)
            self._input = Input({**first, **second})
        return self._input

    @input.setter
    def input(self, value: Any) -> None:
        self._input = value


class Input(dict[str, Any]):
    """A dictionary whose keys are attributes too: `self.request.input.customer_id`."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"The input has no '{name}'; it has: {', '.join(sorted(self)) or 'nothing'}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value


class ServiceResponse:
    """
    What goes out: `self.response`.

    Attributes:
        payload: A dict, list, text, bytes, number or lxml element; encoded as the channel's data format wants it.
        content_type: Made of the format unless set.
        headers: HTTP headers to add.
    """

    __slots__ = ("content_encoding", "content_type", "headers", "payload", "status_code")

    def __init__(self) -> None:
        self.payload: Any = None
        self.status_code: int = 200
        self.content_type: str = ""
        self.content_encoding: str = ""
        self.headers: dict[str, Any] = {}
