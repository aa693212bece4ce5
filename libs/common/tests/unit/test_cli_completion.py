"""The scripts of `zato completion`, in a real shell."""

import shutil
import subprocess
from pathlib import Path

import pytest

from zato.common.cli.main import main


@pytest.fixture
def script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["completion", "bash"]) == 0
    file = tmp_path / "zato.bash"
    file.write_text(capsys.readouterr().out)
    return file


def completions(script: Path, *words: str) -> list[str]:
    """Return what bash offers when Tab is pressed after the last of the words."""
    typed = " ".join(f"'{word}'" for word in ("zato", *words))
    commands = f"""
        source {script}
        COMP_WORDS=({typed}); COMP_CWORD={len(words)}
        COMP_LINE="zato {" ".join(words)}"; COMP_POINT=${{#COMP_LINE}}
        $(complete -p zato | sed -E 's/.*-F ([^ ]+).*/\\1/')
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    result = subprocess.run(["bash", "-c", commands], capture_output=True, text=True, timeout=20, cwd=script.parent)
    assert result.returncode == 0, result.stderr
    return [line.strip() for line in result.stdout.splitlines() if line.strip()]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("quick",), {"quickstart"}),
        (("quickstart", "st"), {"start", "stop", "status"}),
        (("quickstart", "create", "--ser"), {"--servers"}),
        (("create", "red"), {"redis"}),
        (("create", "redis", "--password"), {"--password-file"}),
        (("completion", ""), {"bash", "zsh"}),
    ],
)
def test_commands_are_completed_at_every_depth(script: Path, words: tuple[str, ...], offered: set[str]) -> None:
    assert offered <= set(completions(script, *words))


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_folders_are_completed_where_a_folder_is_wanted(script: Path) -> None:
    (script.parent / "my-cluster").mkdir()
    assert "my-cluster" in {found.rstrip("/") for found in completions(script, "start", "my-")}


def test_there_is_a_script_for_zsh(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "zsh"]) == 0
    assert capsys.readouterr().out.startswith("#compdef zato")


def test_another_shell_is_refused_with_those_that_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "fish"]) == 2
    assert "there are: bash, zsh" in capsys.readouterr().err
