"""Services that help to try things out: under their published names."""

from zato.server.accounts.roles import Role
from zato.server.service import Service


class Echo(Service):
    """`zato.helpers.echo`: answers with what it was sent."""

    name = "zato.helpers.echo"
    least_role = Role.DEVELOPER

    def handle(self) -> None:
        self.response.payload = self.request.payload


class InputLogger(Service):
    """`zato.helpers.input-logger`: logs what it was sent."""

    name = "zato.helpers.input-logger"
    least_role = Role.DEVELOPER

    def handle(self) -> None:
        self.log_input()


class SIOInputLogger(Service):
    """`zato.helpers.sio-input-logger`: logs its input. A subclass that declares one logs what was made of it."""

    name = "zato.helpers.sio-input-logger"
    least_role = Role.DEVELOPER

    def handle(self) -> None:
        self.logger.info("%r", self.request.input)


class RawRequestLogger(Service):
    """`helpers.raw-request-logger`: logs the request as it came."""

    name = "helpers.raw-request-logger"

    def handle(self) -> None:
        self.logger.info("Received request: `%r`", self.request.raw_request)


class PublicPing(Service):
    """`pub.zato.ping`: says that services run. Jobs and channels of published examples name it."""

    name = "pub.zato.ping"

    def handle(self) -> None:
        self.response.payload = {"pong": "zato"}


HELPERS: tuple[type[Service], ...] = (Echo, InputLogger, SIOInputLogger, RawRequestLogger, PublicPing)
