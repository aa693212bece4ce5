"""The SOAP action of a request: a header in 1.1, a parameter of the content type in 1.2."""

import re
from urllib.parse import unquote

from zato.server.http.request import Request

_ACTION = re.compile(r';\s*action\s*=\s*("[^"]*"|[^;\s]*)', re.IGNORECASE)
SOAP_1_2_TYPE = "application/soap+xml"


def soap_action(request: Request) -> str:
    """Return the action without its quotes; "" when the client names none."""
    content_type = request.header(b"content-type")
    if is_soap_1_2(content_type) and (found := _ACTION.search(content_type)) is not None:
        return found[1].strip('"')
    return request.header(b"soapaction").strip().strip('"')


def is_soap(request: Request) -> bool:
    """Whether a request says itself that it is SOAP: on a path that has plain channels too."""
    return is_soap_1_2(request.header(b"content-type")) or any(name == b"soapaction" for name, _ in request.headers)


def is_soap_1_2(content_type: str) -> bool:
    return content_type[: len(SOAP_1_2_TYPE)].lower() == SOAP_1_2_TYPE


def asks_for_wsdl(request: Request) -> bool:
    """Whether a request is `GET …?wsdl`, or `GET …?wsdl=ACTION` for one of several channels of a path."""
    return request.method == "GET" and request.query.partition("=")[0].lower() == "wsdl"


def wsdl_action(request: Request) -> str:
    """Return the action whose description is asked for, "" for any."""
    return unquote(request.query.partition("=")[2].partition("&")[0])
