"""Options of an outgoing SQL connection."""

from zato.common.options import option, options


@options
class OutgoingSQLOptions:
    """A database, and who we are to it."""

    engine: str = option("Which database it is", choices=("postgresql", "sqlite"))
    db_name: str = option("Name of the database; with SQLite the path of its file")
    host: str = option("Host of the database", default="")
    port: int = option("Port; 0 for the database's usual one", default=0, minimum=0, maximum=65535)
    username: str = option("Who we are", default="")
    password: str = option("Password of that user", default="", secret=True)
    pool_size: int = option("Connections that a worker keeps open", default=4, minimum=1)

    def __post_init__(self) -> None:
        if self.engine == "postgresql" and not self.host:
            raise ValueError("'host' is required with the engine postgresql")
