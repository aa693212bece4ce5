"""The kind `channel-http`: makes a service reachable under a path. And what any channel is to the pipeline."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from zato.common.kinds import Kind
from zato.common.options import option, options
from zato.server.http.channel_options import ChannelOptions, check_channel_options
from zato.server.http.cors import CORSPolicy
from zato.server.http.formats import DATA_FORMATS
from zato.server.http.rate_limits import RateLimit
from zato.server.http.soap.channel import SOAPChannelOptions
from zato.server.security.definitions import Verifier
from zato.server.services.context import ChannelInfo

_PARAMETER = re.compile(r"{([A-Za-z_]\w*)}")
# Stands for a slash that was percent-encoded in the path: part of a parameter's value, no separator. NUL itself is refused.
ENCODED_SLASH = "\0"
_METHOD = re.compile(r"[A-Z][A-Z-]*")
_ORIGIN = re.compile(r"\*|null|[a-z][a-z0-9+.-]*://[^/?#\s,]+")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


@options
class HTTPChannelOptions(ChannelOptions):
    """A path, and the service that answers under it."""

    method: str = option("The one HTTP method that is answered; all when empty", default="")
    http_accept: str = option(
        "Media type the client has to accept, e.g. application/xml, to come to this channel", default="*/*"
    )
    data_format: str = option("How bodies are parsed and made", default="json", choices=DATA_FORMATS)
    merge_url_params_req: bool = option("Whether parameters of path and query become part of the input", default=True)
    url_params_pri: str = option(
        "Which wins in the input: query or path", default="qs-over-path", choices=("qs-over-path", "path-over-qs")
    )
    params_pri: str = option(
        "Which wins in the input: parameters or body",
        default="channel-params-over-msg",
        choices=("channel-params-over-msg", "msg-over-channel-params"),
    )
    cors_origins: tuple[str, ...] = option(
        "Origins whose pages may call, e.g. https://app.example.com, or *; when empty the service answers OPTIONS itself",
        default=(),
    )
    cors_methods: tuple[str, ...] = option("Methods such pages may use; the channel's own when empty", default=())
    cors_headers: tuple[str, ...] = option("Request headers such pages may send; * for any", default=("content-type",))
    cors_expose_headers: tuple[str, ...] = option("Response headers such pages may read", default=("X-Zato-CID",))
    cors_credentials: bool = option("Whether such pages may send cookies and credentials", default=False)
    cors_max_age_s: int = option("Seconds that browsers may remember the answer", default=600, minimum=0)

    def __post_init__(self) -> None:
        check_channel_options(self)
        names = _PARAMETER.findall(self.url_path)
        if len(set(names)) != len(names) or "{" in _PARAMETER.sub("", self.url_path):
            raise ValueError(f"'url_path' takes parameters as {{name}}, each name once, not {self.url_path!r}")
        if self.method and not _METHOD.fullmatch(self.method):
            raise ValueError(f"'method' takes an HTTP method in capitals, e.g. GET, not {self.method!r}")
        if self.http_accept.count("/") != 1:
            raise ValueError(f"'http_accept' takes a media type, e.g. application/json, not {self.http_accept!r}")
        self._check_cors()

    def _check_cors(self) -> None:
        wanted: tuple[tuple[str, Sequence[str], re.Pattern[str], str], ...] = (
            ("cors_origins", self.cors_origins, _ORIGIN, "origins, e.g. https://app.example.com, or *"),
            ("cors_methods", self.cors_methods, _METHOD, "HTTP methods in capitals"),
            ("cors_headers", self.cors_headers, _TOKEN, "names of headers"),
            ("cors_expose_headers", self.cors_expose_headers, _TOKEN, "names of headers"),
        )
        for name, values, form, what in wanted:
            for value in values:
                if not form.fullmatch(value):
                    raise ValueError(f"'{name}' takes {what}, not {value!r}")
        if self.cors_credentials and "*" in self.cors_origins:
            raise ValueError("'cors_credentials' wants 'cors_origins' one by one: with '*' any page could act as its visitor")


KIND = Kind("channel-http", "HTTP channel", HTTPChannelOptions, unique=("url_path", "method", "http_accept"))


@dataclass(frozen=True, slots=True)
class Channel:
    """
    A channel as the pipeline uses it: all that can be known before a request comes is here.

    Args:
        pattern: None when the path has no parameters.
        verify: Checks the caller; None when everyone may call.
        media_type: e.g. ("application", "json"), ("*", "*") for any.
        limits: How often it may be used: the security definition's first.
        service_limits: How often its service may be invoked.
        soap: What makes it a SOAP channel; None when it is a plain one.
    """

    name: str
    options: HTTPChannelOptions | SOAPChannelOptions
    pattern: re.Pattern[str] | None
    verify: Verifier | None
    media_type: tuple[str, str]
    info: ChannelInfo
    limits: tuple[RateLimit, ...] = ()
    cors: CORSPolicy | None = None
    soap: SOAPChannelOptions | None = None
    service_limits: tuple[RateLimit, ...] = ()

    @property
    def literal_length(self) -> int:
        """How much of the path is fixed: of two patterns that fit, the one that says more is the right one."""
        return len(_PARAMETER.sub("", self.options.url_path))


def compile_channel(
    name: str,
    channel_options: HTTPChannelOptions | SOAPChannelOptions,
    verify: Verifier | None,
    security: str = "",
    limits: tuple[RateLimit, ...] = (),
    service_limits: tuple[RateLimit, ...] = (),
    *,
    id: int = 0,
) -> Channel:
    main, _, sub = channel_options.http_accept.lower().partition("/")
    info = ChannelInfo(name, "http", channel_options.data_format, security or None, id)
    soap = channel_options if isinstance(channel_options, SOAPChannelOptions) else None
    cors = _cors(channel_options) if isinstance(channel_options, HTTPChannelOptions) else None
    pattern = _compile_path(channel_options)
    return Channel(name, channel_options, pattern, verify, (main, sub), info, limits, cors, soap, service_limits)


def _cors(given: HTTPChannelOptions) -> CORSPolicy | None:
    if not given.cors_origins:
        return None
    return CORSPolicy(
        origins=frozenset(given.cors_origins),
        methods=", ".join(given.cors_methods),
        headers=", ".join(given.cors_headers),
        expose_headers=", ".join(given.cors_expose_headers),
        has_credentials=given.cors_credentials,
        max_age_s=given.cors_max_age_s,
    )


def _compile_path(channel_options: ChannelOptions) -> re.Pattern[str] | None:
    if not _PARAMETER.search(channel_options.url_path):
        return None
    value = ".+" if channel_options.match_slash else "[^/]+"
    parts = _PARAMETER.split(channel_options.url_path)  # fixed, name, fixed, name, fixed
    expression = "".join(re.escape(part) if index % 2 == 0 else f"(?P<{part}>{value})" for index, part in enumerate(parts))
    return re.compile(expression, re.DOTALL)
