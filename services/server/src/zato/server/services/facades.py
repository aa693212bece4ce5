"""What a service finds on `self` beside its request and response. Each thing is made when it is first asked for."""

import logging
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from zato.server.services.environ import Environ
from zato.server.services.moments import utc

if TYPE_CHECKING:
    from zato.server.connections.outgoing import Outgoing
    from zato.server.services.caches import Caches
    from zato.server.services.context import ChannelInfo, KeyValueDB, ServerContext
    from zato.server.services.crypto import Crypto
    from zato.server.services.patterns import Patterns
    from zato.server.services.reqresp import ServiceRequest, ServiceResponse
    from zato.server.services.shell import Commands
    from zato.server.services.times import Times
    from zato.server.services.user_config import UserConfig


class Facades:
    """All of it may be overridden by what a service calls the same: it is for the service to say what its names mean."""

    # Set by the platform on each new instance (zato.server.services.invoke).
    name: ClassVar[str] = ""
    cid: str
    request: "ServiceRequest"
    response: "ServiceResponse"
    channel: "ChannelInfo"
    server: "ServerContext"
    _began_at: float

    @cached_property
    def logger(self) -> "logging.LoggerAdapter[logging.Logger]":
        """A logger named after the service."""
        from zato.server.services.invoke import service_logger

        return service_logger(self.name)

    @cached_property
    def chan(self) -> "ChannelInfo":
        return self.channel

    @cached_property
    def environ(self) -> Environ:
        """A dictionary of this invocation, for the use of the service and its hooks. What is missing is None."""
        return Environ()

    @cached_property
    def data_format(self) -> str | None:
        """ "json", "xml" and so on; "dict" between services; None when the channel has none."""
        return self.channel.data_format or None

    @cached_property
    def transport(self) -> str | None:
        return "plain_http" if self.request.http is not None else None

    @cached_property
    def job_type(self) -> str | None:
        """ "one_time", "interval_based" or "cron_style" when a job of the scheduler runs; else None."""
        job_type: str | None = self.environ.get("job_type")
        return job_type

    @cached_property
    def invocation_time(self) -> datetime:
        """When the service was invoked, in UTC."""
        return utc(self._began_at)

    @cached_property
    def usage(self) -> int:
        """How often the service has run in the cluster, this time included."""
        return self.server.usage.of(self.name) if self.server.usage else 0

    @cached_property
    def wsgi_environ(self) -> dict[str, Any]:
        """The request as a WSGI dictionary; empty when it did not come by HTTP."""
        from zato.server.services.wsgi import make_wsgi_environ

        request, response = self.request, self.response
        if request.http is None:
            return {}
        return make_wsgi_environ(request.http, request.raw_request, response.headers, self.server.name)

    @cached_property
    def outgoing(self) -> "Outgoing":
        """Outgoing connections: `self.out.rest["name"].conn`, `self.out.sql.get("name").session()`."""
        return self.server.outgoing

    @cached_property
    def out(self) -> "Outgoing":
        return self.outgoing

    @cached_property
    def kvdb(self) -> "KeyValueDB":
        """Redis: `self.kvdb.conn.get("key")`, or `self.kvdb.get("key")`."""
        return self.server.kvdb

    @cached_property
    def odb(self) -> Any:
        """The ODB: `with closing(self.odb.session()) as session`."""
        return self.server.odb

    @cached_property
    def cache(self) -> "Caches":
        return self.server.cache

    @cached_property
    def crypto(self) -> "Crypto":
        return self.server.crypto

    @cached_property
    def time(self) -> "Times":
        return self.server.time

    @cached_property
    def user_config(self) -> "UserConfig":
        return self.server.user_config

    @cached_property
    def config(self) -> "UserConfig":
        return self.user_config

    @cached_property
    def patterns(self) -> "Patterns":
        from zato.server.services.patterns import Patterns

        return Patterns(self)  # type: ignore[arg-type]  # each is a Service

    @cached_property
    def commands(self) -> "Commands":
        from zato.server.services.shell import Commands

        return Commands(self.cid, self.server.spawn)
