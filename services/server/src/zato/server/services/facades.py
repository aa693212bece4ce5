"""What a service finds on `self` beside its request and response. Each thing is made when it is first asked for."""

import logging
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from zato.server.services.environ import Environ
from zato.server.services.lazy import lazy
from zato.server.services.moments import utc
from zato.server.services.nav import DictNav, ListNav

if TYPE_CHECKING:
    from zato.server.connections.http.facade import RESTFacade
    from zato.server.connections.outgoing import Group, Outgoing
    from zato.server.jobs.schedule import Schedule
    from zato.server.messaging.publishing import AMQPSender
    from zato.server.services.broker_client import BrokerClient
    from zato.server.services.caches import Caches
    from zato.server.services.context import ChannelInfo, KeyValueDB, ServerContext
    from zato.server.services.crypto import Crypto
    from zato.server.services.messages import MessageFacade
    from zato.server.services.patterns import Patterns
    from zato.server.services.reqresp import ServiceRequest, ServiceResponse
    from zato.server.services.security_facade import SecurityFacade
    from zato.server.services.shell import Commands
    from zato.server.services.static_config import StaticConfig
    from zato.server.services.times import Times
    from zato.server.services.user_config import UserConfig


class Facades:
    """All of it may be overridden by what a service calls the same: it is for the service to say what its names mean."""

    # Classes, for nested dictionaries and lists: `self.dictnav(document).get(["customer", "city"])`.
    dictnav = DictNav
    listnav = ListNav

    # Set by the platform on each new instance (zato.server.services.invoke).
    name: ClassVar[str] = ""
    cid: str
    request: "ServiceRequest"
    response: "ServiceResponse"
    channel: "ChannelInfo"
    server: "ServerContext"
    _began_at: float

    @lazy
    def logger(self) -> "logging.LoggerAdapter[logging.Logger]":
        """A logger named after the service."""
        from zato.server.services.invoke import service_logger

        return service_logger(self.name)

    @lazy
    def chan(self) -> "ChannelInfo":
        return self.channel

    @lazy
    def environ(self) -> Environ:
        """A dictionary of this invocation, for the use of the service and its hooks. What is missing is None."""
        return Environ()

    @lazy
    def data_format(self) -> str | None:
        """ "json", "xml" and so on; "dict" between services; None when the channel has none."""
        return self.channel.data_format or None

    @lazy
    def transport(self) -> str | None:
        return "plain_http" if self.request.http is not None else None

    @lazy
    def job_type(self) -> str | None:
        """ "one_time", "interval_based" or "cron_style" when a job of the scheduler runs; else None."""
        job_type: str | None = self.environ.get("job_type")
        return job_type

    @lazy
    def invocation_time(self) -> datetime:
        """When the service was invoked, in UTC."""
        return utc(self._began_at)

    @lazy
    def usage(self) -> int:
        """How often the service has run in the cluster, this time included."""
        return self.server.usage.of(self.name) if self.server.usage else 0

    @lazy
    def wsgi_environ(self) -> dict[str, Any]:
        """The request as a WSGI dictionary; empty when it did not come by HTTP."""
        from zato.server.services.wsgi import make_wsgi_environ

        request, response = self.request, self.response
        if request.http is None:
            return {}
        return make_wsgi_environ(request.http, request.raw_request, response.headers, self.server.name)

    @lazy
    def outgoing(self) -> "Outgoing":
        """Outgoing connections: `self.out.rest["name"].conn`, `self.out.sql.get("name").session()`."""
        return self.server.outgoing

    @lazy
    def out(self) -> "Outgoing":
        return self.outgoing

    @lazy
    def rest(self) -> "RESTFacade":
        """REST connections without the cid: `self.rest["My CRM"].get({"id": 1})`, `self.rest.my_crm.get({"id": 1})`."""
        from zato.server.connections.http.facade import RESTFacade

        return RESTFacade(self.outgoing.rest, self.cid)

    @lazy
    def amqp(self) -> "AMQPSender":
        """What `self.out.amqp` is: `self.amqp.send(msg, "out", exchange, routing_key)`, and `invoke_async` with the same."""
        sender: AMQPSender = self.outgoing.amqp
        return sender

    @lazy
    def email(self) -> "Group":
        """Connections to mail servers: `self.email.smtp.get("name").conn`, `self.email.imap.get("name").conn`."""
        return self.outgoing.email

    @lazy
    def kvdb(self) -> "KeyValueDB":
        """Redis: `self.kvdb.conn.get("key")`, or `self.kvdb.get("key")`."""
        return self.server.kvdb

    @lazy
    def odb(self) -> Any:
        """The ODB: `with closing(self.odb.session()) as session`."""
        return self.server.odb

    @lazy
    def broker_client(self) -> "BrokerClient":
        """What 2.0 invoked services with: `publish(msg)` in all workers, `invoke_async(msg)` in one."""
        from zato.server.services.broker_client import BrokerClient

        return BrokerClient(self)  # type: ignore[arg-type]  # each is a Service

    @lazy
    def cache(self) -> "Caches":
        return self.server.cache

    @lazy
    def crypto(self) -> "Crypto":
        return self.server.crypto

    @lazy
    def msg(self) -> "MessageFacade":
        """Parts of messages by configured names: `self.msg.json_pointer(document).get("city")`, `.xpath`, `.mapper`."""
        return self.server.msg

    @lazy
    def security(self) -> "SecurityFacade":
        """Security definitions: `self.security.basic_auth["crm"].username`."""
        return self.server.security

    @lazy
    def static_config(self) -> "StaticConfig":
        """Files of the server's folder static/ as text: `self.static_config["terms.txt"]`."""
        return self.server.static_config

    @lazy
    def time(self) -> "Times":
        return self.server.time

    @lazy
    def user_config(self) -> "UserConfig":
        return self.server.user_config

    @lazy
    def config(self) -> "UserConfig":
        return self.user_config

    @lazy
    def patterns(self) -> "Patterns":
        from zato.server.services.patterns import Patterns

        return Patterns(self)  # type: ignore[arg-type]  # each is a Service

    @lazy
    def schedule(self) -> "Schedule":
        """Jobs of the scheduler: `self.schedule.onetime(self, "my.service", after_minutes=5, data={"id": 1})`."""
        from zato.server.jobs.schedule import Schedule

        return Schedule(self.invoke)  # type: ignore[attr-defined]  # each is a Service

    @lazy
    def commands(self) -> "Commands":
        from zato.server.services.shell import Commands

        return Commands(self.cid, self.server.spawn, self.invoke)  # type: ignore[attr-defined]  # each is a Service
