"""Mutual TLS between parts: who has a certificate of the same authority gets in, nobody else."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zato.common.errors import InvalidOptions, Unavailable
from zato.common.options import parse_options
from zato.common.rpc.tls import TLSFiles
from zato.common.testing.certificates import CertificateAuthority


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path)


@pytest.fixture
def other_authority(tmp_path: Path) -> CertificateAuthority:
    (tmp_path / "other").mkdir()
    return CertificateAuthority(tmp_path / "other", "other-authority")


@pytest.fixture
def served(serve: Any, part: Any, authority: CertificateAuthority) -> Any:
    return serve(part, tls=authority.issue("server"))


def test_parts_with_certificates_of_one_authority_talk(caller: Any, served: Any, authority: CertificateAuthority) -> None:
    assert caller.connect(served.target, tls=authority.issue("client")).join("server1")


def test_a_client_in_clear_text_gets_nowhere(caller: Any, served: Any, part: Any) -> None:
    with pytest.raises(Unavailable):
        caller.connect(served.target).join()
    assert part.called == []


def test_a_client_of_another_authority_gets_nowhere(
    caller: Any, served: Any, part: Any, authority: CertificateAuthority, other_authority: CertificateAuthority
) -> None:
    """It trusts the server, and has a certificate, only not one of ours."""
    foreign = other_authority.issue("client")
    tls = TLSFiles(certificate=foreign.certificate, key=foreign.key, authorities=authority.file)
    with pytest.raises(Unavailable):
        caller.connect(served.target, tls=tls).join()
    assert part.called == []


def test_a_client_with_an_expired_certificate_gets_nowhere(
    caller: Any, served: Any, part: Any, authority: CertificateAuthority
) -> None:
    with pytest.raises(Unavailable):
        caller.connect(served.target, tls=authority.issue("client", expired=True)).join()
    assert part.called == []


def test_a_client_does_not_talk_to_a_server_of_another_authority(
    caller: Any, serve: Any, part: Any, authority: CertificateAuthority, other_authority: CertificateAuthority
) -> None:
    ours, theirs = authority.issue("client"), other_authority.issue("server")
    # The impostor accepts our certificate: it is the client that has to refuse.
    tls = TLSFiles(certificate=theirs.certificate, key=theirs.key, authorities=authority.file)
    with pytest.raises(Unavailable):
        caller.connect(serve(part, tls=tls).target, tls=ours).join()
    assert part.called == []


def test_a_client_does_not_talk_to_a_server_of_another_name(
    caller: Any, serve: Any, part: Any, authority: CertificateAuthority
) -> None:
    served = serve(part, tls=authority.issue("server", "another.example"))
    with pytest.raises(Unavailable):
        caller.connect(served.target, tls=authority.issue("client")).join()
    assert part.called == []


def test_a_client_with_tls_gets_nowhere_with_a_server_without(
    caller: Any, serve: Any, part: Any, authority: CertificateAuthority
) -> None:
    with pytest.raises(Unavailable):
        caller.connect(serve(part).target, tls=authority.issue("client")).join(timeout_s=3)


@pytest.mark.parametrize("given", [{"certificate": "a"}, {"key": "a"}, {"certificate": "a", "key": "b"}])
def test_some_of_the_files_are_refused_before_a_socket_opens(given: dict[str, str]) -> None:
    with pytest.raises(InvalidOptions, match="give all three files, or none"):
        parse_options(TLSFiles, given, what="TLS")


def test_a_file_that_can_not_be_read_is_named(serve: Callable[..., Any], part: Any, authority: CertificateAuthority) -> None:
    tls = authority.issue("server")
    assert tls.key is not None
    tls.key.unlink()
    with pytest.raises(InvalidOptions, match=r"TLS file .*server\.key cannot be read: No such file"):
        serve(part, tls=tls)
