"""All channels of a configuration, made ready to be matched: the platform's own and the users'."""

from zato.server.control.state import Configuration
from zato.server.http.channel import Channel, HTTPChannelOptions, compile_channel
from zato.server.http.limit_options import limits_of
from zato.server.security.gate import Gate
from zato.server.security.services import security_channels
from zato.server.services.service_options import service_limits

_PING = HTTPChannelOptions(url_path="/zato/ping", service="zato.ping")


def compile_channels(configuration: Configuration, gate: Gate) -> list[Channel]:
    channels = [compile_channel("zato.ping", _PING, None), *security_channels()]
    of_services = dict(service_limits(configuration))
    for each in (*configuration.of_kind("channel-http"), *configuration.of_kind("channel-soap")):
        if each.is_active:
            verify, limits = gate.guard(each.options), limits_of(each.kind, each.name, each.options)
            of_service = of_services.get(each.options.service, ())
            channels.append(
                compile_channel(each.name, each.options, verify, each.options.security, limits, of_service, id=each.id)
            )
    return channels
