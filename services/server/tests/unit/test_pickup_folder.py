"""A look into the pickup folder."""

from pathlib import Path

import pytest

from zato.server.sidecar.pickup import Look


def test_a_folder_that_cannot_be_read_is_not_one_without_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Look.into(tmp_path / "unmounted")


def test_an_empty_folder_is_one_without_files(tmp_path: Path) -> None:
    assert Look.into(tmp_path) == Look({})
