import re

from zato.common.cid import new_cid


def test_ids_are_24_hexadecimal_characters_and_never_the_same() -> None:
    made = {new_cid() for _ in range(1000)}
    assert len(made) == 1000
    assert all(re.fullmatch("[0-9a-f]{24}", cid) for cid in made)
