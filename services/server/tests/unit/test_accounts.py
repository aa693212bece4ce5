"""Roles, and the second factor."""

import base64
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from zato.common.errors import AlreadyExists, BadRequest, Forbidden
from zato.common.secrets import SecretBox, generate_key
from zato.server.accounts.accounts import Accounts
from zato.server.accounts.roles import Role, check_method, check_service, role_named
from zato.server.accounts.second_factor import STEP_S, code_at, enrolment_url, matching_step, new_key
from zato.server.accounts.tokens import PREFIX, digest, new_token
from zato.server.admin.services import least_role
from zato.server.control.changes import Author
from zato.server.odb import schema
from zato.server.odb.database import Database
from zato.server.service import Service

# RFC 6238, appendix B, with SHA-1: the last six of its eight digits.
RFC_KEY = base64.b32encode(b"12345678901234567890").decode()
RFC_CODES = [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (2000000000, "279037"), (20000000000, "353130")]


@pytest.mark.parametrize(("moment", "code"), RFC_CODES)
def test_codes_are_those_of_the_rfc(moment: int, code: str) -> None:
    assert code_at(RFC_KEY, moment) == code


def test_a_code_is_good_for_its_step_and_those_beside_it_and_once() -> None:
    key, now = new_key(), 1_800_000_000
    for seconds, is_good in [(0, True), (STEP_S, True), (-STEP_S, True), (2 * STEP_S, False), (-2 * STEP_S, False)]:
        assert (matching_step(key, code_at(key, now + seconds), now, 0) is not None) == is_good, seconds
    step = matching_step(key, code_at(key, now), now, 0)
    assert step == now // STEP_S
    assert matching_step(key, code_at(key, now), now, step) is None
    assert matching_step(key, "", now, 0) is None
    assert matching_step(key, "12345x", now, 0) is None
    assert matching_step(key, "１２３４５６", now, 0) is None


def test_an_authenticator_is_told_key_account_and_cluster() -> None:
    url = enrolment_url("ABC", "ann", "my cluster")
    assert url == "otpauth://totp/Zato%20my%20cluster%3Aann?secret=ABC&issuer=Zato+my+cluster"


def test_tokens_are_long_told_apart_and_kept_as_digests() -> None:
    first, second = new_token(), new_token()
    assert first != second and first.startswith(PREFIX) and len(first) > 40
    assert digest(first) != digest(second) and first not in digest(first)


@pytest.mark.parametrize("wanted", Role)
def test_a_service_is_for_its_role_and_those_above(wanted: Role) -> None:
    for each in Role:
        if each >= wanted:
            check_service("zato.x.y", wanted, each)
        else:
            with pytest.raises(Forbidden, match=f"takes the role {wanted.label}; yours is {each.label}"):
                check_service("zato.x.y", wanted, each)


def test_a_service_of_the_platform_that_says_no_role_is_for_administrators_and_one_of_users_for_developers() -> None:
    class Silent(Service):
        def handle(self) -> None: ...

    class Open(Silent):
        least_role = Role.VIEWER

    assert least_role("zato.what-nobody-has-heard-of.yet", Silent) is Role.ADMIN
    assert least_role("zato.open", Open) is Role.VIEWER
    assert least_role("my.service", Silent) is least_role("my.service", Open) is Role.DEVELOPER


def test_before_the_password_is_changed_nothing_else_is_allowed() -> None:
    check_service("zato.account.change-own-password", Role.VIEWER, Role.VIEWER, must_change_password=True)
    with pytest.raises(Forbidden, match="password has to be changed"):
        check_service("zato.channel-http.get-list", Role.VIEWER, Role.ADMIN, must_change_password=True)


def test_methods_that_only_parts_use_are_for_nobody_else() -> None:
    check_method("ControlPlane/Deploy", Role.DEPLOYER)
    with pytest.raises(Forbidden, match="password has to be changed"):
        check_method("ControlPlane/Deploy", Role.ADMIN, must_change_password=True)
    check_method("Accounts/SignOut", Role.VIEWER, must_change_password=True)
    for method in ("ControlPlane/Watch", "ControlPlane/RegisterKinds", "Jobs/Claim", "Future/Method"):
        with pytest.raises(Forbidden, match="parts of the cluster only"):
            check_method(method, Role.ADMIN)


def test_a_role_is_named_or_the_names_are_told() -> None:
    assert role_named("deployer") is Role.DEPLOYER
    with pytest.raises(BadRequest, match="viewer, operator, developer, deployer, admin, not 'root'"):
        role_named("root")
    assert all(role.help for role in Role)


def test_only_a_name_that_is_taken_is_said_to_be_taken(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/odb.db")
    schema.upgrade(database)
    accounts = Accounts(database, SecretBox([generate_key()]), "a cluster")
    wanted, author = {"name": "ann", "role": "viewer"}, Author("bob", "the-cid")
    accounts.create(wanted, author)
    with pytest.raises(AlreadyExists, match="There is an account 'ann' already"):
        accounts.create(wanted, author)
    with database.transaction() as session:
        session.execute(text("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'it is full'); END"))
    with pytest.raises(IntegrityError, match="it is full"):
        accounts.create({**wanted, "name": "carl"}, author)
    assert [each["name"] for each in accounts.get_list()] == ["ann"]
