"""A part with one port."""

from pathlib import Path

from zato.common.cli.parts import Part
from zato.common.lifecycle.probes import http_status
from zato.common.options import option, options


@options
class PlainSettings:
    address: str = option("Where it listens, host:port", default="127.0.0.1:0")
    habit: str = option(
        "What it does wrong", default="none", choices=("none", "dies", "never-ready", "ignores-sigterm", "has-workers")
    )
    workers: int = option("How many, 100% of them idle", default=2, minimum=1)
    is_loud: bool = option("Whether it is loud", default=False)
    tags: tuple[str, ...] = option("Labels", default=())
    data_folder: Path = option("Where it keeps data", default=Path("data"))
    greeting: str = option("What it says at the start")
    token: str = option("What callers have to show", secret=True)
    database_url: str = option("Where the data is", default="sqlite://", secret=True)


PART = Part(
    name="plain",
    module="fake_parts.plain_main",
    settings=PlainSettings,
    addresses=lambda settings: {"http": settings.address},
    is_ready=lambda settings: http_status(settings.address, "/") == 200,
)
