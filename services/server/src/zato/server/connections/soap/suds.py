"""A client as services have used it since suds, now with zeep behind it: `client.service.Op(…)`, `client.factory.create(…)`."""

from typing import TYPE_CHECKING, Any

from zato.common.errors import InternalError, NotImplementedHere, ZatoError

if TYPE_CHECKING:
    import zeep

    from zato.server.connections.soap.client import SOAPConnection


class SOAPFault(ZatoError):
    """
    The other side answered with a fault.

    Attributes:
        faultcode, faultstring: As the other side has them.
        detail: The element with more of it, or None.
    """

    def __init__(self, message: str, /, faultcode: str = "", faultstring: str = "", **attributes: object) -> None:
        super().__init__(message, faultcode=faultcode, faultstring=faultstring, **attributes)
        self.faultcode = faultcode
        self.faultstring = faultstring
        self.detail: Any = None

    @property
    def fault(self) -> "SOAPFault":
        """What services of suds' days read: `exc.fault.faultstring`."""
        return self

    @classmethod
    def of(cls, name: str, fault: Any) -> "SOAPFault":
        made = cls(f"Connection '{name}' was answered with a SOAP fault", str(fault.code or ""), str(fault.message or ""))
        made.detail = fault.detail
        return made


class BadArguments(InternalError, ValueError):
    """A service called an operation with what its WSDL does not allow."""


class SOAPClient:
    """One service's use of a connection. `zeep` is the client behind it, which all share."""

    def __init__(self, connection: "SOAPConnection", client: "zeep.Client") -> None:
        self.zeep = client
        self.service = _Operations(connection, client, self)
        self.factory = _Factory(client)
        self.soap_headers: Any = None

    def set_options(self, *, soapheaders: Any = None, **others: Any) -> None:
        """
        Args:
            soapheaders: Elements for the SOAP header, a list, or a mapping where the WSDL declares headers.
        """
        if others:
            raise NotImplementedHere(f"SOAP clients have no option {', '.join(sorted(others))}: only soapheaders")
        self.soap_headers = soapheaders

    def __enter__(self) -> "SOAPClient":
        return self

    def __exit__(self, *_exc: object) -> None:
        """The client stays open for others."""


class _Operations:
    def __init__(self, connection: "SOAPConnection", client: "zeep.Client", owner: SOAPClient) -> None:
        self._connection, self._client, self._owner = connection, client, owner

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._client.service, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            import zeep.exceptions

            if self._owner.soap_headers is not None:
                kwargs.setdefault("_soapheaders", self._owner.soap_headers)
            try:
                with self._connection.explained_zeep():
                    return operation(*args, **kwargs)
            except ZatoError as exc:
                if isinstance(exc.__cause__, zeep.exceptions.ValidationError):
                    raise BadArguments(f"'{name}' does not take these arguments: see the WSDL") from exc.__cause__
                raise

        return call

    __getitem__ = __getattr__


class _Factory:
    """Makes objects of the WSDL's types, their fields empty."""

    def __init__(self, client: "zeep.Client") -> None:
        self._client = client

    def create(self, name: str) -> Any:
        """
        Args:
            name: "Customer", "ns0:Customer", or "{http://example.com/crm}Customer".

        Raises:
            LookupError: There is no such type.
        """
        local = name.rpartition("}")[2].rpartition(":")[2]
        for type_ in self._client.wsdl.types.types:
            is_meant = type_.name == local if not name.startswith("{") else str(type_.qname) == name
            if type_.qname is not None and is_meant and hasattr(type_, "elements"):
                return type_()
        for element in self._client.wsdl.types.elements:
            if element.name == local:
                return element()
        raise LookupError(f"The WSDL has no type '{name}'")
