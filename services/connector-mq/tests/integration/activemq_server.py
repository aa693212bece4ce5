"""A private ActiveMQ of Debian's package: its own folder and port, on 127.0.0.1, without its start script."""

import contextlib
import socket
from pathlib import Path

from zato.common.rpc.tls import TLSFiles
from zato.common.testing.processes import ServerProcess, free_port
from zato.connector_mq.kinds import DefinitionOptions
from zato.connector_mq.tls import read_stores

_HOME = Path("/usr/share/activemq")
# What its client is made of, in Debian's names.
CLIENT_JARS = tuple(
    f"/usr/share/java/{name}.jar"
    for name in (
        "activemq-client",
        "geronimo-jms_1.1_spec",
        "geronimo-j2ee-management-1.1-spec",
        "hawtbuf",
        "slf4j-api",
        "slf4j-nop",
    )
)
_CONFIGURATION = """\
<beans xmlns="http://www.springframework.org/schema/beans" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:schemaLocation="http://www.springframework.org/schema/beans
  http://www.springframework.org/schema/beans/spring-beans.xsd
  http://activemq.apache.org/schema/core http://activemq.apache.org/schema/core/activemq-core.xsd">
  <broker xmlns="http://activemq.apache.org/schema/core" brokerName="test" useJmx="false" advisorySupport="false"
      dataDirectory="{folder}/data">
    <persistenceAdapter><kahaDB directory="{folder}/data/kahadb"/></persistenceAdapter>
    <systemUsage><systemUsage>
      <memoryUsage><memoryUsage limit="64 mb"/></memoryUsage>
      <storeUsage><storeUsage limit="256 mb"/></storeUsage>
      <tempUsage><tempUsage limit="64 mb"/></tempUsage>
    </systemUsage></systemUsage>
    <sslContext>
      <sslContext keyStore="file:{folder}/conf/identity.p12" keyStoreType="PKCS12" keyStorePassword="{password}"
        trustStore="file:{folder}/conf/trusted.p12" trustStoreType="PKCS12" trustStorePassword="{password}"/>
    </sslContext>
    <transportConnectors>
      <transportConnector name="openwire" uri="tcp://127.0.0.1:{port}"/>
      <transportConnector name="tls" uri="ssl://127.0.0.1:{tls_port}?needClientAuth=true"/>
    </transportConnectors>
  </broker>
</beans>
"""
_LOGGING = """\
log4j.rootLogger=WARN, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=%d %-5p %m%n
"""


class ActiveMQServer:
    """
    Keeps its messages over `stop` and `start`.

    Args:
        folder: An empty folder for its files.
        tls: What it shows at `tls_port`, where it wants certificates of the same authority.
    """

    def __init__(self, java: str, folder: Path, tls: TLSFiles) -> None:
        self.port, self.tls_port = free_port(), free_port()
        for name in ("conf", "tmp"):
            (folder / name).mkdir()
        files = {"ssl_certificate_file": tls.certificate, "ssl_key_file": tls.key, "ssl_ca_file": tls.authorities}
        stores = read_stores(DefinitionOptions(host="-", **{name: str(path) for name, path in files.items()}))
        (folder / "conf" / "identity.p12").write_bytes(stores.identity or b"")
        (folder / "conf" / "trusted.p12").write_bytes(stores.trusted or b"")
        ports = {"port": self.port, "tls_port": self.tls_port}
        configuration = _CONFIGURATION.format(folder=folder, password=stores.password, **ports)
        (folder / "conf" / "activemq.xml").write_text(configuration)
        (folder / "conf" / "log4j.properties").write_text(_LOGGING)
        places = {"home": _HOME, "base": folder, "conf": folder / "conf", "data": folder / "data"}
        command = [
            java,
            *("-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
            *(f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in ("lang", "util", "net")),
            *(f"-Dactivemq.{name}={path}" for name, path in places.items()),
            f"-Dactivemq.classpath={folder / 'conf'}:",
            f"-Djava.io.tmpdir={folder / 'tmp'}",
            *("-jar", str(_HOME / "bin" / "activemq.jar"), "start", "xbean:activemq.xml"),
        ]
        self._process = ServerProcess(command, log=folder / "output.log", is_ready=self._listens)

    def start(self) -> None:
        self._process.start(60)

    def stop(self) -> None:
        """Ask it to end (TERM), and wait until it has."""
        self._process.stop(30)

    def kill(self) -> None:
        """End it at once (KILL)."""
        self._process.kill()

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False
