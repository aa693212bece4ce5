"""The request and the response as a service sees them."""

from collections.abc import Callable, Mapping
from typing import Any

from zato.server.http.forms import UploadedFile, load_form_body


class HTTPRequest:
    """
    What only HTTP has: `self.request.http`.

    Args:
        params: Parameters of the path.
        query: Those of the query string; a name that is repeated has a list.
        headers: Names in lower case.
    """

    def __init__(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        query: Mapping[str, Any],
        headers: Mapping[str, str],
        body: bytes = b"",
    ) -> None:
        self.method = method
        self.path = path
        self.params = dict(params)
        self.GET = dict(query)
        self.headers = headers
        self._body = body

    @property
    def POST(self) -> dict[str, Any]:
        """The fields of a form in the body, uploaded files among them; empty when there is none."""
        if "_form" not in self.__dict__:
            self._form = load_form_body(self._body, self.headers.get("content-type", ""))
        return self._form

    @property
    def files(self) -> dict[str, Any]:
        """The files that were uploaded, by the names of their fields: each has `file_name`, `content_type` and `data`."""
        return {name: value for name, value in self.POST.items() if _is_file(value)}

    def get_form_data(self) -> dict[str, Any]:
        return self.POST

    @property
    def user_agent(self) -> str:
        return self.headers.get("user-agent", "")


def _is_file(value: Any) -> bool:
    return isinstance(value[0] if isinstance(value, list) else value, UploadedFile)


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
