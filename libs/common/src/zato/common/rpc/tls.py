"""TLS of a part's gRPC: off until certificates are configured, mutual from then on; changed files are read again."""

from pathlib import Path
from typing import TYPE_CHECKING

from zato.common.options import option, options

if TYPE_CHECKING:
    import grpc

    from zato.common.rpc.material import Material, MaterialReader


@options
class TLSFiles:
    """PEM files. All three or none: without them connections are in clear text, for loopback and tests only."""

    certificate: Path | None = option("Certificate of this part, then the chain", default=None)
    key: Path | None = option("Private key of the certificate", default=None)
    authorities: Path | None = option("Certificates of the authorities that we trust, and their revocation lists", default=None)

    def __post_init__(self) -> None:
        files = (self.certificate, self.key, self.authorities)
        if any(files) and not all(files):
            raise ValueError("TLS takes a certificate, its key and the authorities: give all three files, or none")

    @property
    def is_on(self) -> bool:
        return self.certificate is not None

    def reader(self) -> "MaterialReader":
        """Raises InvalidOptions when the files cannot be read or do not fit together."""
        from zato.common.rpc.material import MaterialReader

        return MaterialReader(self)


def server_credentials(reader: "MaterialReader", *, demands_certificates: bool = True) -> "grpc.ServerCredentials":
    """
    Return credentials of a server that looks for new files at each handshake.

    Args:
        demands_certificates: Of clients. Without, they may be anybody; the server alone shows who it is.
    """
    import grpc  # settings are read by processes that never speak gRPC, and it takes 10 MB

    material = reader.newest()
    used = [material]

    def fetch() -> "grpc.ServerCertificateConfiguration | None":
        newest = reader.newest()
        if newest is used[0]:
            return None
        used[0] = newest
        return _configuration(newest)

    # Its stubs don't know that None means "as before".
    return grpc.dynamic_ssl_server_credentials(_configuration(material), fetch, demands_certificates)  # type: ignore[arg-type]


def channel_credentials(material: "Material") -> "grpc.ChannelCredentials":
    import grpc

    return grpc.ssl_channel_credentials(material.authorities, material.key, material.certificate)


def _configuration(material: "Material") -> "grpc.ServerCertificateConfiguration":
    import grpc

    return grpc.ssl_server_certificate_configuration([(material.key, material.certificate)], material.authorities)
