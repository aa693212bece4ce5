"""Figures with what they are to be: each benchmark keeps its own, and `bench.report` puts all into docs/benchmarks.md."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER = Path("var/bench/figures")


@dataclass(frozen=True)
class Figure:
    """
    Args:
        target: What it is to be, in words; "" where nothing was asked for.
    """

    name: str
    value: float
    unit: str
    target: str = ""


def file_of(benchmark: str) -> Path:
    return FOLDER / f"{benchmark}.json"


def keep(benchmark: str, figures: Sequence[Figure]) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = json.dumps([asdict(figure) for figure in figures], indent=1, ensure_ascii=False)
    file_of(benchmark).write_text(text)


def kept(benchmark: str) -> list[Figure]:
    """Return what was measured last; nothing when it never was."""
    file = file_of(benchmark)
    return [Figure(**each) for each in json.loads(file.read_text())] if file.exists() else []


def show(figures: Sequence[Figure]) -> None:
    for figure in figures:
        target = f"  (target {figure.target})" if figure.target else ""
        print(f"{figure.name:66} {figure.value:10,.2f} {figure.unit}{target}")
