"""Redis, for services: `self.kvdb`."""

from functools import cached_property
from pathlib import Path
from typing import Any

import redis

from zato.common.errors import NotFound
from zato.common.redis_clients import redis_client

# Nobody waits longer for the platform itself; services may wait as long as they like.
_TIMEOUT_S = 5.0
_TRANSLATION = "zato:kvdb:data-dict:translation:::{}:::{}:::{}:::{}:::{}"


class KeyValueDB:
    """
    Redis: `self.kvdb.conn.get("key")`, or `self.kvdb.get("key")`. Answers are text.

    Args:
        lua_folder: Where `lua_container` finds its programs.
    """

    def __init__(self, url: str, lua_folder: Path | None = None) -> None:
        self._url = url
        self._lua_folder = lua_folder

    @cached_property
    def conn(self) -> "redis.Redis":
        return redis_client(self._url, decode_responses=True)

    @cached_property
    def raw(self) -> "redis.Redis":
        """The same with answers in bytes: for the platform's own use."""
        return redis_client(self._url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S)

    @cached_property
    def lua_container(self) -> "LuaContainer":
        return LuaContainer(self.conn, self._lua_folder)

    def translate(self, system1: str, key1: str, value1: str, system2: str, key2: str, default: Any = "") -> Any:
        """Return what `value1` of one system is called in the other one, as the data dictionary says."""
        name = _TRANSLATION.format(system1, key1, value1, system2, key2)
        value = self.conn.hget(name, "value2")
        return default if value is None else value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.conn, name)


class LuaContainer:
    """
    Lua programs of users, `<name>.lua` in a folder of the server, run inside Redis.

    A changed file is used from the next call on.
    """

    def __init__(self, conn: "redis.Redis", folder: Path | None) -> None:
        self._conn = conn
        self._folder = folder
        self._scripts: dict[str, tuple[int, Any]] = {}

    def run_lua(self, name: str, keys: Any = None, args: Any = None) -> Any:
        """Raises NotFound when there is no such file."""
        return self._script(name)(keys=keys or [], args=args or [])

    def _script(self, name: str) -> Any:
        if self._folder is None or name != Path(name).name:
            raise NotFound(f"There is no Lua program '{name}' on this server")
        path = self._folder / f"{name}.lua"
        try:
            changed_at = path.stat().st_mtime_ns
            if name not in self._scripts or self._scripts[name][0] != changed_at:
                self._scripts[name] = (changed_at, self._conn.register_script(path.read_text()))
        except FileNotFoundError:
            raise NotFound(f"There is no Lua program '{name}': put {name}.lua into {self._folder}") from None
        return self._scripts[name][1]
