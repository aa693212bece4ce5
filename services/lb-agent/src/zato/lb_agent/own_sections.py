"""Sections of HAProxy's configuration that are the user's own: kept in a file, added below the agent's."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from zato.common.errors import BadRequest, InvalidOptions
from zato.lb_agent.config import LBAgentSettings

DEFAULT_FILE = "own-sections.cfg"
_MAX_CHARACTERS = 256_000
# What may come over the network. "global" and "program" would let who edits run programs on this machine; they are for
# those who can write the file.
_SECTIONS = (
    *("backend", "cache", "defaults", "fcgi-app", "frontend", "http-errors", "listen", "mailers", "peers", "resolvers"),
    *("ring", "userlist"),
)
_KEYWORDS = frozenset({*_SECTIONS, "global", "program", "log-forward", "crt-store", "traces"})


@dataclass(frozen=True, slots=True)
class OwnSections:
    """
    Args:
        file: Where they are kept.
        text: As HAProxy reads them; "" when there are none.
    """

    file: Path
    text: str = ""

    @property
    def revision(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]


def read_sections(settings: LBAgentSettings) -> OwnSections:
    """Raises InvalidOptions when a file that the settings name can't be read."""
    file = settings.extra_config_file or settings.work_folder.absolute() / DEFAULT_FILE
    try:
        return OwnSections(file, file.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        if settings.extra_config_file is None:
            return OwnSections(file)
        raise _unreadable(file, exc) from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise _unreadable(file, exc) from exc


def _unreadable(file: Path, error: Exception) -> InvalidOptions:
    return InvalidOptions(f"'extra_config_file' {file} cannot be read: {error}")


def write_sections(sections: OwnSections) -> None:
    """Replace the file as a whole. Raises BadRequest when that can't be done."""
    new = sections.file.with_name(f"{sections.file.name}.new")
    try:
        new.write_text(sections.text, encoding="utf-8")
        os.replace(new, sections.file)
    except OSError as exc:
        raise BadRequest(f"File {sections.file} cannot be written, so nothing was changed: {exc.strerror}") from exc


def check_sections(text: str) -> None:
    """
    Raises:
        BadRequest: Something in it is not for editing from elsewhere. HAProxy checks all the rest.
    """
    if len(text) > _MAX_CHARACTERS:
        raise BadRequest(f"Sections of your own have at most {_MAX_CHARACTERS:,} characters, not {len(text):,}")
    is_in_section = False
    for number, line in enumerate(text.splitlines(), 1):
        word = _first_word(line)
        if word in _KEYWORDS and word not in _SECTIONS:
            raise BadRequest(
                f"Line {number}: section '{word}' can only be given in the file of 'extra_config_file', on the load-balancer's"
                f" machine; here there may be {', '.join(_SECTIONS)}"
            )
        is_in_section = is_in_section or word in _SECTIONS
        if word and not is_in_section:
            raise BadRequest(
                f"Line {number}: '{word:.40}' stands in no section; begin with one, e.g. 'frontend partners'. Sections are"
                f" {', '.join(_SECTIONS)}"
            )


def _first_word(line: str) -> str:
    """As HAProxy reads it, which takes quotes and backslashes out of words before it looks at them."""
    words = line.translate(_QUOTES).split("#", 1)[0].split(maxsplit=1)
    return words[0] if words else ""


_QUOTES = str.maketrans("", "", "\"'\\")
