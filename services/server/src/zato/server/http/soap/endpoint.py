"""What SOAP channels do that plain ones don't: how they read, answer, fail and describe themselves."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lxml import etree

from zato.common.errors import BadRequest, MethodNotAllowed, ZatoError
from zato.server.http.formats import dump
from zato.server.http.request import Request, Response
from zato.server.http.soap.actions import asks_for_wsdl, is_soap_1_2
from zato.server.http.soap.channel import SOAPChannelOptions
from zato.server.http.soap.contracts import Contract, ContractOf
from zato.server.http.soap.envelope import Finding, dump_envelope, dump_fault, fault_status, in_namespace, load_envelope
from zato.server.http.soap.versions import SOAP_1_1, SOAP_1_2, VERSIONS
from zato.server.http.soap.wsdl import CONTENT_TYPE, make_wsdl


def load_payload(channel: SOAPChannelOptions, body: bytes) -> Any:
    return load_envelope(body, VERSIONS[channel.soap_version])


@contextmanager
def findings() -> Iterator[None]:
    """Within, a bad request is what a service says of an envelope, not what we say of one that can't be read."""
    try:
        yield
    except BadRequest as exc:
        raise Finding(exc.message) from exc


def dump_payload(channel: SOAPChannelOptions, contract: Contract, payload: Any) -> tuple[bytes, str]:
    """
    Return a response's body and its content type.

    Args:
        contract: Of the service. XML that was made of declared output gets the channel's namespace, as the WSDL says.
    """
    version = VERSIONS[channel.soap_version]
    content_type = channel.content_type or version.media_type
    if not channel.use_soap_envelope:
        return dump("xml", payload)[0], content_type
    if contract.output is not None and isinstance(payload, etree._Element) and payload.tag == contract.response_name:
        payload = in_namespace(payload, channel.namespace)
    return dump_envelope(payload, version, channel.namespace, contract.response_name), content_type


def fault_response(channel: SOAPChannelOptions | None, error: ZatoError, details: str, request: Request) -> Response:
    """
    Args:
        channel: None when none was found: the client then gets a fault of the version that it speaks.
    """
    if channel is not None:
        version = VERSIONS[channel.soap_version]
    else:
        version = SOAP_1_2 if is_soap_1_2(request.header(b"content-type")) else SOAP_1_1
    content_type = channel.content_type if channel is not None else ""
    body = dump_fault(error, details, request.cid, version)
    return Response(fault_status(error, version), body, content_type or version.media_type)


def answer_get(name: str, channel: SOAPChannelOptions, request: Request, contract_of: ContractOf) -> Response:
    """Return the WSDL. Raises MethodNotAllowed when it was not asked for."""
    if not asks_for_wsdl(request):
        raise MethodNotAllowed(
            "This is a SOAP channel: POST an envelope to it, or GET its description, ?wsdl", allow="GET, POST"
        )
    scheme = "https" if request.header(b"x-forwarded-proto").lower() == "https" else "http"
    address = f"{scheme}://{request.header(b'host') or 'localhost'}{request.path}"
    return Response(200, make_wsdl(name, channel, contract_of(channel.service), address), CONTENT_TYPE)
