"""What templates and scripts are made of, as files."""

import gzip
import re
from pathlib import Path

import zato.webadmin

ROOT = Path(zato.webadmin.__file__).parent
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
ICONS = set(re.findall(r'id="([a-z0-9-]+)"', (ROOT / "static/vendor/lucide/icons.svg").read_text()))
# On ordinary pages: what is written in issue and docs.
_MOST_SCRIPT_BYTES = 100_000


def icons_of(file: Path) -> set[str]:
    """Whatever stands in quotes where an icon is named."""
    text = file.read_text()
    if file.suffix == ".py":
        return set(re.findall(r'Entry\("[^"]+", "[^"]+", "([a-z0-9-]+)"', text))
    first_arguments = re.findall(r"\b(?:icon|empty)\((\{[^}]*\}|[^,()]*)", text)
    # A name, one or the other of two, or one of a table; what these depend on is no icon.
    return {name for each in first_arguments for name in re.findall(r"(?:^|else |: )'([a-z0-9-]+)'", each)}


def test_every_icon_that_is_named_is_there() -> None:
    named = {name: file.name for file in (*TEMPLATES, *(ROOT / "pages").glob("*.py")) for name in icons_of(file)}
    assert len(named) > 30
    assert {name: file for name, file in named.items() if name not in ICONS} == {}


def test_scripts_of_an_ordinary_page_are_small() -> None:
    base = (ROOT / "templates/base.html").read_text()
    scripts = re.findall(r"<script src=\"{{ static\('([^']+)'\) }}\"", base)
    assert len(scripts) == 2
    sent = {name: len(gzip.compress((ROOT / "static" / name).read_bytes())) for name in scripts}
    assert sum(sent.values()) <= _MOST_SCRIPT_BYTES, sent


def test_nothing_is_inline_and_nothing_comes_from_elsewhere() -> None:
    """The policy of content would refuse it, in the browser of whoever meets it first."""
    for file in TEMPLATES:
        text = file.read_text()
        assert not re.search(r"\sstyle=|\son[a-z]+=|<style|<script(?![^>]*\ssrc=)|hx-on|javascript:", text), file
        assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", text), file
