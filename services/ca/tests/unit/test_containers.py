"""The first start of a cluster of containers: who finds which token where."""

import os
import stat
from pathlib import Path

import pytest
from authority import leaf_of, request_of

from zato.ca import containers
from zato.ca.app import Core
from zato.ca.config import CASettings
from zato.ca.containers import main, prepare_all
from zato.common.certificates.tokens import parse_token
from zato.common.quickstart.containers import NO_ROLE, TOKENS
from zato.common.rpc.roles import role_of


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZATO_CA_WORK_FOLDER", str(tmp_path / "work"))
    monkeypatch.setenv("ZATO_CA_PUBLIC_HOST", "ca")
    made = tmp_path / "cluster"
    made.mkdir()
    return made


def read(file: Path) -> str:
    return file.read_text() if os.access(file, os.R_OK) else ""


def test_each_part_finds_a_token_that_makes_it_what_it_is(folder: Path, tmp_path: Path) -> None:
    assert prepare_all(folder) == [token.file for token in TOKENS]
    secrets = {name: read(folder / "ca" / name) for name in ("token", "secret_key")}
    core = Core(CASettings(work_folder=tmp_path / "work", **secrets))
    try:
        for wanted in TOKENS:
            file = folder / wanted.file
            assert stat.S_IMODE(file.stat().st_mode) == 0o400
            token = parse_token(read(file))
            assert (token.enrol_address, token.address, token.is_reusable) == ("ca:20161", "ca:20160", True)
            for replica in ("one", "two"):
                issued = core.issuing.enrol(token.secret, request_of(f"{token.name}.{replica}", token.alternative_names))
                assert role_of(leaf_of(issued)) == wanted.role.removeprefix(NO_ROLE)
    finally:
        core.store.close()


def test_a_second_start_keeps_the_tokens_while_the_authority_runs(folder: Path, tmp_path: Path) -> None:
    prepare_all(folder)
    before = {token.file: read(folder / token.file) for token in TOKENS}
    secrets = {name: read(folder / "ca" / name) for name in ("token", "secret_key")}
    running = Core(CASettings(work_folder=tmp_path / "work", **secrets))
    try:
        assert prepare_all(folder) == []
    finally:
        running.store.close()
    assert {token.file: read(folder / token.file) for token in TOKENS} == before


def test_a_token_that_is_missing_is_made_again(folder: Path) -> None:
    prepare_all(folder)
    (folder / "scheduler").chmod(0o700)
    (folder / "scheduler" / "enrolment_token").unlink()
    assert prepare_all(folder) == ["scheduler/enrolment_token"]


def test_the_folder_of_servers_that_are_not_ours_is_theirs(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[Path, int] = {}
    monkeypatch.setattr(containers, "give", given.__setitem__)
    assert main([str(folder), "--certificates", str(tmp_path / "certificates")]) == 0
    assert given[tmp_path / "certificates"] == 999
    assert (tmp_path / "certificates").is_dir()


def test_what_keeps_it_from_its_work_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "cluster.toml").write_text("parts = [")
    assert main([str(folder)]) == 1
    assert "damaged" in capsys.readouterr().err
