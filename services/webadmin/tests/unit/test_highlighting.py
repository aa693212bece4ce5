"""Code and messages in colours."""

from zato.webadmin.highlighting import coloured, pretty


def test_what_looks_like_html_stays_text() -> None:
    for language in ("python", "json", "xml", "text", "traceback"):
        assert "<script>" not in coloured("<script>alert(1)</script>", language, has_lines=True)


def test_each_line_has_an_element_of_its_own() -> None:
    html = coloured('x = """a\nb"""\n', "python", has_lines=True)
    assert [line.startswith(f'<span id="L-{number}">') for number, line in enumerate(html.split("\n"), 1)] == [True, True]


def test_messages_are_indented() -> None:
    assert pretty('{"a":[1]}') == ('{\n  "a": [\n    1\n  ]\n}', "json")
    assert pretty("<a><b>1</b></a>")[0].splitlines()[1:] == ["<a>", "  <b>1</b>", "</a>"]


def test_what_is_no_message_stays_as_it_is() -> None:
    bomb = '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'
    assert pretty(bomb) == (bomb, "text")
    assert pretty("{broken") == ("{broken", "text")
    assert pretty("<a>") == ("<a>", "xml")
