"""The innermost call: decode → invoke → encode."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from zato.server.http import formats
from zato.server.http.channel import Channel
from zato.server.http.forms import load_form
from zato.server.http.request import Request, Response
from zato.server.http.soap import endpoint as soap
from zato.server.http.soap.contracts import Contract, ContractOf
from zato.server.http.steps import Handler
from zato.server.http.streams import Stream, is_stream
from zato.server.security.definitions import SEC_TYPES
from zato.server.services.context import ChannelInfo, SecurityInfo
from zato.server.services.invoke import Invoker
from zato.server.services.reqresp import HTTPRequest, ServiceRequest, ServiceResponse


def _declares_nothing(_service: str) -> Contract:
    return Contract()


def make_endpoint(invoker: Invoker, contract_of: ContractOf = _declares_nothing) -> Handler:
    """
    Args:
        contract_of: Says what a service declares, for the WSDL of SOAP channels.
    """

    def invoke_service(request: Request) -> Response:
        channel = request.channel
        assert channel is not None
        if channel.soap is not None and request.method != "POST":
            return soap.answer_get(channel.name, channel.soap, request, contract_of)
        made, info = service_request(request, channel), channel_info(request, channel)
        if channel.soap is None:
            response = invoker.invoke(channel.options.service, made, cid=request.cid, channel=info)
            if is_stream(response.payload):
                return _stream(response, channel.options.data_format)
            body, content_type = formats.dump(channel.options.data_format, response.payload)
        else:
            with soap.findings():
                response = invoker.invoke(channel.options.service, made, cid=request.cid, channel=info)
            body, content_type = soap.dump_payload(channel.soap, contract_of(channel.options.service), response.payload)
        return _response(response, body, content_type)

    return invoke_service


def _response(response: ServiceResponse, body: bytes, content_type: str) -> Response:
    headers = {name: str(value) for name, value in response.headers.items()}
    content_type = response.content_type or _pop(headers, "content-type") or content_type
    if response.content_encoding:
        headers["Content-Encoding"] = response.content_encoding
    return Response(response.status_code, body, content_type, headers)


def _stream(response: ServiceResponse, data_format: str) -> Response:
    stream = Stream(response.payload)
    stream.begin()
    made = _response(response, b"", formats.CONTENT_TYPES[data_format])
    made.stream = stream
    return made


def _pop(headers: dict[str, str], lower_name: str) -> str:
    """Many services set their content type among the headers, in letters of either case."""
    for name in headers:
        if name.lower() == lower_name:
            return headers.pop(name)
    return ""


def channel_info(request: Request, channel: Channel) -> ChannelInfo:
    """Return what a service sees as its channel, with who has called in `security`."""
    info, identity = channel.info, request.identity
    if identity is None:
        return info
    ids = request.state.definition_ids if request.state is not None else {}
    security = SecurityInfo(
        name=identity.definition,
        type=SEC_TYPES.get(identity.kind, identity.kind),
        id=ids.get((identity.kind, identity.definition), 0),
        username=identity.username,
    )
    return ChannelInfo(info.name, info.type, info.data_format, security, info.id)


def service_request(request: Request, channel: Channel) -> ServiceRequest:
    options = channel.options
    query = load_form(request.query) if request.query else {}
    params: Mapping[str, Any] = {}
    if options.merge_url_params_req:
        path = request.path_parameters
        params = {**path, **query} if options.url_params_pri == "qs-over-path" else {**query, **path}
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers}
    body, data_format = request.body, options.data_format
    content_type = headers.get("content-type", "")
    form = body
    parse: Callable[[], Any]
    if channel.soap is None:
        parse = partial(formats.load, data_format, body, content_type)
    else:
        # What is no envelope is refused before a service is bothered, and no form for all that its client may say.
        payload, form = soap.load_payload(channel.soap, body), b""
        parse = lambda: payload  # noqa: E731
    http = HTTPRequest(request.method, request.path, request.path_parameters, query, headers, form, request.remote_address)
    return ServiceRequest(body, parse, params, http, params_over_payload=options.params_pri == "channel-params-over-msg")
