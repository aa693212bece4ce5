"""Numbers over time, and shares of a whole, as characters: they work in a pipe too."""

from collections.abc import Sequence
from itertools import pairwise

_STEPS = "▁▂▃▄▅▆▇█"
_FULL, _EMPTY = "█", "░"


def sparkline(values: Sequence[float], width: int = 40) -> str:
    """
    Return a line as wide as there are values, or `width`: then each character is the largest of several.

    What is nothing is a blank; the largest is the full height.
    """
    shown = [max(part) for part in _parts(values, width)]
    top = max(shown, default=0.0)
    if top <= 0:
        return " " * len(shown)
    return "".join(_STEPS[min(7, int(value / top * 8))] if value > 0 else " " for value in shown)


def _parts(values: Sequence[float], width: int) -> list[Sequence[float]]:
    if len(values) <= width:
        return [[value] for value in values]
    edges = [round(index * len(values) / width) for index in range(width + 1)]
    return [values[start:stop] for start, stop in pairwise(edges)]


def bar(percent: float, width: int = 10) -> str:
    """Return a bar that is full at 100."""
    count = min(width, max(0, round(percent / 100 * width)))
    return _FULL * count + _EMPTY * (width - count)
