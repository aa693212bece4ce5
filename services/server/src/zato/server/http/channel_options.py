"""What HTTP and SOAP channels can be told alike."""

from zato.common.options import option, options
from zato.server.http.limit_options import definition_option, is_active_option, type_option
from zato.server.http.rate_limits import parse_rules
from zato.server.security.definitions import SECURITY_KINDS

LONGEST_TIMEOUT_S = 86_400.0


@options
class ChannelOptions:
    """A path, the service that answers under it, who may call it, how often and for how long."""

    url_path: str = option("Path, with parameters in braces, e.g. /customers/{customer_id}")
    service: str = option("Name of the service that is invoked", reference="service")
    security: str = option(
        "Definition that callers have to satisfy; everyone may call when empty", default="", reference=SECURITY_KINDS
    )
    has_rbac: bool = option("Whether callers also need a role that may use the service by this method", default=False)
    sec_use_rbac: bool = option(
        "Whether any definition with such a role lets its callers in, instead of the one in 'security'", default=False
    )
    match_slash: bool = option("Whether a parameter may hold slashes", default=True)
    content_encoding: str = option("gzip: answers are compressed for clients that take it", default="", choices=("", "gzip"))
    max_body_bytes: int = option("Largest body, decompressed; 0 for the server's own limit", default=0, minimum=0)
    timeout_s: float = option(
        "Seconds that the service may take, after which it is ended and the client gets 504; 0 for the server's own limit",
        default=0.0,
        minimum=0.0,
        maximum=LONGEST_TIMEOUT_S,
    )
    cache_id: str = option("Name of the cache that answers are kept in, e.g. default; none are kept when empty", default="")
    cache_expiry: float = option("Minutes that an answer is kept; 0 for as long as there is room", default=0.0, minimum=0.0)
    cache_per_identity: bool = option(
        "Whether what one caller was answered is kept from all others; off for answers that do not depend on who asks",
        default=True,
    )
    is_rate_limit_active: bool = is_active_option()
    rate_limit_type: str = type_option()
    rate_limit_def: str = definition_option()
    rate_limit_check_parent_def: bool = option(
        "Whether the limit of the security definition holds beside the channel's own", default=True
    )


def check_channel_options(made: ChannelOptions) -> None:
    """Raises ValueError, with what was wanted, when options do not fit together."""
    if not made.url_path.startswith("/") or "?" in made.url_path or not made.url_path.isprintable():
        raise ValueError(f"'url_path' takes a path that begins with a slash, without a query, not {made.url_path!r}")
    if "%" in made.url_path:
        raise ValueError(f"'url_path' takes a path as people read it, not percent-encoded: {made.url_path!r}")
    if made.sec_use_rbac and made.security:
        raise ValueError("'security' has to be empty with 'sec_use_rbac', by which the roles say who may call")
    parse_rules(made.rate_limit_def)
