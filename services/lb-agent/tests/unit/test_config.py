"""Settings: where they come from and which are refused. The command line that reads them."""

import json
from pathlib import Path

import pytest

from zato.common.errors import InvalidOptions
from zato.lb_agent.__main__ import PROGRAM, main

SECRETS = {"ZATO_LB_AGENT_TOKEN": "t", "ZATO_LB_AGENT_STATS_PASSWORD": "p"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "settings.toml").write_text('lease_s = 3\nextra_config_file = "mine.cfg"\n')
    (tmp_path / "secrets.toml").write_text('token = "from the file"\nstats_password = "p"\n')
    return tmp_path


def test_defaults_listen_on_this_machine_only() -> None:
    settings = PROGRAM.read_settings(None, SECRETS)
    assert settings.frontend_address == "127.0.0.1:11223"
    assert settings.grpc_address == "127.0.0.1:20151"
    assert settings.work_folder == Path("work")


def test_files_are_read_and_the_environment_wins(folder: Path) -> None:
    settings = PROGRAM.read_settings(folder, {"ZATO_LB_AGENT_LEASE_S": "4"})
    assert (settings.lease_s, settings.token) == (4, "from the file")


def test_paths_are_relative_to_the_folder(folder: Path) -> None:
    settings = PROGRAM.read_settings(folder, {})
    assert settings.work_folder == folder / "work"
    assert settings.extra_config_file == folder / "mine.cfg"


def test_secrets_may_come_from_elsewhere(folder: Path) -> None:
    (folder / "secrets.toml").unlink()
    assert PROGRAM.read_settings(folder, SECRETS).token == "t"


def test_secrets_are_not_in_what_is_printed() -> None:
    assert "hk3m2" not in repr(PROGRAM.read_settings(None, SECRETS | {"ZATO_LB_AGENT_TOKEN": "hk3m2"}))


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("FRONTEND_ADDRESS", "11223", "takes host:port"),
        ("FRONTEND_ADDRESS", "127.0.0.1:0", "takes host:port"),
        ("FRONTEND_ADDRESS", "127.0.0.1 ssl:80", "names no host"),
        ("GRPC_ADDRESS", "127.0.0.1:70000", "takes host:port"),
        ("TOKEN", "", "'token' is empty"),
        ("STATS_PASSWORD", "two\nlines", "printable"),
        ("CHECK_PATH", "health", "'check_path' takes the path"),
        ("CHECK_PATH", "/a hdr X", "'check_path' takes the path"),
        ("TRUSTED_PROXIES", "10.0.0.0/8,everybody", "'trusted_proxies' takes networks"),
        ("GRPC_KEY", "key.pem", "give all three files"),
        ("BALANCE", "static-rr", "one of 'leastconn'"),
        ("LEASE_S", "0", "at least 0.5"),
    ],
)
def test_settings_that_do_not_fit_are_refused(name: str, value: str, wanted: str) -> None:
    with pytest.raises(InvalidOptions, match=wanted):
        PROGRAM.read_settings(None, SECRETS | {f"ZATO_LB_AGENT_{name}": value})


def test_show_config_masks_secrets(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--folder", str(folder), "--show-config"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["lease_s"], shown["token"], shown["stats_password"]) == (3, "******", "******")


def test_bad_settings_are_one_clear_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "settings.toml").write_text("leese_s = 3\n")
    assert main(["--folder", str(folder)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("zato-lb-agent: settings of lb-agent: 'leese_s' there is no such option")
    assert main(["--folder", str(folder / "nowhere")]) == 2
    assert "cannot be read" in capsys.readouterr().err
