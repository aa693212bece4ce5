"""The kind `channel-http`: makes a service reachable under a path."""

import re
from dataclasses import dataclass

from zato.common.kinds import Kind
from zato.common.options import option, options
from zato.server.http.formats import DATA_FORMATS
from zato.server.security.definitions import SECURITY_KINDS, Verifier
from zato.server.services.context import ChannelInfo

_PARAMETER = re.compile(r"{([A-Za-z_]\w*)}")
# Stands for a slash that was percent-encoded in the path: part of a parameter's value, no separator. NUL itself is refused.
ENCODED_SLASH = "\0"


@options
class HTTPChannelOptions:
    """A path, and the service that answers under it."""

    url_path: str = option("Path, with parameters in braces, e.g. /customers/{customer_id}")
    service: str = option("Name of the service that is invoked", reference="service")
    method: str = option("The one HTTP method that is answered; all when empty", default="")
    http_accept: str = option(
        "Media type the client has to accept, e.g. application/xml, to come to this channel", default="*/*"
    )
    data_format: str = option("How bodies are parsed and made", default="json", choices=DATA_FORMATS)
    security: str = option(
        "Definition that callers have to satisfy; everyone may call when empty", default="", reference=SECURITY_KINDS
    )
    has_rbac: bool = option("Whether callers also need a role that may use the service by this method", default=False)
    sec_use_rbac: bool = option(
        "Whether any definition with such a role lets its callers in, instead of the one in 'security'", default=False
    )
    match_slash: bool = option("Whether a parameter may hold slashes", default=True)
    merge_url_params_req: bool = option("Whether parameters of path and query become part of the input", default=True)
    url_params_pri: str = option(
        "Which wins in the input: query or path", default="qs-over-path", choices=("qs-over-path", "path-over-qs")
    )
    params_pri: str = option(
        "Which wins in the input: parameters or body",
        default="channel-params-over-msg",
        choices=("channel-params-over-msg", "msg-over-channel-params"),
    )
    max_body_bytes: int = option("Largest body; 0 for the server's own limit", default=0, minimum=0)

    def __post_init__(self) -> None:
        if not self.url_path.startswith("/") or "?" in self.url_path or not self.url_path.isprintable():
            raise ValueError(f"'url_path' takes a path that begins with a slash, without a query, not {self.url_path!r}")
        if "%" in self.url_path:
            raise ValueError(f"'url_path' takes a path as people read it, not percent-encoded: {self.url_path!r}")
        names = _PARAMETER.findall(self.url_path)
        if len(set(names)) != len(names) or "{" in _PARAMETER.sub("", self.url_path):
            raise ValueError(f"'url_path' takes parameters as {{name}}, each name once, not {self.url_path!r}")
        if self.method and not re.fullmatch(r"[A-Z][A-Z-]*", self.method):
            raise ValueError(f"'method' takes an HTTP method in capitals, e.g. GET, not {self.method!r}")
        if self.sec_use_rbac and self.security:
            raise ValueError("'security' has to be empty with 'sec_use_rbac', by which the roles say who may call")
        if self.http_accept.count("/") != 1:
            raise ValueError(f"'http_accept' takes a media type, e.g. application/json, not {self.http_accept!r}")


KIND = Kind("channel-http", "HTTP channel", HTTPChannelOptions, unique=("url_path", "method", "http_accept"))


@dataclass(frozen=True, slots=True)
class Channel:
    """
    A channel as the pipeline uses it: all that can be known before a request comes is here.

    Args:
        pattern: None when the path has no parameters.
        verify: Checks the caller; None when everyone may call.
        media_type: e.g. ("application", "json"), ("*", "*") for any.
    """

    name: str
    options: HTTPChannelOptions
    pattern: re.Pattern[str] | None
    verify: Verifier | None
    media_type: tuple[str, str]
    info: ChannelInfo

    @property
    def literal_length(self) -> int:
        """How much of the path is fixed: of two patterns that fit, the one that says more is the right one."""
        return len(_PARAMETER.sub("", self.options.url_path))


def compile_channel(name: str, channel_options: HTTPChannelOptions, verify: Verifier | None, security: str = "") -> Channel:
    main, _, sub = channel_options.http_accept.lower().partition("/")
    info = ChannelInfo(name, "http", channel_options.data_format, security or None)
    return Channel(name, channel_options, _compile_path(channel_options), verify, (main, sub), info)


def _compile_path(channel_options: HTTPChannelOptions) -> re.Pattern[str] | None:
    if not _PARAMETER.search(channel_options.url_path):
        return None
    value = ".+" if channel_options.match_slash else "[^/]+"
    parts = _PARAMETER.split(channel_options.url_path)  # fixed, name, fixed, name, fixed
    expression = "".join(re.escape(part) if index % 2 == 0 else f"(?P<{part}>{value})" for index, part in enumerate(parts))
    return re.compile(expression, re.DOTALL)
