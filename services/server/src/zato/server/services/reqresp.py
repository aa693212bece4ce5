"""The request and the response as a service sees them."""

import copy
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self

from bunch import Bunch, bunchify
from zato.common.errors import BadRequest
from zato.server.http.formats import load_json
from zato.server.http.forms import UploadedFile, load_form_body

if TYPE_CHECKING:
    from zato.server.messaging.context import MessageContext


class HTTPRequest:
    """
    What only HTTP has: `self.request.http`.

    Args:
        params: Parameters of the path.
        query: Those of the query string; a name that is repeated has a list.
        headers: Names in lower case.
        remote_address: The client's.
    """

    def __init__(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        query: Mapping[str, Any],
        headers: Mapping[str, str],
        body: bytes = b"",
        remote_address: str = "",
    ) -> None:
        self.remote_address = remote_address
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

    @property
    def _wsgi_environ(self) -> dict[str, Any]:
        """Published services read it, for headers most of all, although it is called private."""
        from zato.server.services.wsgi import make_wsgi_environ

        return make_wsgi_environ(self)


def _is_file(value: Any) -> bool:
    return isinstance(value[0] if isinstance(value, list) else value, UploadedFile)


class ServiceRequest:
    """
    What came in: `self.request`.

    Attributes:
        raw_request: Exactly what was received.
        payload: The same, parsed by the channel's data format. A body that does not parse is refused when a service
            asks for it; a service that reads `raw_request` may still make sense of it.
        input: What the service declared, checked and converted. Without a declaration: the payload's keys, with the
            parameters of path and query.
        channel_params: The parameters of path and query, if the channel makes them a part of the input.
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
        # Set where a connector delivers a message.
        self.message: MessageContext | None = None

    @property
    def amqp(self) -> "MessageContext | None":
        """The message's properties and headers, and `ack()` and `reject()`; None unless the call came by AMQP."""
        return self.message

    @property
    def ibm_mq(self) -> "MessageContext | None":
        """
        The message's `msg_id`, `correlation_id`, `timestamp`, `put_date`, `put_time`, `reply_to`, `mqmd`, `data`, `properties`
        and so on; None unless the call came from a queue of IBM MQ or JMS.
        """
        return self.message

    # What it was called first.
    wmq = ibm_mq

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
            self._input = Input(self.merge(body if isinstance(body, Mapping) else {}))
        return self._input

    @input.setter
    def input(self, value: Any) -> None:
        self._input = value

    @property
    def text(self) -> Any:
        """The raw request as text; what is no text stays what it is."""
        return _as_text(self.raw_request) if isinstance(self.raw_request, bytes) else self.raw_request

    def merge(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the body's values with the parameters of path and query. Which wins, the channel says."""
        params = self.channel_params
        if not params:
            return body
        return {**body, **params} if self._params_over_payload else {**params, **body}

    def bunchified(self) -> Any:
        """Return the payload with attributes for keys, at any depth. Raises BadRequest for text that is no JSON."""
        payload = self.payload
        if isinstance(payload, str | bytes) and payload:
            payload = load_json(payload.encode() if isinstance(payload, str) else payload)
        return Bunch() if payload is None or (isinstance(payload, str | bytes) and not payload) else bunchify(payload)

    to_bunch = bunchified

    def deepcopy(self) -> "ServiceRequest":
        """Return a request whose payload and input share nothing with this one's."""
        made = copy.copy(self)
        made.channel_params = copy.deepcopy(self.channel_params)
        for name in ("_payload", "_input"):
            if name in self.__dict__:
                setattr(made, name, copy.deepcopy(self.__dict__[name]))
        return made


class NoneGiven(BadRequest, ValueError):
    """Of several elements at least one has to be given."""


class Input(Bunch):
    """A dictionary whose keys are attributes too: `self.request.input.customer_id`."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"The input has no '{name}'; it has: {', '.join(sorted(self)) or 'nothing'}") from None

    def require_any(self, *names: str) -> None:
        """Raises NoneGiven, which is a ValueError and a bad request, unless one of `names` has a value."""
        if not any(self.get(name) not in (None, "") for name in names):
            raise NoneGiven(f"At least one of these has to be given: {', '.join(names)}")

    def deepcopy(self) -> Self:
        return copy.deepcopy(self)


class ServiceResponse:
    """
    What goes out: `self.response`.

    Attributes:
        payload: A dict, list, model, text, bytes, number or lxml element; encoded as the channel's data format wants it.
            Where output is declared also by attribute, `payload.name = …`, by row, `payload.append(…)`, and whatever
            has the declared names.
        content_type: Made of the format unless set.
        headers: HTTP headers to add.
        result, result_details: What XML answers in the form of 2.0 say about themselves.
    """

    __slots__ = ("content_encoding", "content_type", "headers", "payload", "result", "result_details", "status_code")

    def __init__(self) -> None:
        self.payload: Any = None
        self.status_code: int = 200
        self.content_type: str = ""
        self.content_encoding: str = ""
        self.headers: dict[str, Any] = {}
        self.result: str = "ZATO_OK"
        self.result_details: str = ""


def _as_text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise BadRequest("The request's body is not UTF-8 text") from None
