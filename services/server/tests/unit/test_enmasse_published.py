"""Files as they were published for 2.0 and 3.x, and the tables that they are read by."""

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from zato.common.options import declared_options
from zato.server.enmasse.files import read_files
from zato.server.enmasse.findings import ERROR, SKIPPED, WARNING, Findings
from zato.server.enmasse.published import SECTIONS, ByType, PublishedKind
from zato.server.enmasse.references import References
from zato.server.enmasse.wanted import FileObject, readable_sections, wanted_objects
from zato.server.kinds import own_kinds

KINDS = {kind.name: kind for kind in own_kinds()}
# Other parts register these.
FOREIGN = {
    "scheduler-job",
    *(f"{what}-{of}" for what in ("definition", "channel", "outgoing") for of in ("amqp", "jms-wmq", "zmq")),
}


def described() -> list[dict[str, Any]]:
    return [
        MessageToDict(kind.describe(), preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
        for kind in KINDS.values()
    ]


def rows() -> list[Any]:
    found = []
    for section, what in SECTIONS.items():
        kinds = what.kinds.values() if isinstance(what, ByType) else [what]
        found += [pytest.param(kind, id=f"{section}-{kind.kind}") for kind in kinds if isinstance(kind, PublishedKind)]
    return found


@pytest.mark.parametrize("row", rows())
def test_each_row_names_what_there_is(row: PublishedKind) -> None:
    if row.kind in FOREIGN:
        return
    options = {declared.name for declared in declared_options(KINDS[row.kind].options)}
    assert {*row.options.values(), *row.converts, *row.defaults} <= options
    assert {*row.references, *row.names, *row.shows} <= options
    assert not row.meaningless & options - set(row.options)


def read(tmp_path: Path, document: dict[str, Any], **environ: str) -> tuple[dict[str, FileObject], Findings]:
    file = tmp_path / "f.json"
    file.write_text(json.dumps(document))
    findings = Findings()
    kinds = described()
    contents = read_files([file], readable_sections(kinds), findings)
    found = wanted_objects(contents, kinds, References(environ), findings)
    return {each.name: each for each in found}, findings


def test_a_file_of_2_0(tmp_path):
    found, findings = read(
        tmp_path,
        {
            "def_sec": [
                {"type": "basic_auth", "name": "b", "username": "u", "password": "p", "realm": "R", "is_active": True},
                {"type": "tech_acc", "name": "t", "password": "p"},
                {"type": "apikey", "name": "k", "username": "X-Key", "password": "p"},
                {"type": "wss", "name": "w", "username": "u", "password_type": "clear_text"},
            ],
            "channel_plain_http": [
                {"name": "c", "service": "s", "url_path": "/c", "sec_def": "b", "data_format": None, "id": 7, "method": "get"},
                {"name": "open", "service": "s", "url_path": "/o", "sec_def": "zato-no-security"},
            ],
            "outconn_ftp": [{"name": "f", "host": "h", "user": "ftp-user", "dircache": False}],
            "channel_amqp": [{"name": "q"}],
            "channel_web_socket": [{"name": "s"}],
        },
    )
    assert dict(found["c"].values) == {
        "service": "s",
        "url_path": "/c",
        "security": "b",
        "method": "GET",
        "data_format": "",
    }
    assert found["open"].values["security"] == ""
    assert found["k"].values["header"] == "X-Key"
    assert found["f"].values["username"] == "ftp-user"
    assert findings.of(ERROR) == []
    assert [str(finding).partition(": ")[2] for finding in findings.of(SKIPPED)] == [
        "channel_web_socket: there are no objects for WebSockets here yet",
        "channel_amqp 'q': no part of this cluster has registered the kind channel-amqp",
    ]


def test_an_option_without_a_counterpart_is_left_out_and_told(tmp_path):
    found, findings = read(
        tmp_path, {"channel_rest": [{"name": "c", "service": "s", "url_path": "/c", "audit_back_log": 5, "metod": "GET"}]}
    )
    assert dict(found["c"].values) == {"service": "s", "url_path": "/c"}
    assert [finding.text for finding in findings.of(WARNING)] == [
        "channel_rest 'c': 'audit_back_log' has no counterpart in channel-http and is left out",
        "channel_rest 'c': 'metod' has no counterpart in channel-http and is left out, did you mean 'method'?",
    ]


@pytest.mark.parametrize(
    ("text", "is_active"), [("Zato_Enmasse_Env.ON", True), ("Zato_Enmasse_Env.OFF", False), (True, True), (False, False)]
)
def test_whether_it_is_active_may_be_a_variable(tmp_path, text, is_active):
    channel = {"name": "c", "service": "s", "url_path": "/c", "is_active": text}
    found, _ = read(tmp_path, {"channel_rest": [channel]}, ON="True", OFF="False")
    assert found["c"].values["is_active"] is is_active


def test_a_type_that_is_missing_is_an_error_and_an_unknown_one_skipped(tmp_path):
    _, findings = read(tmp_path, {"security": [{"name": "x"}, {"name": "y", "type": "magic"}]})
    assert "security 'x' has no 'type': one of apikey, " in findings.of(ERROR)[0].text
    assert findings.of(SKIPPED)[0].text == "security 'y': there are no objects for 'magic' here yet"


def test_an_object_that_is_there_twice_under_two_names_of_its_kind_is_an_error(tmp_path):
    one = {"name": "d", "type": "mysql+pymysql", "host": "h", "db_name": "d"}
    found, findings = read(tmp_path, {"sql": [one], "outconn_sql": [one]})
    assert found["d"].values["engine"] == "mysql"
    assert "outgoing-sql 'd' is there twice, the first time in" in findings.of(ERROR)[0].text
