"""The acknowledged protocol, as others have to implement it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zato.connector_zmq.acknowledged import ACK, MSG, NAK, Frames, decode, refusal


@pytest.mark.parametrize("kind", [MSG, ACK, NAK])
def test_frames_survive_the_way(kind: bytes) -> None:
    made = Frames(kind, "żółw", b"\x00body")
    assert decode(made.encode()) == made


def test_a_message_looks_as_documented() -> None:
    assert Frames(MSG, "a1", b"body").encode() == [b"ZATO1", b"MSG", b"a1", b"body"]


@given(st.lists(st.binary(max_size=220) | st.sampled_from([b"ZATO1", b"MSG", b"ACK"]), max_size=6))
def test_whatever_comes_is_decoded_as_it_is_or_refused(frames: list[bytes]) -> None:
    is_ours = len(frames) == 4 and frames[0] == b"ZATO1" and frames[1] in (MSG, ACK, NAK)
    try:
        decoded = decode(frames)
    except ValueError:
        return
    assert is_ours
    assert decoded.encode() == frames


def test_what_is_refused_is_answered_with_its_id_and_the_reason_unless_it_is_an_answer() -> None:
    assert refusal([b"ZATO1", b"MSG", b"a1", b"body", b"more"], "too many") == [b"ZATO1", b"NAK", b"a1", b"too many"]
    assert refusal([b"hello"], "too few") == [b"ZATO1", b"NAK", b"", b"too few"]
    assert refusal([b"ZATO1", b"NAK", b"a1", b"why"], "only MSG") is None
