"""
What a part is, as its certificate says: a URI among the alternative names, e.g. zato://role/scheduler.

The authority puts it there, whatever a request asks for.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

SERVER, SCHEDULER, LB_AGENT, CONNECTOR = "server", "scheduler", "lb-agent", "connector"
WEBADMIN, OPERATOR = "webadmin", "operator"
ROLES = (SERVER, SCHEDULER, LB_AGENT, CONNECTOR, WEBADMIN, OPERATOR)
# They call others and are not called.
CALLERS_ONLY = (WEBADMIN, OPERATOR)
_PREFIX = "zato://role/"


def role_uri(role: str) -> str:
    return f"{_PREFIX}{role}"


def role_of(certificate: "Certificate") -> str:
    """Return the role of whoever has the certificate, "" when it says none, or several."""
    from cryptography import x509

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ""
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    roles = {uri.removeprefix(_PREFIX) for uri in uris if uri.startswith(_PREFIX)} & set(ROLES)
    return roles.pop() if len(roles) == 1 else ""


def name_of(certificate: "Certificate") -> str:
    """Return the common name, "" without one."""
    from cryptography.x509.oid import NameOID

    return next((str(each.value) for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)), "")
