"""Settings, as the program reads them."""

import json
from pathlib import Path

import pytest

from zato.common.lifecycle.program import ExitCode
from zato.webadmin.__main__ import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "settings.toml").write_text('name = "w1"\nserver_addresses = ["server:17110"]\n')
    (tmp_path / "secrets.toml").write_text('token = "the-secret"\nredis_url = "redis://:other-secret@127.0.0.1/0"\n')
    return tmp_path


def test_settings_are_shown_without_secrets(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--folder", str(folder), "--show-config"]) == ExitCode.OK
    shown = capsys.readouterr().out
    assert "secret" not in shown
    settings = json.loads(shown)
    assert (settings["name"], settings["http_address"], settings["is_https"]) == ("w1", "127.0.0.1:8183", False)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ('http_address = "8183"', "'http_address'"),
        ("server_addresses = []", "'server_addresses'"),
        ('redis_url = "http://127.0.0.1"', "'redis_url'"),
        ('token = ""', "'token'"),
        ('https_key = "key.pem"', "'https_certificate'"),
        ("thread = 3", "did you mean 'threads'"),
    ],
)
def test_a_wrong_setting_is_named(folder: Path, line: str, named: str, capsys: pytest.CaptureFixture[str]) -> None:
    name = line.split()[0]
    for file in ("settings.toml", "secrets.toml"):
        kept = [each for each in (folder / file).read_text().splitlines() if not each.startswith(name)]
        (folder / file).write_text("\n".join(kept) + "\n")
    with (folder / "settings.toml").open("a") as stream:
        stream.write(f"{line}\n")
    assert main(["--folder", str(folder)]) == ExitCode.BAD_SETTINGS
    assert named in capsys.readouterr().err
