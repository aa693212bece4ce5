"""A server with the admin services that the quickstart uses; what is configured is kept beside the ODB."""

from zato.common.cli.parts import Part
from zato.common.lifecycle.probes import http_status
from zato.common.options import option, options


@options
class ServerSettings:
    name: str = option("Name of this server", default="server1")
    cluster: str = option("Name of the cluster", default="zato")
    http_address: str = option("Where it serves HTTP", default="127.0.0.1:17010")
    grpc_address: str = option("Where it serves gRPC", default="127.0.0.1:17110")
    lb_agent_address: str = option("Where the agent is", default="")
    workers: int = option("Worker processes", default=2, minimum=1)
    is_slow: bool = option("Whether it takes a minute to start", default=False)
    odb_url: str = option("The ODB", secret=True)
    redis_url: str = option("Redis", default="", secret=True)
    token: str = option("Token of the cluster", secret=True)
    secret_key: str = option("Key of the secrets", secret=True)


PART = Part(
    name="server",
    module="fake_parts.server_main",
    settings=ServerSettings,
    addresses=lambda settings: {"http": settings.http_address, "grpc": settings.grpc_address},
    is_ready=lambda settings: http_status(settings.http_address, "/health/ready") == 200,
)
