"""What may be edited from elsewhere, and where it is kept."""

from pathlib import Path

import pytest

from zato.common.errors import BadRequest, InvalidOptions
from zato.lb_agent.config import LBAgentSettings
from zato.lb_agent.own_sections import OwnSections, check_sections, read_sections, write_sections


def settings(**values: object) -> LBAgentSettings:
    return LBAgentSettings(**{"token": "t", "stats_password": "p", **values})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n# nothing yet\n",
        "frontend mine\n    bind :1\n    # global\n    http-request set-header x global\n",
        "  backend b\nuserlist u\n  user ann password global\n",
    ],
)
def test_sections_that_may_be_edited(text: str) -> None:
    check_sections(text)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("global\n    lua-load /tmp/x.lua\n", "Line 1: section 'global'"),
        ("frontend a\n  bind :1\n\t program p\n  command /bin/sh\n", "Line 3: section 'program'"),
        ('frontend a\n"glo"bal\n', "Line 2: section 'global'"),
        ("frontend a\n\\global\n", "Line 2: section 'global'"),
        ("frontend a\r\n'global' # b\n", "Line 2: section 'global'"),
        ("# first\n    bind :1\n", "Line 2: 'bind' stands in no section"),
        ("x" * 256_001, "at most 256,000 characters"),
    ],
)
def test_sections_that_may_not(text: str, wrong: str) -> None:
    with pytest.raises(BadRequest) as raised:
        check_sections(text)
    assert raised.value.message.startswith(wrong) or wrong in raised.value.message


def test_they_are_kept_in_the_work_folder_unless_the_settings_name_a_file(tmp_path: Path) -> None:
    ours = settings(work_folder=tmp_path)
    assert read_sections(ours).text == ""
    write_sections(OwnSections(read_sections(ours).file, "frontend ü\n"))
    assert read_sections(ours).text == "frontend ü\n"
    assert [file.name for file in tmp_path.iterdir()] == ["own-sections.cfg"]
    with pytest.raises(InvalidOptions, match="'extra_config_file'"):
        read_sections(settings(extra_config_file=tmp_path / "missing.cfg"))


def test_a_file_that_cannot_be_written_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="nothing was changed"):
        write_sections(OwnSections(tmp_path / "missing" / "own.cfg", "x"))


def test_a_revision_is_that_of_the_text() -> None:
    first, second = (OwnSections(Path("a"), text).revision for text in ("", "frontend a\n"))
    assert first != second
    assert OwnSections(Path("b"), "").revision == first
