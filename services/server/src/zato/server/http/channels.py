"""All channels of a configuration, made ready to be matched: the platform's own and the users'."""

from dataclasses import dataclass

from zato.server.control.state import ConfigObject, Configuration
from zato.server.http.channel import Channel, HTTPChannelOptions, compile_channel
from zato.server.http.limit_options import limits_of
from zato.server.http.rate_limits import RateLimit
from zato.server.security.definitions import Verifier
from zato.server.security.gate import Gate
from zato.server.security.services import security_channels
from zato.server.services.service_options import service_limits

_PING = HTTPChannelOptions(url_path="/zato/ping", service="zato.ping")


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A channel, and of what else than its own options it was made."""

    version: int
    verify: Verifier | None
    service_limits: tuple[RateLimit, ...]
    channel: Channel


class Channels:
    """Compiles them, each anew only when something has changed of which it is made: there may be thousands."""

    def __init__(self) -> None:
        self._own = [compile_channel("zato.ping", _PING, None), *security_channels()]
        self._compiled: dict[int, _Compiled] = {}

    def of(self, configuration: Configuration, gate: Gate) -> list[Channel]:
        of_services = dict(service_limits(configuration))
        users = (*configuration.of_kind("channel-http"), *configuration.of_kind("channel-soap"))
        self._compiled = {
            each.id: self._compile(each, gate.guard(each.options), of_services.get(each.options.service, ()))
            for each in users
            if each.is_active
        }
        return [*self._own, *(compiled.channel for compiled in self._compiled.values())]

    def _compile(self, each: ConfigObject, verify: Verifier | None, service_limits: tuple[RateLimit, ...]) -> _Compiled:
        known = self._compiled.get(each.id)
        if known is not None and (known.version, known.verify, known.service_limits) == (each.version, verify, service_limits):
            return known
        limits = limits_of(each.kind, each.name, each.options)
        channel = compile_channel(each.name, each.options, verify, each.options.security, limits, service_limits, id=each.id)
        return _Compiled(each.version, verify, service_limits, channel)
