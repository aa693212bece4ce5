"""Settings: where they come from and which are refused. The command line that reads them."""

import json
from pathlib import Path

import pytest

from zato.ca.__main__ import PROGRAM, main
from zato.common.errors import InvalidOptions

SECRETS = {"ZATO_CA_TOKEN": "hk3m2", "ZATO_CA_SECRET_KEY": "9fwtq"}


def test_defaults_listen_on_this_machine_only_and_live_a_day() -> None:
    settings = PROGRAM.read_settings(None, SECRETS)
    assert settings.grpc_address == "127.0.0.1:20160"
    assert settings.limits.lifetime_s == 86400
    assert settings.own_names == ("127.0.0.1", "localhost")


def test_a_public_host_is_what_parts_are_told() -> None:
    settings = PROGRAM.read_settings(
        None, SECRETS | {"ZATO_CA_ENROL_ADDRESS": "0.0.0.0:20161", "ZATO_CA_PUBLIC_HOST": "ca.example.com"}
    )
    assert settings.public(settings.enrol_address) == "ca.example.com:20161"
    assert "ca.example.com" in settings.own_names
    assert "0.0.0.0" not in settings.own_names


def test_secrets_are_not_in_what_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = repr(PROGRAM.read_settings(None, SECRETS))
    assert "hk3m2" not in shown
    assert "9fwtq" not in shown
    (tmp_path / "settings.toml").write_text('name = "Demo"\n')
    (tmp_path / "secrets.toml").write_text('token = "a"\nsecret_key = "b"\n')
    assert main(["--folder", str(tmp_path), "--show-config"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["name"], document["token"], document["secret_key"]) == ("Demo", "******", "******")


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("GRPC_ADDRESS", "20160", "takes host:port"),
        ("ENROL_ADDRESS", "127.0.0.1:0", "takes host:port"),
        ("HTTP_ADDRESS", "a b:80", "neither a DNS name nor an IP"),
        ("NAMES", "ca,-x", "neither a DNS name nor an IP"),
        ("PUBLIC_HOST", "*", "neither a DNS name nor an IP"),
        ("TOKEN", "", "'token' is empty"),
        ("SECRET_KEY", "", "'secret_key' is empty"),
        ("NAME", "a,CN=b", "'name' takes"),
        ("LIFETIME_S", "90000", "at most 'max_lifetime_s'"),
        ("LIFETIME_S", "0", "at least 1"),
    ],
)
def test_settings_that_do_not_fit_are_refused(name: str, value: str, wanted: str) -> None:
    with pytest.raises(InvalidOptions, match=wanted):
        PROGRAM.read_settings(None, SECRETS | {f"ZATO_CA_{name}": value})


def test_a_secret_key_that_is_none_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "settings.toml").write_text("")
    (tmp_path / "secrets.toml").write_text('token = "a"\nsecret_key = "9fwtq"\n')
    assert main(["--folder", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("zato-ca: 'secret_key': The secret key is not valid")
    assert "9fwtq" not in error
