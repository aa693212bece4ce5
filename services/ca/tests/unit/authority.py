"""What the tests of the authority share: the authority itself, requests that are wrong on purpose, and a look at chains."""

import json
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store

from zato.ca.app import Core
from zato.ca.config import CASettings
from zato.ca.grants import Grant
from zato.ca.issuing import Issued
from zato.common.clock import ManualClock
from zato.common.secrets import generate_key

NOW = 1_800_000_000.0
SECRET_KEY = generate_key()
GRANT = Grant("server1", ("server1.example.com", "10.0.0.7"))


class Authority(Core):
    def __init__(self, folder: Path, **settings: object) -> None:
        self.clock = ManualClock(NOW)
        self.folder = folder
        values: dict[str, Any] = {"token": "t", "secret_key": SECRET_KEY, "work_folder": folder, **settings}
        super().__init__(CASettings(**values), self.clock)
        self.prepare()

    def close(self) -> None:
        self.store.close()

    def enrolled(self, grant: Grant = GRANT) -> Issued:
        """Issue to whoever asks properly."""
        token = self.issuing.create_token(grant)[0]
        return self.issuing.enrol(token.secret, request_of(grant.name, grant.alternative_names))

    def audit(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "audit.jsonl").read_text().splitlines()]

    def last_refusal(self) -> str:
        last = self.audit()[-1]
        assert last["event"] == "refused"
        return str(last["reason"])

    def trusted(self) -> list[str]:
        with self.store.read() as read:
            roots = x509.load_pem_x509_certificates(self.hierarchy.trusted(read))
        return [root.subject.rfc4514_string().removeprefix("CN=") for root in roots]

    def revoked(self) -> set[int]:
        """Serial numbers in the lists that parts are given."""
        with self.store.read() as read:
            pem = self.hierarchy.trusted(read)
        lists = pem[pem.index(b"-----BEGIN X509 CRL") :].split(b"-----BEGIN X509 CRL-----")[1:]
        parsed = [x509.load_pem_x509_crl(b"-----BEGIN X509 CRL-----" + each) for each in lists]
        return {entry.serial_number for each in parsed for entry in each}

    def root(self) -> x509.Certificate:
        """Return the root that issues."""
        with self.store.read() as read:
            authorities = self.hierarchy.at(read)
        assert authorities.issuing is not None
        return authorities.chain(authorities.issuing)[-1].certificate

    def bridges(self) -> bytes:
        with self.store.read() as read:
            return self.hierarchy.bridges(read)

    def verify(
        self, issued: Issued, name: str = "server1.example.com", roots: list[x509.Certificate] | None = None
    ) -> list[x509.Certificate]:
        """Return the chain of a certificate, checked as a TLS client would with what it trusts now, or with these roots."""
        import datetime

        leaf, *chain = x509.load_pem_x509_certificates(issued.certificate)
        if roots is None:
            with self.store.read() as read:
                roots = x509.load_pem_x509_certificates(self.hierarchy.roots(read))
        builder = PolicyBuilder().store(Store(roots)).time(datetime.datetime.fromtimestamp(self.clock.now(), datetime.UTC))
        return list(builder.build_server_verifier(x509.DNSName(name)).verify(leaf, chain))


def leaf_of(issued: Issued) -> x509.Certificate:
    return x509.load_pem_x509_certificate(issued.certificate)


def request_of(
    name: str = "server1",
    names: tuple[str, ...] = (),
    key: Any = None,
    *extensions: x509.ExtensionType,
    subject: x509.Name | None = None,
    algorithm: Any = None,
) -> bytes:
    """Make a request of anything, wrong or not."""
    import ipaddress

    key = key or ec.generate_private_key(ec.SECP256R1())
    if subject is None:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else [])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    generals: list[x509.GeneralName] = []
    for each in names:
        try:
            generals.append(x509.IPAddress(ipaddress.ip_address(each)))
        except ValueError:
            generals.append(x509.DNSName(each))
    if generals:
        builder = builder.add_extension(x509.SubjectAlternativeName(generals), critical=False)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    signed = builder.sign(key, hashes.SHA256() if algorithm is None else algorithm[0])
    return signed.public_bytes(serialization.Encoding.PEM)
