"""The folder of a part: how it is made, read and changed."""

import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zato.common.cli.parts import Part
from zato.common.errors import AlreadyExists, InvalidOptions, NotFound
from zato.common.lifecycle.folders import PartFolder, create_folder, open_folder, read_secret, update_settings, write_secret
from zato.common.lifecycle.toml import toml_document, toml_value
from zato.common.options import option, options
from zato.common.secrets import SecretBox


@options
class Settings:
    address: str = option("Where it listens", default="127.0.0.1:1")
    mode: str = option("How it works", default="fast", choices=("fast", "safe"))
    workers: int = option("Processes", default=2, minimum=1)
    tags: tuple[str, ...] = option("Labels", default=())
    data_folder: Path = option("Where data is", default=Path("data"))
    certificate: Path | None = option("Certificate", default=None)
    token: str = option("Token", secret=True)
    secret_key: str = option("Key", secret=True)
    stats_password: str = option("Password", secret=True)
    database_url: str = option("Where the data is", default="sqlite://", secret=True)
    proxy_password: str = option("Password of a proxy, if there is one", default="", secret=True)


PART = Part("thing", "thing", Settings, lambda settings: {"http": settings.address}, lambda settings: True)


def create(path: Path, **values: object) -> PartFolder:
    return create_folder(PART, path, values, version="1.0")


def settings_of(folder: PartFolder) -> Settings:
    settings: Settings = folder.load_settings(PART, {})
    return settings


def test_a_new_folder_has_all_settings_with_their_meaning_and_those_given_in_force(tmp_path: Path) -> None:
    folder = create(tmp_path / "a" / "b", workers=5, tags=["x", "y"])
    text = folder.settings_file.read_text()
    assert "# Processes.\nworkers = 5\n" in text
    assert "# How it works. One of: 'fast', 'safe'.\n# mode = \"fast\"\n" in text
    assert settings_of(folder).workers == 5
    assert settings_of(folder).tags == ("x", "y")
    assert open_folder(tmp_path / "a" / "b") == folder


def test_paths_are_relative_to_the_folder_even_when_they_are_the_default(tmp_path: Path) -> None:
    folder = create(tmp_path / "part")
    assert settings_of(folder).data_folder == tmp_path / "part" / "data"
    assert settings_of(folder).certificate is None


def test_secrets_are_generated_for_what_they_are_and_kept_from_others(tmp_path: Path) -> None:
    first, second = settings_of(create(tmp_path / "a")), settings_of(create(tmp_path / "b"))
    assert first.token != second.token
    assert first.stats_password.count("-") == 3
    assert SecretBox([first.secret_key]).decrypt(SecretBox([first.secret_key]).encrypt("x")) == "x"
    file = tmp_path / "a" / "secrets.toml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    assert first.token not in (tmp_path / "a" / "settings.toml").read_text()


def test_secrets_that_have_a_default_are_not_made_up(tmp_path: Path) -> None:
    folder = create(tmp_path / "part")
    assert set(tomllib.loads(folder.secrets_file.read_text())) == {"token", "secret_key", "stats_password"}
    assert settings_of(folder).proxy_password == ""


def test_nothing_is_written_when_a_value_does_not_fit(tmp_path: Path) -> None:
    with pytest.raises(InvalidOptions, match="'workers' takes a whole number of at least 1, not 0"):
        create(tmp_path / "part", workers=0)
    assert not (tmp_path / "part").exists()


def test_a_folder_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AlreadyExists, match="is not empty"):
        create(tmp_path)
    with pytest.raises(AlreadyExists, match="is a file"):
        create(tmp_path / "file")


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    assert create(tmp_path).path == tmp_path


def test_what_is_no_part_is_explained(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="There is no folder"):
        open_folder(tmp_path / "nowhere")
    with pytest.raises(NotFound, match=r"there is no part.toml in it"):
        open_folder(tmp_path)
    (tmp_path / "part.toml").write_text("colour = 1\n")
    with pytest.raises(InvalidOptions, match="is damaged"):
        open_folder(tmp_path)


def test_a_change_keeps_comments_and_everything_else(tmp_path: Path) -> None:
    folder = create(tmp_path / "part", workers=5)
    text = folder.settings_file.read_text().replace("workers = 5", "workers = 5  # five is enough")
    folder.settings_file.write_text(text + "\n# my own remark\n")
    token = settings_of(folder).token
    update_settings(folder, {"address": "127.0.0.1:2", "mode": "safe", "token": "new"})
    assert settings_of(folder).address == "127.0.0.1:2"
    assert settings_of(folder).mode == "safe"
    assert settings_of(folder).token == "new" != token
    changed = folder.settings_file.read_text()
    assert "workers = 5  # five is enough" in changed
    assert changed.endswith("\n# my own remark\n")
    assert changed.count("mode =") == 1
    assert stat.S_IMODE(folder.secrets_file.stat().st_mode) == 0o600


def test_a_setting_that_the_file_does_not_have_is_added(tmp_path: Path) -> None:
    folder = create(tmp_path / "part")
    folder.settings_file.write_text("")
    update_settings(folder, {"workers": 3})
    assert settings_of(folder).workers == 3


def test_a_setting_that_cannot_be_changed_by_line_is_left_to_its_owner(tmp_path: Path) -> None:
    folder = create(tmp_path / "part")
    folder.settings_file.write_text('tags = [\n  "a",\n]\n')
    with pytest.raises(InvalidOptions, match="by hand"):
        update_settings(folder, {"tags": ["b"]})
    assert settings_of(folder).tags == ("a",)


def test_a_secret_is_read_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("abc\n")
    assert read_secret(file) == "abc"
    file.write_text(" \n")
    with pytest.raises(InvalidOptions, match="is empty"):
        read_secret(file)
    with pytest.raises(InvalidOptions, match="No such file"):
        read_secret(tmp_path / "nowhere")


def test_a_secret_file_is_never_readable_by_others_even_if_it_was(tmp_path: Path) -> None:
    file = tmp_path / "secrets.toml"
    file.write_text("old")
    file.chmod(0o644)
    write_secret(file, "new")
    assert file.read_text() == "new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


VALUES = (
    st.text(st.characters(exclude_categories=["Cs"]))
    | st.integers(-(2**63), 2**63 - 1)
    | st.booleans()
    | st.floats(allow_nan=False)
)


@given(VALUES | st.lists(VALUES))
def test_whatever_is_written_as_toml_is_read_back_the_same(value: object) -> None:
    assert tomllib.loads(f"x = {toml_value(value)}")["x"] == value


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), VALUES))
def test_keys_of_every_form_are_read_back_the_same(values: dict[str, object]) -> None:
    assert tomllib.loads(toml_document(values)) == values


def test_tables_are_written_after_the_values() -> None:
    text = toml_document({"name": "demo"}, {"parts": [{"name": "redis"}, {"name": "server1"}]})
    assert tomllib.loads(text) == {"name": "demo", "parts": [{"name": "redis"}, {"name": "server1"}]}
