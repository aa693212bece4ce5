import copy
import inspect
import pickle

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zato.common import errors
from zato.common.errors import (
    PUBLIC,
    BadRequest,
    Conflict,
    InternalError,
    InvalidOptions,
    MethodNotAllowed,
    NotFound,
    Unauthorized,
    Unavailable,
    Unreachable,
    WorkerLost,
    ZatoError,
    error_from,
    grpc_code_of,
)
from zato.common.rpc.calls import error_from_call
from zato.common.rpc.details import as_zato_error, error_detail
from zato.proto.errors.v1.errors_pb2 import ErrorDetail

ALL = [cls for cls in vars(errors).values() if inspect.isclass(cls) and issubclass(cls, ZatoError)]


def sent(error: ZatoError) -> ZatoError:
    """Return the error as the other side gets it."""
    detail = ErrorDetail.FromString(error_detail(error, "cid").SerializeToString())
    return error_from(detail.type, detail.message, detail.attributes, error.grpc_code)


@pytest.mark.parametrize("cls", ALL)
def test_every_error_has_a_code_of_both_worlds(cls: type[ZatoError]) -> None:
    assert 400 <= cls.http_status <= 504
    assert grpc.StatusCode[cls.grpc_code]


@pytest.mark.parametrize("cls", ALL)
def test_every_error_is_in_the_tree_atop_its_module(cls: type[ZatoError]) -> None:
    (line,) = (line for line in (errors.__doc__ or "").splitlines() if f" {cls.__name__} " in line)
    assert f" {cls.http_status}  {cls.grpc_code}" in line


@pytest.mark.parametrize("cls", ALL)
def test_every_error_comes_out_as_itself(cls: type[ZatoError]) -> None:
    error = cls("Channel 'orders' does not exist", kind="channel-http", count=3)
    for other in (*([] if cls is Unreachable else [sent(error)]), pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(other) is cls
        assert str(other) == other.message == "Channel 'orders' does not exist"
        assert other.attributes.items() >= {"kind": "channel-http", "count": "3"}.items()


def test_whoever_is_told_that_somebody_else_is_unreachable_does_not_take_it_for_us() -> None:
    error = sent(Unreachable("Nobody answers at connector:1", public="Try again"))
    assert type(error) is Unavailable
    assert (error.message, error.attributes) == ("Nobody answers at connector:1", {PUBLIC: "Try again"})


def test_what_a_class_keeps_beside_its_message_comes_along() -> None:
    unauthorized, not_allowed = sent(Unauthorized("No", challenge="Basic")), sent(MethodNotAllowed("No", allow="GET, HEAD"))
    assert isinstance(unauthorized, Unauthorized)
    assert unauthorized.challenge == "Basic"
    assert isinstance(not_allowed, MethodNotAllowed)
    assert not_allowed.allow == "GET, HEAD"


def test_an_error_of_a_newer_part_becomes_the_nearest_one_by_its_code() -> None:
    error = error_from("QuotaOfNextYear", "Too much", {}, "FAILED_PRECONDITION")
    assert type(error) is Conflict
    assert error.message == "Too much"


def test_an_error_of_a_code_that_we_do_not_map_is_an_internal_one() -> None:
    assert type(error_from("Unknown", "?", {}, "DATA_LOSS")) is InternalError


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "INVALID_ARGUMENT"),
        (401, "UNAUTHENTICATED"),
        (404, "NOT_FOUND"),
        (409, "FAILED_PRECONDITION"),
        (422, "INVALID_ARGUMENT"),
        (500, "INTERNAL"),
        (503, "UNAVAILABLE"),
        (599, "INTERNAL"),
    ],
)
def test_an_error_of_an_unknown_type_is_told_apart_by_its_status(status: int, code: str) -> None:
    assert grpc_code_of(status) == code


def test_an_error_whose_class_asks_for_more_becomes_the_nearest_one_by_its_code() -> None:
    class Picky(NotFound):
        def __init__(self, message: str, *, needed: int) -> None:
            super().__init__(message)

    assert type(error_from("Picky", "Not here", {}, "NOT_FOUND")) is NotFound


@given(st.text(), st.dictionaries(st.text(), st.text()))
def test_any_text_may_be_in_an_error(message: str, attributes: dict[str, str]) -> None:
    error = BadRequest(message, **attributes)
    assert error.attributes == attributes
    assert type(sent(error)) is BadRequest


def test_text_that_is_not_unicode_does_not_keep_an_error_from_the_caller() -> None:
    """A path from the file system, say, that was decoded with surrogates."""
    assert sent(NotFound("no \udcff", **{"path\udcff": "\udcff"})).message == "no ?"


def test_a_long_error_is_cut_to_what_a_grpc_trailer_holds() -> None:
    error = InvalidOptions("bad " * 10_000, **{f"option{number}": "takes text" * 100 for number in range(1000)})
    assert error_detail(error, "cid").ByteSize() < 6_000
    assert sent(error).message.startswith("bad bad")
    assert sent(error).message.endswith("…")


def test_the_callers_learn_nothing_of_what_was_not_raised_for_them() -> None:
    error = as_zato_error(KeyError("password of crm: hunter2"))
    assert type(error) is InternalError
    assert "hunter2" not in str(error) + str(error.attributes)


@pytest.mark.parametrize(
    ("words", "kind"), [("Stream removed (Socket closed)", WorkerLost), ("failed to connect to all addresses", Unreachable)]
)
def test_a_call_that_was_under_way_is_told_from_one_that_nobody_took(words: str, kind: type[ZatoError]) -> None:
    class Failed(grpc.RpcError):
        code = staticmethod(lambda: grpc.StatusCode.UNAVAILABLE)
        details = staticmethod(lambda: words)
        trailing_metadata = staticmethod(lambda: None)

    assert type(error_from_call(Failed(), "server:1")) is kind


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        (grpc.StatusCode.UNAVAILABLE, "Nobody answers at server:1: is it running? (refused)"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "server:1 did not answer in time (refused)"),
        (grpc.StatusCode.CANCELLED, "The call to server:1 was cancelled"),
        (grpc.StatusCode.UNIMPLEMENTED, "server:1: refused"),
    ],
)
def test_what_kept_us_from_the_other_side_is_said_with_its_address(code: grpc.StatusCode, wanted: str) -> None:
    class Failed:
        def code(self) -> grpc.StatusCode:
            return code

        def details(self) -> str:
            return "refused"

        def trailing_metadata(self) -> None:
            return None

    error = error_from_call(Failed(), "server:1")
    assert str(error) == wanted
    assert "server:1" not in error.attributes[PUBLIC] and "refused" not in error.attributes[PUBLIC]
