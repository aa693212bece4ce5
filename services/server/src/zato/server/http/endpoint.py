"""The innermost call: decode → invoke → encode."""

from collections.abc import Mapping
from typing import Any

from zato.server.http import formats
from zato.server.http.channel import HTTPChannelOptions
from zato.server.http.request import Request, Response
from zato.server.http.steps import Handler
from zato.server.services.invoke import Invoker
from zato.server.services.reqresp import HTTPRequest, ServiceRequest


def make_endpoint(invoker: Invoker) -> Handler:
    def invoke_service(request: Request) -> Response:
        channel = request.channel
        assert channel is not None
        data_format = channel.options.data_format
        made = service_request(request, channel.options)
        response = invoker.invoke(channel.options.service, made, cid=request.cid, channel=channel.info)
        body, content_type = formats.dump(data_format, response.payload)
        headers = {name: str(value) for name, value in response.headers.items()}
        content_type = response.content_type or _pop(headers, "content-type") or content_type
        if response.content_encoding:
            headers["Content-Encoding"] = response.content_encoding
        return Response(response.status_code, body, content_type, headers)

    return invoke_service


def _pop(headers: dict[str, str], lower_name: str) -> str:
    """Many services set their content type among the headers, in letters of either case."""
    for name in headers:
        if name.lower() == lower_name:
            return headers.pop(name)
    return ""


def service_request(request: Request, options: HTTPChannelOptions) -> ServiceRequest:
    query = formats.load_form(request.query) if request.query else {}
    params: Mapping[str, Any] = {}
    if options.merge_url_params_req:
        path = request.path_parameters
        params = {**path, **query} if options.url_params_pri == "qs-over-path" else {**query, **path}
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers}
    http = HTTPRequest(request.method, request.path, request.path_parameters, query, headers)
    body, data_format = request.body, options.data_format
    return ServiceRequest(
        body,
        lambda: formats.load(data_format, body),
        params,
        http,
        params_over_payload=options.params_pri == "channel-params-over-msg",
    )
