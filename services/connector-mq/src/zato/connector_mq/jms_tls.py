"""TLS of the provider `jms`: the PEM files of a definition, as Java's managers of keys and of trust."""

from contextlib import closing
from typing import TYPE_CHECKING, Any

from zato.common.errors import InvalidOptions
from zato.connector_mq.kinds import DefinitionOptions

if TYPE_CHECKING:
    from zato.connector_mq.jms import Java
    from zato.connector_mq.tls import Stores

_KEY_STORE = "java.security.KeyStore"


def secure(java: "Java", factory: Any, options: DefinitionOptions) -> None:
    """
    Have a connection factory trust, and show, what the definition says; what it does not say stays the Java machine's.

    Raises:
        InvalidOptions: A file cannot be used, or the factory takes none.
    """
    if not options.ssl_ca_file and not options.ssl_certificate_file:
        return
    from zato.connector_mq.tls import read_stores

    stores = read_stores(options)
    if hasattr(factory, "setKeyAndTrustManagers"):  # ActiveMQ's
        factory.setKeyAndTrustManagers(*_managers(java, stores), None)
    elif hasattr(factory, "setSSLSocketFactory"):  # IBM's, and others
        factory.setSSLSocketFactory(_context(java, stores).getSocketFactory())
    else:
        raise InvalidOptions(
            f"A {factory.getClass().getName()} takes no PEM files: name stores of its own in 'factory_properties', "
            "and leave 'ssl_ca_file' and 'ssl_certificate_file' empty"
        )


def distrust(java: "Java", options: DefinitionOptions) -> str:
    """
    Return why we do not trust the peer, "" when we do or nobody can say.

    ActiveMQ's client may say no more than that its connection has closed: what went wrong with TLS its other thread knows.
    """
    if not options.ssl or options.factory_properties or "(" in options.host:
        return ""
    from zato.connector_mq.tls import read_stores

    timeout_ms = int(options.connect_timeout_s * 1000)
    try:
        with closing(java.of("java.net.Socket")()) as plain:
            plain.connect(java.of("java.net.InetSocketAddress")(options.host, options.port), timeout_ms)
            plain.setSoTimeout(timeout_ms)
            sockets = _context(java, read_stores(options)).getSocketFactory()
            connection = sockets.createSocket(plain, options.host, options.port, True)
            parameters = connection.getSSLParameters()
            parameters.setEndpointIdentificationAlgorithm("HTTPS")
            connection.setSSLParameters(parameters)
            connection.startHandshake()
    except java.error as exc:
        return java.reason(exc) if isinstance(exc, java.of("javax.net.ssl.SSLHandshakeException")) else ""
    return ""


def _context(java: "Java", stores: "Stores") -> Any:
    context = java.of("javax.net.ssl.SSLContext").getInstance("TLS")
    context.init(*_managers(java, stores), None)
    return context


def _managers(java: "Java", stores: "Stores") -> tuple[Any, Any]:
    """Return those of keys, or None, and those of trust: Java's own without a store of ours."""
    keys = None
    if stores.identity is not None:
        store = _store(java, stores.identity, stores.password)
        keys = _made(java, "KeyManagerFactory", store, _characters(java, stores.password)).getKeyManagers()
    store = _store(java, stores.trusted, stores.password) if stores.trusted else java.jpype.JObject(None, java.of(_KEY_STORE))
    return keys, _made(java, "TrustManagerFactory", store).getTrustManagers()


def _made(java: "Java", name: str, *given: Any) -> Any:
    factory = java.of(f"javax.net.ssl.{name}")
    made = factory.getInstance(factory.getDefaultAlgorithm())
    made.init(*given)
    return made


def _store(java: "Java", content: bytes, password: str) -> Any:
    store = java.of(_KEY_STORE).getInstance("PKCS12")
    stream = java.of("java.io.ByteArrayInputStream")(java.jpype.JArray(java.jpype.JByte)(content))
    store.load(stream, _characters(java, password))
    return store


def _characters(java: "Java", text: str) -> Any:
    return java.jpype.JString(text).toCharArray()
