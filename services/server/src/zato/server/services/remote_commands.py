"""
Commands for Redis that people may give through the admin API.

Those that are listed, and of these not the ones that would write to the keys of the platform itself, beginning with `zato:`:
accepted invocations and statistics are there. The list is the published one, without what would harm: FLUSHDB, which empties
the queue too; CONFIG SET, which writes files; and DEBUG and its like were never on it.
"""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import redis

from zato.common.errors import BadRequest, Forbidden, Unavailable

PLATFORM = "zato:"
_MAX_CHARACTERS = 100_000
_MOST_KEYS = 10_000
NOTHING = "(None)"


@dataclass(frozen=True, slots=True)
class _Command:
    """
    Args:
        keys: Which arguments are keys.
        least: How many arguments there are at least.
    """

    keys: Callable[[Sequence[str]], Sequence[str]]
    least: int
    writes: bool = False


def _none(_arguments: Sequence[str]) -> Sequence[str]:
    return ()


def _first(arguments: Sequence[str]) -> Sequence[str]:
    return arguments[:1]


def _all(arguments: Sequence[str]) -> Sequence[str]:
    return arguments


def _every_other(arguments: Sequence[str]) -> Sequence[str]:
    return arguments[::2]


def _two(arguments: Sequence[str]) -> Sequence[str]:
    return arguments[:2]


def _commands(names: str, keys: Callable[[Sequence[str]], Sequence[str]], least: int, *, writes: bool) -> dict[str, _Command]:
    return {name: _Command(keys, least, writes) for name in names.split()}


COMMANDS: Mapping[str, _Command] = {
    **_commands("DBSIZE PING RANDOMKEY TIME INFO", _none, 0, writes=False),
    **_commands("ECHO KEYS", _none, 1, writes=False),
    **_commands("GET DUMP TYPE TTL PTTL HGETALL HKEYS HLEN HVALS LLEN SMEMBERS", _first, 1, writes=False),
    **_commands("HEXISTS HGET HMGET LINDEX SISMEMBER", _first, 2, writes=False),
    **_commands("LRANGE ZRANGE", _first, 3, writes=False),
    **_commands("EXISTS MGET", _all, 1, writes=False),
    **_commands("DEL", _all, 1, writes=True),
    **_commands("DECR INCR PERSIST LPOP RPOP", _first, 1, writes=True),
    **_commands(
        "DECRBY EXPIRE EXPIREAT HDEL HMSET HSET INCRBY LPUSH LPUSHX PEXPIRE SADD SET SREM ZADD ZREM", _first, 2, writes=True
    ),
    **_commands("HINCRBY HINCRBYFLOAT HSETNX LREM LSET LTRIM PSETEX RESTORE", _first, 3, writes=True),
    **_commands("LINSERT", _first, 4, writes=True),
    **_commands("MSET MSETNX", _every_other, 2, writes=True),
    **_commands("RENAME RENAMENX", _two, 2, writes=True),
}
# With a word behind them: CONFIG GET maxmemory, OBJECT ENCODING key.
_CONFIG_SECRETS = ("requirepass", "masterauth", "tls-key-file-pass", "tls-client-key-file-pass")
_OBJECT_WORDS = ("ENCODING", "FREQ", "IDLETIME", "REFCOUNT")


def names() -> list[str]:
    return sorted([*COMMANDS, "CONFIG GET", *(f"OBJECT {word}" for word in _OBJECT_WORDS)])


def execute(conn: Any, line: str) -> str:
    """
    Run a command as typed, e.g. `SET "my key" 5`, and return its answer as text.

    Args:
        conn: Redis, with answers in bytes.

    Raises:
        BadRequest: It can't be read, is not among those that are allowed, or Redis refuses it.
        Forbidden: It would change what belongs to the platform.
        Unavailable: Redis does not answer.
    """
    words = _split(line)
    name, arguments = words[0].upper(), words[1:]
    try:
        return _shown(_run(conn, name, arguments))
    except redis.ResponseError as exc:
        raise BadRequest(f"Redis refused {name}: {exc}") from exc
    except redis.RedisError as exc:
        raise Unavailable("Redis does not answer") from exc


def _split(line: str) -> list[str]:
    if len(line) > _MAX_CHARACTERS:
        raise BadRequest(f"A command has at most {_MAX_CHARACTERS} characters")
    try:
        words = shlex.split(line)
    except ValueError as exc:
        raise BadRequest(f"The command cannot be read: {exc}") from None
    if not words:
        raise BadRequest("'command' takes a command for Redis, e.g. GET my-key")
    return words


def _run(conn: Any, name: str, arguments: list[str]) -> Any:
    if name == "CONFIG":
        return _config(conn, arguments)
    if name == "OBJECT":
        return _object(conn, arguments)
    command = COMMANDS.get(name)
    if command is None:
        raise BadRequest(f"{name:.40} is not among the commands that can be given here: {', '.join(names())}")
    if len(arguments) < command.least:
        raise BadRequest(f"{name} takes at least {command.least} arguments")
    if command.writes and (ours := [key for key in command.keys(arguments) if key.startswith(PLATFORM)]):
        raise Forbidden(f"'{ours[0]:.100}' belongs to the platform: {name} may not change it")
    if name == "KEYS":
        if len(arguments) > 1:
            raise BadRequest("KEYS takes one pattern, e.g. 'a*': in quotes, or the shell puts names of files in its place")
        return _keys(conn, arguments[0])
    return conn.execute_command(name, *arguments, **{redis.client.NEVER_DECODE: True})


def _keys(conn: Any, pattern: str) -> list[bytes]:
    """In steps: at once it would keep Redis, and so everybody, waiting."""
    found: list[bytes] = []
    for key in conn.scan_iter(match=pattern, count=1000):
        found.append(key)
        if len(found) >= _MOST_KEYS:
            break
    return sorted(found)


def _config(conn: Any, arguments: list[str]) -> Any:
    if len(arguments) != 2 or arguments[0].upper() != "GET":
        raise BadRequest("Of CONFIG there is only CONFIG GET here, with the name of a setting")
    found = conn.execute_command("CONFIG GET", arguments[1])
    pairs = found.items() if isinstance(found, Mapping) else zip(found[::2], found[1::2], strict=True)
    texts = ((_text(name), _text(value)) for name, value in pairs)
    return {name: "******" if name in _CONFIG_SECRETS and value else value for name, value in texts}


def _object(conn: Any, arguments: list[str]) -> Any:
    if len(arguments) != 2 or arguments[0].upper() not in _OBJECT_WORDS:
        raise BadRequest(f"Of OBJECT there are {', '.join(_OBJECT_WORDS)} here, with a key")
    return conn.execute_command("OBJECT", arguments[0].upper(), arguments[1])


def _shown(answer: Any) -> str:
    if answer is None or answer in ([], {}, b""):
        return NOTHING
    if isinstance(answer, Mapping):
        return "\n".join(f"{_text(name)}: {_text(value)}" for name, value in answer.items())
    if isinstance(answer, list | tuple | set):
        values = sorted(answer) if isinstance(answer, set) else answer
        return "\n".join(_text(each) for each in values)
    return _text(answer)


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " ".join(_text(each) for each in value)
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        # What Redis says of what it has done, or has not.
        return "OK" if value else "0"
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)
