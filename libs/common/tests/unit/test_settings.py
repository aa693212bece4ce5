from pathlib import Path

import pytest

from zato.common.errors import InvalidOptions
from zato.common.options import option, options
from zato.common.settings import describe_settings, env_prefix, load_settings


@options
class Settings:
    workers: int = option("Workers", default=2, minimum=1)
    host: str = option("Address", default="127.0.0.1")
    folder: Path = option("Folder", default=Path("var"))
    certificate: Path | None = option("Certificate", default=None)
    token: str = option("Token", default="", secret=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "server.toml"


def load(*files: Path, **environ: str) -> Settings:
    return load_settings(Settings, "server", files=files, environ=environ)


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(file: Path) -> None:
    file.write_text('workers = 3\nhost = "127.0.0.2"')
    settings = load(file, ZATO_SERVER_WORKERS="4")
    assert (settings.workers, settings.host, settings.folder) == (4, "127.0.0.2", Path("var"))


def test_of_two_files_the_later_one_wins_key_by_key(file: Path, tmp_path: Path) -> None:
    file.write_text('workers = 3\nhost = "127.0.0.2"')
    local = tmp_path / "local.toml"
    local.write_text("workers = 5")
    assert load(file, local) == Settings(workers=5, host="127.0.0.2")


def test_a_parts_prefix_is_its_name(file: Path) -> None:
    assert env_prefix("lb-agent") == "ZATO_LB_AGENT_"
    assert load(ZATO_LB_AGENT_WORKERS="7", ZATO_OTHER="x").workers == 2


def test_a_path_in_a_file_is_relative_to_the_file_and_one_in_the_environment_is_not(file: Path) -> None:
    file.write_text('folder = "data"\ncertificate = "/etc/cert.pem"')
    settings = load(file)
    assert settings.folder == file.parent / "data"
    assert settings.certificate == Path("/etc/cert.pem")
    assert load(file, ZATO_SERVER_FOLDER="data").folder == Path("data")


def test_an_empty_variable_of_an_optional_path_means_none() -> None:
    """As `docker-compose` passes `${CERTIFICATE:-}` on."""
    assert load(ZATO_SERVER_CERTIFICATE="").certificate is None


def test_a_secret_is_read_from_the_file_that_a_variable_names(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("s3cr3t\n")
    assert load(ZATO_SERVER_TOKEN_FILE=str(secret)).token == "s3cr3t"


def test_a_value_given_directly_wins_over_the_file_that_a_variable_names() -> None:
    assert load(ZATO_SERVER_TOKEN="direct", ZATO_SERVER_TOKEN_FILE="/not/there").token == "direct"


def test_a_secret_file_that_is_missing_is_named_with_its_variable() -> None:
    with pytest.raises(InvalidOptions, match=r"ZATO_SERVER_TOKEN_FILE: /not/there cannot be read: No such file"):
        load(ZATO_SERVER_TOKEN_FILE="/not/there")


def test_a_settings_file_that_is_missing_is_named(file: Path) -> None:
    with pytest.raises(InvalidOptions, match=r"server\.toml cannot be read: No such file"):
        load(file)


def test_a_file_that_is_no_toml_is_named_with_the_place(file: Path) -> None:
    file.write_text("workers = 3\nhost = oops")
    with pytest.raises(InvalidOptions, match=r"server\.toml is not valid TOML: .*line 2"):
        load(file)


def test_files_that_are_no_text_are_named(file: Path) -> None:
    file.write_bytes(b"host = '\xff\xfe'")
    with pytest.raises(InvalidOptions, match=r"server\.toml is not UTF-8 text"):
        load(file)
    with pytest.raises(InvalidOptions, match=r"ZATO_SERVER_TOKEN_FILE: .*server\.toml is not UTF-8 text"):
        load(ZATO_SERVER_TOKEN_FILE=str(file))


def test_all_that_is_wrong_is_told_at_once_whichever_source_it_is_from(file: Path) -> None:
    file.write_text('hots = "127.0.0.1"')
    with pytest.raises(InvalidOptions) as raised:
        load(file, ZATO_SERVER_WORKERS="none")
    assert str(raised.value) == (
        "settings of server: 'hots' there is no such option, did you mean 'host'?; 'workers' takes a whole number, not 'none'"
    )


def test_settings_are_shown_with_secrets_masked() -> None:
    shown = describe_settings(load(ZATO_SERVER_TOKEN="hunter2"))
    assert shown == {"workers": 2, "host": "127.0.0.1", "folder": "var", "certificate": None, "token": "******"}
    assert describe_settings(load())["token"] == ""
