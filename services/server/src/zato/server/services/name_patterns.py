"""
Which names are allowed, as a server's settings say:

    ["order=true_false", "**=True", "internal.*=False"]

In a pattern `*` stands for anything but slashes, `**` for anything, `?` for one character. With order=true_false what is
True somewhere and False nowhere is allowed; with order=false_true what is True somewhere. A name that fits no pattern is
not allowed; without any pattern all names are.
"""

import re
from collections.abc import Iterable

_ORDER = "order"
_ORDERS = ("true_false", "false_true")
_VALUES = {"true": True, "false": False}
_WILDCARDS = {"**": ".*", "*": "[^/]*", "?": "."}
_PARTS = re.compile(r"(\*\*|\*|\?)")
_MOST_REMEMBERED = 10_000


class NamePatterns:
    """
    Args:
        lines: As above, each `pattern=True`, `pattern=False` or the order, which is true_false unless given.

    Raises:
        ValueError: Says which line is wrong, and what was wanted.
    """

    def __init__(self, lines: Iterable[str] = ()) -> None:
        self._order = _ORDERS[0]
        self._patterns: dict[bool, list[re.Pattern[str]]] = {True: [], False: []}
        self._remembered: dict[str, bool] = {}
        for line in lines:
            self._add(line)
        # Without any pattern nobody has to be asked.
        self.is_restrictive = bool(self._patterns[True] or self._patterns[False])

    def allows(self, name: str) -> bool:
        if not self.is_restrictive:
            return True
        if name not in self._remembered:
            # Names come from requests too: nobody may make us remember without end.
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[name] = self._decide(name)
        return self._remembered[name]

    def _decide(self, name: str) -> bool:
        is_true, is_false = (any(each.fullmatch(name) for each in self._patterns[value]) for value in (True, False))
        return is_true and (self._order == "false_true" or not is_false)

    def _add(self, line: str) -> None:
        pattern, equals, value = (part.strip() for part in line.rpartition("="))
        if pattern == _ORDER and value in _ORDERS:
            self._order = value
        elif equals and pattern and pattern != _ORDER and value.lower() in _VALUES:
            self._patterns[_VALUES[value.lower()]].append(_compile(pattern))
        else:
            raise ValueError(f"takes pattern=True, pattern=False, or order={' or order='.join(_ORDERS)}, not {line!r:.120}")


def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile("".join(_WILDCARDS.get(part, re.escape(part)) for part in _PARTS.split(pattern)), re.DOTALL)
