"""The PEM files of a definition, as they are read for all providers."""

from pathlib import Path

import pytest

from zato.common.errors import InvalidOptions
from zato.common.testing.certificates import CertificateAuthority
from zato.connector_mq.kinds import DefinitionOptions
from zato.connector_mq.tls import read_stores


def test_a_definition_without_files_has_no_stores() -> None:
    stores = read_stores(DefinitionOptions(host="h", ssl=True))
    assert (stores.trusted, stores.identity) == (None, None)


def test_a_key_of_another_certificate_is_refused_by_its_name(tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    ours, other = authority.issue("ours"), authority.issue("other")
    files = {"ssl_certificate_file": str(ours.certificate), "ssl_key_file": str(other.key)}
    with pytest.raises(InvalidOptions, match=r"'ssl_key_file' .*other\.key is not the key of .*ours\.pem"):
        read_stores(DefinitionOptions(host="h", **files))


def test_a_key_goes_with_a_certificate() -> None:
    with pytest.raises(ValueError, match="'ssl_certificate_file'"):
        DefinitionOptions(host="h", ssl_key_file="/x.key")


def test_stores_do_not_show_their_password(tmp_path: Path) -> None:
    stores = read_stores(DefinitionOptions(host="h", ssl_ca_file=str(CertificateAuthority(tmp_path).file)))
    assert stores.trusted and stores.password not in repr(stores)
