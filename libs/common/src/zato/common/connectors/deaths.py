"""Messages that workers die of: how many deaths connectors and servers take for no chance any more, and what they say then."""

# Fewer can be chance, such as that of servers that are killed twice.
_LEAST = 3


def most_deaths(tries: int) -> int:
    """Return after how many deaths a message is dead whose service is tried so often when it fails."""
    return max(tries, _LEAST)


def killer_reason(deaths: int) -> str:
    return f"Whichever worker had it went away, {deaths} times"
