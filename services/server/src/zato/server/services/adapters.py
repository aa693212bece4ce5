"""
Services that are nothing but a call of another system: authors say which connection and what to send.

Published services import JSONAdapter from `zato.server.service.adapter` and RESTAdapter from `zato.server.service`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from zato.common.errors import BadRequest
from zato.common.exception import HTTPException
from zato.server.http import formats
from zato.server.service import Service

APPLY_AFTER_REQUEST = "apply-after-request"
APPLY_BEFORE_REQUEST = "apply-before-request"
_JSON = {"Content-Type": "application/json"}


class JSONAdapter(Service):
    """
    Sends its input to an outgoing connection as JSON, and answers with what that answers.

    Input with `echo` is answered with itself; with `dry-run`, with what would be sent.

    Attributes:
        outconn: Name of the connection.
        params_to_qs: Send the input in the query string rather than in the body, as with GET.
        force_in_qs: Names that are in the query string in any case.
        load_response: Whether the answer is parsed.
        params: Values of the adapter's own.
        apply_params: APPLY_AFTER_REQUEST lets these win over the input, APPLY_BEFORE_REQUEST the input over these.
        raise_error_on: Statuses of the answer, or how they begin, that make an error of the same status.
    """

    outconn: ClassVar[str] = ""
    method: ClassVar[str] = "GET"
    params_to_qs: ClassVar[bool] = False
    force_in_qs: ClassVar[Sequence[str]] = ()
    load_response: ClassVar[bool] = True
    params: ClassVar[Mapping[str, Any]] = {}
    apply_params: ClassVar[str] = APPLY_AFTER_REQUEST
    raise_error_on: ClassVar[Sequence[str]] = ("4", "5")

    def handle(self) -> None:
        given = self.request.payload or {}
        if not isinstance(given, Mapping):
            raise BadRequest(f"Service '{self.name}' takes a JSON object")
        if given.get("echo"):
            self.response.payload = dict(given)
            return
        first, second = (given, self.params) if self.apply_params == APPLY_AFTER_REQUEST else (self.params, given)
        values = {name: value for name, value in {**first, **second}.items() if name not in ("echo", "dry-run")}
        query, body = self._divide(values)
        if given.get("dry-run"):
            self.response.payload = {"outconn": self.outconn, "method": self.method, "params": query, "data": body}
            return
        answer = _call(self.outgoing.rest[self.outconn].conn, self.method, self.cid, query, body, {})
        status = str(answer.status_code)
        if any(status.startswith(str(start)) for start in self.raise_error_on):
            raise HTTPException(self.cid, f"Connection '{self.outconn}' answered with the status {status}", answer.status_code)
        self.response.payload = answer.json() if self.load_response and answer.text else answer.text

    def _divide(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        if self.params_to_qs or self.method == "GET":
            return dict(values), {}
        query = {name: value for name, value in values.items() if name in self.force_in_qs}
        return query, {name: value for name, value in values.items() if name not in query}


class RESTAdapter(Service):
    """
    The same in the form of 3.2. Each part of the call is an attribute, or a method that may be overridden.

    Attributes:
        conn_name: Name of the connection.
        model: A class whose `from_dict` makes an object of the answer.
        has_query_string_id, query_string_id_param: Whether the input's `id` is sent in the query string, and as what.
        has_json_id, json_id_param: The same for the body.
    """

    conn_name: ClassVar[str] = ""
    method: ClassVar[str] = "GET"
    model: ClassVar[Any] = None
    log_response: ClassVar[bool] = False
    has_query_string_id: ClassVar[bool] = False
    query_string_id_param: ClassVar[str] = "id"
    has_json_id: ClassVar[bool] = False
    json_id_param: ClassVar[str] = "id"

    def handle(self) -> None:
        params: dict[str, Any] = {}
        if self.has_query_string_id:
            params[self.query_string_id_param] = self.request.input["id"]
        params.update(self.get_query_string(params) or {})
        params.update(self.get_path_params(params) or {})
        body = self.get_request()
        if self.has_json_id:
            body = {**(body or {}), self.json_id_param: self.request.input["id"]}
        headers = dict(self.get_headers() or {})
        if bearer := self.get_auth_bearer():
            headers["Authorization"] = f"Bearer {bearer}"
        conn = self.outgoing.rest[self.get_conn_name()].conn
        answer = _call(conn, self.get_method(), self.cid, params, body, headers)
        if self.log_response:
            self.logger.info("Response received: `%s`", answer.text)
        data = answer.data
        if self.model is not None:
            data = [self.model.from_dict(each) for each in data] if isinstance(data, list) else self.model.from_dict(data)
        self.response.payload = self.map_response(data, answer=answer)

    def get_conn_name(self) -> str:
        return self.conn_name

    def get_method(self) -> str:
        return self.method

    def get_request(self) -> Any:
        """Return the body; nothing unless overridden."""
        return None

    def get_query_string(self, params: dict[str, Any]) -> Mapping[str, Any] | None:
        return None

    def get_path_params(self, params: dict[str, Any]) -> Mapping[str, Any] | None:
        return None

    def get_headers(self) -> Mapping[str, str] | None:
        return None

    def get_auth_bearer(self) -> str | None:
        return None

    def map_response(self, data: Any, **kwargs: Any) -> Any:
        """Return the response's payload for what was answered."""
        return data


def _call(conn: Any, method: str, cid: str, params: Any, body: Any, headers: Mapping[str, str]) -> Any:
    call = getattr(conn, method.lower(), None)
    if call is None:
        raise BadRequest(f"Outgoing connections have no method {method}")
    if method.upper() not in ("POST", "PUT", "PATCH"):
        return call(cid, params=params, headers=dict(headers))
    is_text = isinstance(body, str | bytes)
    data = body if is_text else formats.dump_json(body) if body else ""
    return call(cid, data, params=params, headers={**({} if is_text or not body else _JSON), **headers})
