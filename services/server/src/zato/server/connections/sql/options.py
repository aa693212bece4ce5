"""Options of an outgoing SQL connection."""

from collections.abc import Callable, Mapping
from typing import Any

from zato.common.options import option, options

ENGINES = ("postgresql", "mysql", "sqlite", "oracle")


def _yes_or_no(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("true or false")
    return text.lower() == "true"


# What `extra` may say to SQLAlchemy itself; everything else in it is for the driver.
ENGINE_OPTIONS: Mapping[str, Callable[[str], Any]] = {
    "echo": _yes_or_no,
    "isolation_level": str,
    "max_overflow": int,
    "pool_pre_ping": _yes_or_no,
    "pool_recycle": int,
    "pool_timeout": float,
    "pool_use_lifo": _yes_or_no,
}


@options
class OutgoingSQLOptions:
    """A database, and who we are to it."""

    engine: str = option("Which database it is; mysql is MariaDB too", choices=ENGINES)
    db_name: str = option("Name of the database; with SQLite the path of its file, with Oracle the service name")
    host: str = option("Host of the database", default="")
    port: int = option("Port; 0 for the database's usual one", default=0, minimum=0, maximum=65535)
    username: str = option("Who we are", default="")
    password: str = option("Password of that user", default="", secret=True)
    pool_size: int = option("Connections that a worker keeps open", default=4, minimum=1)
    connect_timeout_s: float = option("Seconds to wait for the database to take a connection", default=5.0, minimum=0.1)
    statement_timeout_s: float = option("Seconds that a statement may take; 0 for any time", default=300.0, minimum=0)
    ping_query: str = option("What a ping asks; SELECT 1, or what the database has for it, when empty", default="")
    extra: str = option(
        "Lines of key=value: sslmode=require and the like for the driver, pool_recycle=600 for the pool", default=""
    )

    def __post_init__(self) -> None:
        if self.engine != "sqlite" and not self.host:
            raise ValueError(f"'host' is required with the engine {self.engine}")
        if not self.db_name:
            raise ValueError("'db_name' must not be empty")
        if self.engine == "sqlite" and self.db_name == ":memory:":
            raise ValueError("'db_name' takes the path of a file: what is in memory only is not shared by connections")
        if extra_options(self.extra)[1] and self.engine == "sqlite":
            raise ValueError(f"'extra' takes {', '.join(ENGINE_OPTIONS)} with SQLite, whose driver has no options")


def extra_options(extra: str) -> tuple[dict[str, Any], dict[str, str]]:
    """
    Return what `extra` says to SQLAlchemy, and to the driver.

    Raises:
        ValueError: Names the line that is no key=value, or the value that does not fit.
    """
    engine: dict[str, Any] = {}
    driver: dict[str, str] = {}
    for line in filter(None, map(str.strip, extra.splitlines())):
        key, equals, value = (part.strip() for part in line.partition("="))
        if not key.isidentifier() or not equals:
            raise ValueError(f"'extra' takes lines of key=value, not {line[:80]!r}")
        if key not in ENGINE_OPTIONS:
            driver[key] = value
            continue
        try:
            engine[key] = ENGINE_OPTIONS[key](value)
        except ValueError:
            raise ValueError(f"'extra': '{key}' does not take {value[:80]!r}") from None
    return engine, driver
