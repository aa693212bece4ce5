"""The examples of docs/simpleio.md do what it says."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from zato.common.errors import BadRequest
from zato.server.packages.package import Package
from zato.server.services.deployer import Deployer
from zato.server.services.store import ServiceStore

PAGE = Path(__file__).resolve().parents[5] / "docs" / "simpleio.md"
EXAMPLES = re.findall(r"```python\n(.*?)```\n```\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.mark.parametrize(("source", "dialogue"), EXAMPLES)
def test_an_example_does_what_the_page_says(call: Any, tmp_path: Path, source: str, dialogue: str) -> None:
    store = ServiceStore()
    [outcome] = Deployer(store, tmp_path).apply([Package("example.py", 1, source.encode())])
    assert outcome.is_ok, outcome.reason
    [entry] = store.entries()
    lines = [(line[:1], line[1:].strip()) for line in dialogue.splitlines()]
    for (_, body), (_, expected) in zip(lines[::2], lines[1::2], strict=True):
        if expected.startswith("400 "):
            with pytest.raises(BadRequest) as raised:
                call(entry.cls, body.encode())
            assert raised.value.message == expected.removeprefix("400 ")
        else:
            assert call(entry.cls, body.encode()).json == json.loads(expected)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == PAGE.read_text().count("```python") == 5
