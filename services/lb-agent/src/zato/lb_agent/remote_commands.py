"""HAProxy's own commands, of those that only show something."""

from zato.common.errors import BadRequest

# What a command begins with. Others change HAProxy behind the agent's back, or show what is secret: keys of TLS tickets,
# the environment.
ALLOWED = (
    "show activity",
    "show backend",
    "show errors",
    "show events",
    "show info",
    "show peers",
    "show pools",
    "show resolvers",
    "show schema json",
    "show servers conn",
    "show servers state",
    "show sess",
    "show ssl cert",
    "show stat",
    "show table",
    "show threads",
    "show version",
)
MOST_CHARACTERS = 1_000_000
_MAX_COMMAND = 200


def checked(command: str) -> str:
    """
    Return the command as HAProxy is given it.

    Raises:
        BadRequest: It is none that may be run; says which may.
    """
    words = " ".join(command.split())
    # Several commands can stand in one line, and "@1" in front is for another process.
    is_one = words.isprintable() and ";" not in words and "\\" not in words and "<<" not in words
    if not is_one or len(words) > _MAX_COMMAND or not f"{words} ".startswith(tuple(f"{each} " for each in ALLOWED)):
        raise BadRequest(f"{words[:80]!r} is no command that can be run here; there are: {', '.join(ALLOWED)}")
    return words
