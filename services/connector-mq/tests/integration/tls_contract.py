"""
What every provider that speaks TLS by PEM files promises. A subclass says how to connect.

The peer shows a certificate of `authority`, valid at localhost and not at 127.0.0.1, and wants one of it.
"""

import contextlib
from pathlib import Path
from typing import Any

import pytest

from zato.common.errors import InvalidOptions, Unavailable
from zato.common.rpc.tls import TLSFiles
from zato.common.testing.certificates import CertificateAuthority
from zato.connector_mq.messages import MQMessage
from zato.connector_mq.providers import Session

# What OpenSSL and Java say of a certificate that nobody vouches for, and of one that is somebody else's.
_NOT_TRUSTED = "certificate verify failed|valid certification path"
_NOT_THEIRS = "certificate verify failed|No name matching|No subject alternative"


def options_of(ours: TLSFiles, **more: Any) -> dict[str, Any]:
    files = {"ssl_certificate_file": ours.certificate, "ssl_key_file": ours.key, "ssl_ca_file": ours.authorities}
    return {"ssl": True, **{name: str(path) for name, path in files.items()}, **more}


class TLSContract:
    queue = "CONTRACT"

    def authority(self) -> CertificateAuthority:
        raise NotImplementedError

    def connect(self, **options: Any) -> Session:
        raise NotImplementedError

    @pytest.fixture
    def ours(self) -> TLSFiles:
        return self.authority().issue("client")

    def test_messages_go_over_tls_with_a_certificate_of_ours(self, ours: TLSFiles, tmp_path: Path) -> None:
        # Certificate and key in one file, as some have them.
        assert ours.certificate is not None and ours.key is not None
        both = tmp_path / "both.pem"
        both.write_bytes(ours.key.read_bytes() + ours.certificate.read_bytes())
        for more in ({}, {"ssl_certificate_file": str(both), "ssl_key_file": ""}):
            with contextlib.closing(self.connect(**options_of(ours, host="localhost", **more))) as session:
                while session.receive(self.queue, 0.2) is not None:
                    session.commit()  # what other tests have left there
                session.send(self.queue, MQMessage(b"over TLS"))
                session.commit()
                came = session.receive(self.queue, 5)
                session.commit()
            assert came is not None and came.body == b"over TLS"

    def test_a_peer_of_a_strange_authority_is_let_alone(self, ours: TLSFiles, tmp_path: Path) -> None:
        stranger = CertificateAuthority(tmp_path, "stranger")
        with pytest.raises(Unavailable, match=_NOT_TRUSTED):
            self.connect(**options_of(ours, host="localhost", ssl_ca_file=str(stranger.file)))
        # Nor does the system know it.
        with pytest.raises(Unavailable, match=_NOT_TRUSTED):
            self.connect(**options_of(ours, host="localhost", ssl_ca_file=""))

    def test_a_peer_with_the_certificate_of_another_host_is_let_alone(self, ours: TLSFiles) -> None:
        with pytest.raises(Unavailable, match=_NOT_THEIRS):
            self.connect(**options_of(ours, host="127.0.0.1"))

    def test_the_peer_lets_in_nobody_without_a_certificate_or_with_a_strange_one(self, ours: TLSFiles, tmp_path: Path) -> None:
        theirs = CertificateAuthority(tmp_path, "stranger").issue("stranger-client")
        for files in ({"ssl_certificate_file": "", "ssl_key_file": ""}, options_of(theirs)):
            with pytest.raises(Unavailable, match="does not let us in"):
                self.connect(**options_of(ours, host="localhost", **{**files, "ssl_ca_file": str(ours.authorities)}))

    @pytest.mark.parametrize("name", ["ssl_ca_file", "ssl_certificate_file", "ssl_key_file"])
    def test_a_file_that_cannot_be_used_is_named(self, ours: TLSFiles, tmp_path: Path, name: str) -> None:
        strange = tmp_path / "strange.pem"
        strange.write_text("no certificate")
        for path, reason in ((tmp_path / "nowhere.pem", "No such file"), (strange, "PEM")):
            with pytest.raises(InvalidOptions, match=f"'{name}' {path} cannot be used: .*{reason}"):
                self.connect(**options_of(ours, host="localhost", **{name: str(path)}))
