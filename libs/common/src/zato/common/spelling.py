"""What somebody may have meant who wrote a name that there is none of."""

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "", *, likeness: float = 0.6) -> str:
    """
    Return the end of a sentence about an unknown name, e.g. ", did you mean 'orders'?".

    Args:
        otherwise: What is returned when no known name is like it.
        likeness: From 0, anything, to 1, the same.
    """
    # An odd object in a list of known names is none that anybody meant.
    close = difflib.get_close_matches(name, [each for each in known if each], n=1, cutoff=likeness)
    return f", did you mean '{close[0]}'?" if close else otherwise


def or_list(name: str, known: Iterable[str]) -> str:
    """Return the same; where nothing is like it, all that there are."""
    names = sorted(known)
    return did_you_mean(name, names, f"; there are: {', '.join(names)}")
