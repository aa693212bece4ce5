import pytest
from hypothesis import given
from hypothesis import strategies as st

from zato.common.secrets import CannotDecrypt, SecretBox, generate_key, generate_password, generate_token

OLD, NEW = generate_key(), generate_key()


@given(st.text())
def test_what_is_encrypted_comes_back(secret: str) -> None:
    box = SecretBox([NEW])
    assert box.decrypt(box.encrypt(secret)) == secret


def test_the_stored_form_shows_nothing_and_is_never_the_same() -> None:
    box = SecretBox([NEW])
    assert "hunter2" not in box.encrypt("hunter2")
    assert box.encrypt("hunter2") != box.encrypt("hunter2")


def test_after_a_change_of_keys_both_the_old_and_the_new_can_be_read() -> None:
    stored = SecretBox([OLD]).encrypt("hunter2")
    box = SecretBox([NEW, OLD])
    assert box.decrypt(stored) == "hunter2"
    assert SecretBox([NEW]).decrypt(box.encrypt("hunter3")) == "hunter3"


def test_without_its_key_a_secret_can_not_be_read() -> None:
    stored = SecretBox([OLD]).encrypt("hunter2")
    with pytest.raises(CannotDecrypt, match="was the cluster's secret key changed"):
        SecretBox([NEW]).decrypt(stored)


STORED = SecretBox([NEW]).encrypt("hunter2")
# The other way to write the same six bits.
ALIASES = {"-": "+", "_": "/"}


@given(st.data())
def test_a_single_changed_character_is_noticed(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(STORED.rstrip("=")) - 2))  # of the last one some bits carry nothing
    same = {STORED[at], ALIASES.get(STORED[at])}
    changed = data.draw(st.characters().filter(lambda character: character not in same))
    with pytest.raises(CannotDecrypt):
        SecretBox([NEW]).decrypt(STORED[:at] + changed + STORED[at + 1 :])


@pytest.mark.parametrize("stored", ["", "gAAAA", "zażółć", "\0", "plain text"])
def test_what_was_never_encrypted_is_refused(stored: str) -> None:
    with pytest.raises(CannotDecrypt):
        SecretBox([NEW]).decrypt(stored)


@pytest.mark.parametrize("keys", [[], [""], ["short"], [NEW, "zażółć"], ["x" * 44]])
def test_a_bad_key_is_refused_at_once_and_not_repeated(keys: list[str]) -> None:
    with pytest.raises(CannotDecrypt, match="'zato create secret-key' prints") as raised:
        SecretBox(keys)
    assert not any(key in str(raised.value) for key in keys if key)


def test_passwords_are_long_readable_and_never_the_same() -> None:
    passwords = {generate_password() for _ in range(100)}
    assert len(passwords) == 100
    assert all(len(password) == 23 and not set("01loIO") & set(password) for password in passwords)


def test_tokens_fit_into_a_url_and_are_never_the_same() -> None:
    tokens = {generate_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token) == 43 and token.replace("-", "").replace("_", "").isalnum() for token in tokens)
