"""The step that finishes every answer of a channel, errors included: who may read it, and how it is compressed."""

from zato.server.http.cors import add_cors_headers
from zato.server.http.encodings import compress_response
from zato.server.http.request import Request, Response
from zato.server.http.steps import Handler


def finish_response(request: Request, next: Handler) -> Response:
    response = next(request)
    channel = request.channel
    if channel is not None:
        if channel.cors is not None:
            add_cors_headers(channel.cors, request, response)
        if channel.options.content_encoding:
            compress_response(request, response)
    return response
