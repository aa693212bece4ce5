"""Settings, as the program reads them."""

import json
from pathlib import Path

import pytest

from zato.common.lifecycle.program import ExitCode
from zato.scheduler.__main__ import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "settings.toml").write_text('name = "s1"\nserver_addresses = ["server:17110", "10.0.0.2:17110"]\n')
    (tmp_path / "secrets.toml").write_text('token = "the-secret"\n')
    return tmp_path


def test_settings_are_shown_without_secrets(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--folder", str(folder), "--show-config"]) == ExitCode.OK
    shown = capsys.readouterr().out
    assert "the-secret" not in shown
    settings = json.loads(shown)
    assert (settings["name"], settings["server_addresses"]) == ("s1", ["server:17110", "10.0.0.2:17110"])
    assert (settings["grpc_address"], settings["lease_s"]) == ("127.0.0.1:31530", 2.5)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ('name = "two words"', "'name'"),
        ('grpc_address = "31530"', "'grpc_address'"),
        ('server_addresses = ["server"]', "'server_addresses'"),
        ("server_addresses = []", "'server_addresses'"),
        ("lease_s = 0.1", "'lease_s'"),
        ('token = ""', "'token'"),
        ("leases = 3", "did you mean 'lease_s'"),
        ('grpc_key = "key.pem"', "TLS takes a certificate"),
    ],
)
def test_a_wrong_setting_is_named(folder: Path, capsys: pytest.CaptureFixture[str], line: str, named: str) -> None:
    name = line.split(" ")[0]
    kept = [each for each in (folder / "settings.toml").read_text().splitlines() if not each.startswith(name)]
    (folder / "settings.toml").write_text("\n".join([*kept, line]) if name != "token" else "\n".join(kept))
    if name == "token":
        (folder / "secrets.toml").write_text(line)
    assert main(["--folder", str(folder)]) == ExitCode.BAD_SETTINGS
    error = capsys.readouterr().err
    assert error.startswith("zato-scheduler: ")
    assert named in error
    assert "the-secret" not in error


def test_everything_can_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "token").write_text("the-secret\n")
    monkeypatch.setenv("ZATO_SCHEDULER_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("ZATO_SCHEDULER_SERVER_ADDRESSES", "a:1, b:2")
    assert main(["--show-config"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["server_addresses"] == ["a:1", "b:2"]
