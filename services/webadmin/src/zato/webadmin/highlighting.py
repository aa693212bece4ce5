"""Code and messages in colours: as HTML of classes, which the stylesheet gives colours in both themes."""

import json
import xml.dom.minidom
from xml.parsers.expat import ExpatError

from markupsafe import Markup
from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers.data import JsonLexer, YamlLexer
from pygments.lexers.html import XmlLexer
from pygments.lexers.python import PythonLexer, PythonTracebackLexer
from pygments.lexers.special import TextLexer

_LEXERS: dict[str, type[Lexer]] = {
    "python": PythonLexer,
    "json": JsonLexer,
    "xml": XmlLexer,
    "yaml": YamlLexer,
    "traceback": PythonTracebackLexer,
    "text": TextLexer,
}
# Colouring takes about a second for each million characters.
_MOST_CHARACTERS = 200_000
# No element spans lines.
_FORMATTER: HtmlFormatter[str] = HtmlFormatter(nowrap=True)


def coloured(text: str, language: str, *, has_lines: bool = False) -> Markup:
    """
    Return the text as HTML for a <pre>.

    Args:
        has_lines: Each line in an element of its own, with the id L-<number>.
    """
    lexer = _LEXERS["text" if len(text) > _MOST_CHARACTERS else language](stripnl=False)
    html = highlight(text, lexer, _FORMATTER)
    if has_lines:
        lines = html.rstrip("\n").split("\n")
        html = "\n".join(f'<span id="L-{number}">{line}</span>' for number, line in enumerate(lines, 1))
    return Markup(html)  # noqa: S704 (Pygments escapes all text)  # nosec B704


def pretty(text: str) -> tuple[str, str]:
    """Return a message as people read it, and its language: JSON and XML with indents, the rest as it is."""
    stripped = text.strip()
    if len(text) > _MOST_CHARACTERS or not stripped:
        return text, "text"
    if stripped[0] in "{[":
        try:
            return json.dumps(json.loads(stripped), indent=2, ensure_ascii=False), "json"
        except ValueError:
            return text, "text"
    # What declares entities might grow without end when it is read.
    if stripped[0] == "<" and "<!DOCTYPE" not in stripped and "<!ENTITY" not in stripped:
        return _pretty_xml(stripped), "xml"
    return text, "text"


def _pretty_xml(text: str) -> str:
    try:
        document = xml.dom.minidom.parseString(text)  # noqa: S318 (no DOCTYPE, so no entities)  # nosec B318
    except (ExpatError, ValueError):
        return text
    lines = document.toprettyxml(indent="  ").splitlines()
    return "\n".join(line for line in lines if line.strip())
