"""Files of objects: what is read from them, and how what is wrong is told."""

from pathlib import Path

import pytest

from zato.server.enmasse.files import Contents, read_files
from zato.server.enmasse.findings import ERROR, Findings
from zato.server.enmasse.references import References, escaped, read_env_file


def read(folder: Path, name: str, text: str) -> tuple[Contents, list[str]]:
    file = folder / name
    file.write_text(text)
    findings = Findings()
    contents = read_files([file], {"a", "b"}, findings)
    return contents, [str(finding).removeprefix(f"{folder}/") for finding in findings.of(ERROR)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("f.yaml", "a:\n- name: one\n  size: 5\n- name: two\n  on_error: stop\n"),
        ("f.json", '{"a": [\n{"name": "one",\n"size": 5},\n{"name": "two",\n"on_error": "stop"}]}'),
        ("f.json", '{"a": [\n{\t"name": "one",\n"size": 5},\n{"name": "two",\n"on_error": "stop"}]}'),
        ("f.toml", '\n[[a]]\nname = "one"\nsize = 5\n[[a]]\non_error = "stop"\nname = "two"\n'),
    ],
)
def test_each_format_says_the_same_with_its_lines(tmp_path, name, text):
    contents, errors = read(tmp_path, name, text)
    assert errors == []
    assert [dict(entry.values) for entry in contents.entries] == [
        {"name": "one", "size": 5},
        {"name": "two", "on_error": "stop"},
    ]
    where = [next(n for n, line in enumerate(text.splitlines(), 1) if word in line) for word in ("size", "on_error")]
    assert [contents.entries[0].lines["size"], contents.entries[1].lines["on_error"]] == where


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("f.yaml", "a:\n- name: [\n", "f.yaml:3: is not valid YAML"),
        ("f.yaml", "a:\n- name: x\n  name: y\n", "f.yaml:3: 'name' is there twice, the first time in line 2"),
        ("f.yaml", "a:\n  name: x\n", "f.yaml:2: 'a' takes a list of objects, each with a name"),
        ("f.yaml", "a: &x\n- *x\n", "f.yaml:"),
        ("f.yaml", "a:\n- text\n", "f.yaml:2: 'a' takes objects with options by their names here"),
        ("f.yaml", "- a\n", "f.yaml:1: a file has kinds at its top"),
        ("f.yaml", "a:\n- name: \x01\n", "f.yaml:2: has a control character"),
        ("f.yaml", "a: !!python/name:os.system\n", "f.yaml"),
        ("f.yaml", "include: nowhere.yaml\n", "nowhere.yaml: cannot be read: No such file"),
        ("f.yaml", "include: no*.yml\n", "f.yaml:1: no file is named like no*.yml"),
        ("f.json", '{"a": [\n{"name": }]}', "f.json:2: is not valid JSON"),
        ("f.toml", "[[a]\n", "f.toml: is not valid TOML"),
        ("f.toml", "a = 1\n", "f.toml: 'a' takes a list of objects"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path, name, text, said):
    _, errors = read(tmp_path, name, text)
    assert len(errors) == 1
    assert errors[0].startswith(said)


def test_sections_that_nobody_reads_may_have_any_form(tmp_path):
    contents, errors = read(tmp_path, "f.yaml", "other: {deep: [1]}\nempty:\na: []\nb: ~\n")
    assert (contents.entries, errors, list(contents.sections)) == ([], [], ["other"])


def test_an_object_of_a_list_may_be_a_file_of_its_own_as_in_2_0(tmp_path):
    (tmp_path / "one.json").write_text('{"name": "one"}')
    contents, errors = read(tmp_path, "f.json", '{"a": ["file://./one.json", {"name": "two"}]}')
    assert ([entry.values["name"] for entry in contents.entries], errors) == (["one", "two"], [])


def test_files_that_include_each_other_are_read_once(tmp_path):
    (tmp_path / "g.yaml").write_text("include: f.yaml\nb: [{name: two}]\n")
    contents, errors = read(tmp_path, "f.yaml", "include: [g.yaml]\na: [{name: one}]\n")
    assert ([entry.values["name"] for entry in contents.entries], errors) == (["two", "one"], [])


def test_a_folder_is_all_its_files(tmp_path):
    (tmp_path / "1.yaml").write_text("a: [{name: one}]\n")
    (tmp_path / "2.toml").write_text('[[a]]\nname = "two"\n')
    (tmp_path / "README.md").write_text("# no objects")
    contents = read_files([tmp_path], {"a"}, Findings())
    assert [entry.values["name"] for entry in contents.entries] == ["one", "two"]


def test_dates_and_versions_stay_as_they_are_written(tmp_path):
    contents, _ = read(tmp_path, "f.yaml", "a:\n- start: 2025-01-02 03:04:05\n  version: 1.10\n")
    assert contents.entries[0].values["start"] == "2025-01-02 03:04:05"
    assert contents.entries[0].texts["version"] == "1.10"


ENVIRON = {"HOST": "h", "ZERO": ""}


@pytest.mark.parametrize(
    ("value", "resolved"),
    [
        ("https://${HOST}:1", "https://h:1"),
        ("${ZERO}", ""),
        ("$HOST", "h"),
        ("Zato_Enmasse_Env.HOST", "h"),
        ("ZatoEnmasseEnv.HOST", "h"),
        ("env:HOST", "h"),
        ("text:env:HOST", "env:HOST"),
        ("$${HOST}", "${HOST}"),
        ("a:b", "a:b"),
        (["${HOST}", 1], ["h", 1]),
        (5, 5),
    ],
)
def test_references_stand_for_what_is_elsewhere(tmp_path, value, resolved):
    assert References(ENVIRON).resolve(value, tmp_path, is_secret=True, is_published=True) == resolved


def test_only_secrets_may_be_named_by_their_place(tmp_path):
    assert References(ENVIRON).resolve("env:HOST", tmp_path) == "env:HOST"
    assert References(ENVIRON).resolve("$HOST", tmp_path) == "$HOST"


def test_a_file_of_a_secret_is_beside_the_one_that_names_it(tmp_path):
    (tmp_path / "crm").write_text("hush\n")
    assert References({}).resolve("file:crm", tmp_path, is_secret=True) == "hush"
    with pytest.raises(ValueError, match="the file nowhere cannot be read: No such file"):
        References({}).resolve("file:nowhere", tmp_path, is_secret=True)


@pytest.mark.parametrize("text", ["${A}", "$${A}", "$$${A}", "${", "a ${A} ${B}"])
def test_what_looks_like_a_variable_can_be_written_all_the_same(tmp_path, text):
    assert References({}).resolve(escaped(text), tmp_path) == text


def test_a_file_of_variables_is_read_as_shells_have_it(tmp_path):
    file = tmp_path / "env"
    file.write_text("# secrets\n[env]\nexport A='x y'\nB=\"1\"\n\nC = =\n")
    assert read_env_file(file) == {"A": "x y", "B": "1", "C": "="}
    file.write_text("nothing\n")
    with pytest.raises(ValueError, match="env:1 takes NAME=VALUE"):
        read_env_file(file)
