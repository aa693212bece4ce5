"""The step that bounds what a channel takes: how much, and how often."""

from zato.common.errors import PayloadTooLarge
from zato.server.http.rate_limits import RateLimiter
from zato.server.http.request import Request, Response
from zato.server.http.steps import Handler, Step


def make_limits_step(limiter: RateLimiter) -> Step:
    """After security, so that strangers neither learn of a channel's limits nor use up those of its clients."""

    def check_limits(request: Request, next: Handler) -> Response:
        channel = request.channel
        if channel is not None:
            # The server's own limit held before.
            limit = channel.options.max_body_bytes
            if limit and len(request.body) > limit:
                raise PayloadTooLarge(f"The body has {len(request.body)} bytes, this channel takes {limit}")
            if request.identity is not None or channel.limits or channel.service_limits:
                _check_rates(limiter, request)
        return next(request)

    return check_limits


def _check_rates(limiter: RateLimiter, request: Request) -> None:
    channel, identity, state = request.channel, request.identity, request.state
    assert channel is not None
    limits = channel.limits
    if identity is not None and state is not None and (not limits or channel.options.rate_limit_check_parent_def):
        limits = (*state.definition_limits.get((identity.kind, identity.definition), ()), *limits)
    # The narrowest first, and the service's own, which others may share, last.
    limits = (*limits, *channel.service_limits)
    if limits:
        limiter.check(limits, request.remote_address)
