"""TLS of a part's gRPC: off until certificates are configured, mutual from then on."""

from pathlib import Path
from typing import TYPE_CHECKING

from zato.common.errors import InvalidOptions
from zato.common.options import option, options

if TYPE_CHECKING:
    import grpc


@options
class TLSFiles:
    """PEM files. All three or none: without them connections are in clear text, for loopback and tests only."""

    certificate: Path | None = option("Certificate of this part, then the chain", default=None)
    key: Path | None = option("Private key of the certificate", default=None)
    authorities: Path | None = option("Certificates of the authorities that we trust", default=None)

    def __post_init__(self) -> None:
        files = (self.certificate, self.key, self.authorities)
        if any(files) and not all(files):
            raise ValueError("TLS takes a certificate, its key and the authorities: give all three files, or none")

    @property
    def is_on(self) -> bool:
        return self.certificate is not None

    def server_credentials(self) -> "grpc.ServerCredentials":
        """Credentials of a server that demands a certificate from each client."""
        import grpc  # settings are read by processes that never speak gRPC, and it takes 10 MB

        return grpc.ssl_server_credentials(
            [(_read(self.key), _read(self.certificate))], _read(self.authorities), require_client_auth=True
        )

    def channel_credentials(self) -> "grpc.ChannelCredentials":
        import grpc

        return grpc.ssl_channel_credentials(_read(self.authorities), _read(self.key), _read(self.certificate))


def _read(file: Path | None) -> bytes:
    assert file is not None
    try:
        return file.read_bytes()
    except OSError as exc:
        raise InvalidOptions(f"TLS file {file} cannot be read: {exc.strerror}") from exc
