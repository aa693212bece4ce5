"""An authority without its doors, with a clock that tests move."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# Tests are no package: what they share is found in their folder.
sys.path.insert(0, str(Path(__file__).parent))

from authority import Authority


@pytest.fixture
def new_authority(tmp_path: Path) -> Iterator[Callable[..., Authority]]:
    made: list[Authority] = []

    def make(**settings: object) -> Authority:
        made.append(Authority(tmp_path / "work", **settings))
        return made[-1]

    yield make
    for authority in made:
        authority.close()


@pytest.fixture
def authority(new_authority: Callable[..., Authority]) -> Authority:
    return new_authority()
