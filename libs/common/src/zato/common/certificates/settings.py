"""The settings of a part that say how it shows the others who it is."""

from pathlib import Path

from zato.common.options import option, options
from zato.common.rpc.tls import TLSFiles


@options
class TrustSettings:
    """
    Base of a part's settings. With `identity_folder` the part gets its certificate by itself, and lets others in by
    what their certificates say they are; with files of the user's own it takes whom the authorities vouch for.
    """

    identity_folder: Path | None = option(
        "Folder for the certificate that this part gets by itself and renews; without it gRPC is in clear text", default=None
    )
    enrolment_token: str = option(
        "What 'zato ca token' printed, for the first certificate in 'identity_folder'", default="", secret=True
    )
    ca_address: str = option("host:port where certificates are renewed; as the token says when empty", default="")
    authorities_poll_s: float = option(
        "Seconds between two questions to the authority for what was revoked and whom to trust", default=60.0, minimum=0.1
    )
    grpc_certificate: Path | None = option(
        "PEM file with a certificate of your own, then the chain, instead of 'identity_folder'", default=None
    )
    grpc_key: Path | None = option("PEM file with the private key of 'grpc_certificate'", default=None)
    grpc_authorities: Path | None = option("PEM file with the authorities that we trust, for 'grpc_certificate'", default=None)

    def check_trust(self) -> None:
        """Raises ValueError when these settings do not fit together."""
        if self.identity_folder is None:
            self.tls()
        elif self.grpc_certificate or self.grpc_key or self.grpc_authorities:
            raise ValueError("'identity_folder' and files of your own, 'grpc_certificate', exclude each other: give one")

    @property
    def is_enrolled(self) -> bool:
        """Whether the part has a certificate of the cluster's authority, so that calls are let in by their role."""
        return self.identity_folder is not None

    def tls(self) -> TLSFiles:
        if self.identity_folder is not None:
            # It brings OpenSSL, 8 MB, which processes that only read settings need not have.
            from zato.common.certificates.identity import Identity

            return Identity(self.identity_folder).tls
        return TLSFiles(certificate=self.grpc_certificate, key=self.grpc_key, authorities=self.grpc_authorities)
