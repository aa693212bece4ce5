"""`zato ca` and the life of the authority's folder, as people type it."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from running_ca import ADMIN_TOKEN, SECRET_KEY, CAProcess, calling, serving

from zato.ca.containers import prepare_all
from zato.common.certificates.enrolment import enrol
from zato.common.certificates.identity import Identity, new_request
from zato.common.certificates.tokens import parse_token
from zato.common.cli.main import main
from zato.common.rpc.roles import name_of, role_of
from zato.common.testing.processes import free_port

pytestmark = pytest.mark.timeout(90)


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


Zato = Callable[..., Result]


@pytest.fixture
def zato(capsys: pytest.CaptureFixture[str]) -> Zato:
    def run(*arguments: object) -> Result:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


@pytest.fixture
def of(ca: CAProcess, zato: Zato) -> Zato:
    """`zato ca`, told of the authority by its folder."""
    return lambda *arguments: zato("ca", *arguments, "--folder", ca.folder)


def test_a_token_is_made_and_traded_for_files_that_work(of: Zato, zato: Zato, ca: CAProcess, tmp_path: Path) -> None:
    token = of("token", "server9", "--san", "127.0.0.1", "--hours", "2", "--out", tmp_path / "token")
    assert token.code == 0, token.err
    assert (tmp_path / "token").stat().st_mode & 0o077 == 0
    assert (tmp_path / "token").read_text() not in token.out
    enrolled = zato("ca", "enrol", "--token-file", tmp_path / "token", "--out", tmp_path / "id", "--json")
    shown = json.loads(enrolled.out)
    assert (shown["name"], shown["identity"]) == ("server9", str(tmp_path / "id" / "identity.pem"))
    again = zato("ca", "enrol", "--token-file", tmp_path / "token", "--out", tmp_path / "other")
    assert (again.code, "was used already" in again.err) == (1, True)
    identity = Identity(tmp_path / "id")
    with serving(identity) as address, calling(identity, address) as call:
        call()


def test_certificates_are_listed_shown_and_revoked(of: Zato, ca: CAProcess, tmp_path: Path) -> None:
    issued = json.loads(of("issue", "server8", "--san", "server8", "--out", tmp_path / "id", "--json").out)
    listed = of("list", "--name", "server8").out
    assert [line.split()[:5] for line in listed.splitlines() if "server8" in line] == [
        [issued["serial"], "server8", "server8", "part", "valid"]
    ]
    assert "Zato root 1" in listed
    shown = of("show", issued["serial"]).out
    assert "Zato intermediate 1" in shown
    assert "-----BEGIN CERTIFICATE-----" in shown
    revoked = of("revoke", issued["serial"], "--reason", "superseded")
    assert (revoked.code, f"Revoked {issued['serial']}" in revoked.out) == (0, True)
    document = json.loads(of("show", issued["serial"], "--json").out)
    assert (document["state"], document["reason"]) == ("revoked", "superseded")
    nothing = of("revoke", "--name", "server8")
    assert (nothing.code, "nothing valid of 'server8'" in nothing.err) == (1, True)
    assert of("revoke").code == 2


def test_a_request_of_a_key_that_is_elsewhere_is_issued(of: Zato, tmp_path: Path) -> None:
    made = new_request("server7", ("server7",))
    (tmp_path / "csr").write_bytes(made.request)
    issued = of("issue", "server7", "--san", "server7", "--request", tmp_path / "csr", "--out", tmp_path / "id")
    assert issued.code == 0, issued.err
    assert "PRIVATE KEY" not in (tmp_path / "id" / "identity.pem").read_text()
    other = of("issue", "server6", "--san", "server6", "--request", tmp_path / "csr", "--out", tmp_path / "id2")
    assert (other.code, "is for 'server7', granted is 'server6'" in other.err) == (1, True)


def test_state_and_audit_are_shown(of: Zato, ca: CAProcess) -> None:
    state = json.loads(of("state", "--json").out)
    assert {each["name"] for each in state["authorities"]} >= {"Zato root 1", "Zato intermediate 1"}
    assert "certificates valid" in of("state").out
    audit = json.loads(of("audit", "--last", "0", "--json").out)
    assert audit["total"] == len(audit["entries"]) == len(ca.audit())
    assert "the chain is whole" in of("audit").out


def test_an_address_and_a_certificate_do_instead_of_a_folder(zato: Zato, of: Zato, ca: CAProcess, tmp_path: Path) -> None:
    assert of("issue", "operator", "--purpose", "client", "--out", tmp_path / "me").code == 0
    (tmp_path / "token").write_text(ADMIN_TOKEN)
    where = ("--address", ca.grpc, "--admin-token-file", tmp_path / "token", "--identity", tmp_path / "me")
    assert zato("ca", "state", *where).code == 0
    (tmp_path / "token").write_text("wrong")
    refused = zato("ca", "state", *where)
    assert (refused.code, "no valid token" in refused.err) == (1, True)
    incomplete = zato("ca", "state", "--address", ca.grpc)
    assert (incomplete.code, "--identity" in incomplete.err) == (2, True)


def test_created_started_rotated_stopped(zato: Zato, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "ca"
    created = json.loads(zato("ca", "create", folder, "--name", "Demo", "--json").out)
    assert created["authorities"] == ["Demo root 1", "Demo intermediate 1"]
    assert zato("ca", "create", folder).code == 1
    for name in ("GRPC", "ENROL", "HTTP"):
        monkeypatch.setitem(os.environ, f"ZATO_CA_{name}_ADDRESS", f"127.0.0.1:{free_port()}")
    never_started = zato("ca", "state", "--folder", folder)
    assert (never_started.code, "was never started" in never_started.err) == (1, True)
    try:
        started = zato("start", folder)
        assert started.code == 0, started.err
        rotated = json.loads(zato("ca", "rotate", "intermediate", "--folder", folder, "--json").out)
        assert [each["name"] for each in rotated["authorities"]] == ["Demo intermediate 2"]
        root = zato("ca", "rotate", "root", "--folder", folder)
        assert "tokens that were made before go on working" in root.out + root.err
        assert (root.code, "Demo root 2" in root.out) == (0, True)
        again = zato("ca", "rotate", "root", "--folder", folder)
        assert (again.code, "is the next root already" in again.err) == (1, True)
    finally:
        stopped = json.loads(zato("stop", folder, "--json").out)
    assert stopped == {"name": "ca", "part": "ca", "was_running": True, "was_killed": False}


def test_an_organisations_own_authority_is_imported(zato: Zato, tmp_path: Path) -> None:
    import time

    from zato.ca.certificates import Signer, key_pem, make_authority, new_key, pem_of

    root_key, key = new_key(), new_key()
    root = make_authority("Example Root", now=time.time(), lifetime_s=1000, key=root_key, parent=None)
    issuing = make_authority("Example CA", now=time.time(), lifetime_s=1000, key=key, parent=Signer(root, root_key))
    chain, key_file = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(pem_of(issuing) + pem_of(root))
    key_file.write_text(key_pem(key))
    created = zato("ca", "create", tmp_path / "ca", "--certificate", chain, "--key-file", key_file, "--json")
    assert json.loads(created.out)["authorities"] == ["Example Root", "Example CA"]
    kept = b"".join(file.read_bytes() for file in (tmp_path / "ca").rglob("*") if file.is_file())
    assert b"PRIVATE KEY" not in kept
    assert pem_of(x509.load_pem_x509_certificate(pem_of(root))) in kept
    half = zato("ca", "create", tmp_path / "other", "--certificate", chain)
    assert (half.code, "belong together" in half.err) == (2, True)
    assert not (tmp_path / "other").exists()


def test_a_token_that_a_cluster_of_containers_lacks_is_good_at_once_while_the_authority_runs(
    new_ca: Callable[..., CAProcess], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when an upgrade brings a part: `docker-compose up` prepares again, beside an authority that nobody stopped."""
    ca = new_ca().start()
    cluster = tmp_path / "cluster"
    (cluster / "ca").mkdir(parents=True)
    (cluster / "ca" / "token").write_text(ADMIN_TOKEN)
    (cluster / "ca" / "secret_key").write_text(SECRET_KEY)
    monkeypatch.setenv("ZATO_CA_WORK_FOLDER", str(ca.folder / "work"))
    for name, address in (("GRPC", ca.grpc), ("ENROL", ca.enrol_address)):
        monkeypatch.setenv(f"ZATO_CA_{name}_ADDRESS", address)
    assert "connector-mq/enrolment_token" in prepare_all(cluster)
    token = parse_token((cluster / "connector-mq" / "enrolment_token").read_text())
    assert token.is_reusable
    for replica in ("one", "two"):
        enrol(Identity(tmp_path / replica), token, own_name=f"connector-mq.{replica}")
    certificate = Identity(tmp_path / "two").certificate()
    assert certificate is not None
    assert (name_of(certificate), role_of(certificate)) == ("connector-mq.two", "connector")
    assert prepare_all(cluster) == []
