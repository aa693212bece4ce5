"""
The class that users' services are written against.

    from zato.server.service import Service

    class Hello(Service):
        def handle(self):
            self.response.payload = {"hello": self.request.input.get("name", "world")}
"""

import logging
from typing import TYPE_CHECKING, Any, ClassVar

from zato.server.connections.facades import ConnectionFacades

if TYPE_CHECKING:
    from zato.server.connections.outgoing import Outgoing
    from zato.server.services.context import ChannelInfo, KeyValueDB, ServerContext
    from zato.server.services.reqresp import ServiceRequest, ServiceResponse


class Service(ConnectionFacades):
    """
    One service. A new instance is made for each invocation, so state must not be kept on it, the class or the module.

    Attributes:
        name: What the service is called; set it on the class, or the name is made of the file and the class:
            class GetThing in some_module.py is "some-module.get-thing".
        cid: Correlation id of the request, the same in every log line and in the X-Zato-CID header.
        request: What came in: `.payload`, `.raw_request`, `.input`, `.http`.
        response: What goes out: `.payload`, `.status_code`, `.headers`, `.content_type`.
        channel: What the call came in through: `.name`, `.type`.
        logger: A logger named after the service.
        outgoing, out: Outgoing connections: `self.out.rest["name"].conn`, `self.out.sql.get("name").session()`.
        kvdb: Redis: `self.kvdb.conn`.
        environ: A dictionary of this invocation, for the service's own use.
    """

    name: ClassVar[str] = ""

    # Set by the platform on each new instance (zato.server.services.invoke).
    cid: str
    request: "ServiceRequest"
    response: "ServiceResponse"
    channel: "ChannelInfo"
    logger: logging.Logger
    environ: dict[str, Any]
    outgoing: "Outgoing"
    out: "Outgoing"
    kvdb: "KeyValueDB"
    server: "ServerContext"

    def handle(self) -> None:
        """
        Do the work. Define `handle_GET`, `handle_POST` and so on instead to answer HTTP methods apart; others then
        get 405.
        """
        raise NotImplementedError

    def invoke(self, name: str, payload: Any = None, **kwargs: Any) -> Any:
        """
        Run another service here and now, and return its response's payload. Its exceptions come out of this call.

        Args:
            name: The service's name.
            payload: Its input; keywords are its input when there is no payload.

        Raises:
            NotFound: There is no such service.
        """
        return self.server.invoke(self, name, kwargs if payload is None and kwargs else payload)

    @classmethod
    def get_name(cls) -> str:
        """Return the name that the class was given, or "" to have one made. May be overridden."""
        return cls.name

    @classmethod
    def get_impl_name(cls) -> str:
        return f"{cls.__module__}.{cls.__name__}"

    @classmethod
    def can_handle(cls) -> bool:
        """Whether this is a service, or only a base class that has no handler."""
        return cls.handle is not Service.handle or any(name.startswith("handle_") and name[7:].isupper() for name in dir(cls))
