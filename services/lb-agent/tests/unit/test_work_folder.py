"""The agent's own folder."""

from pathlib import Path

import pytest

from zato.lb_agent.errors import WorkFolderInUse
from zato.lb_agent.work_folder import WorkFolder


def test_files_are_replaced_as_a_whole_and_are_the_owners_only(tmp_path: Path) -> None:
    folder = WorkFolder(tmp_path / "new" / "work")
    folder.write("file", "one")
    folder.write("file", "two")
    assert folder.read("file") == "two"
    assert folder.read("none") == ""
    assert [file.name for file in folder.path.iterdir()] == ["file"]
    assert (folder.path / "file").stat().st_mode & 0o077 == 0


def test_a_folder_is_for_one_agent(tmp_path: Path) -> None:
    first, second = WorkFolder(tmp_path), WorkFolder(tmp_path)
    first.lock()
    with pytest.raises(WorkFolderInUse, match="Another agent runs"):
        second.lock()
    first.unlock()
    second.lock()
    second.unlock()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WorkFolderInUse, match="cannot be made"):
        WorkFolder(tmp_path / "file" / "work")
