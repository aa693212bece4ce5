"""HAProxy's configuration: text made from settings and members, and from nothing else."""

import dataclasses
import json
from collections.abc import Iterable

from zato.common.cid import CID_HEADER
from zato.common.secrets import MASK
from zato.lb_agent import https
from zato.lb_agent.config import LBAgentSettings
from zato.lb_agent.members import Member
from zato.lb_agent.own_sections import OwnSections

BACKEND = "servers"
RUNTIME_SOCKET = "haproxy.sock"
STATE_FILE = "haproxy.state"
ALIVE_PATH = "/zato-lb-alive"
STATS_PATH = "/zato-lb-stats"
STATS_USER = "admin"

# Paths that servers answer to operators, who ask the server itself.
_INTERNAL_PATHS = ("metrics", "health", "__rpc")
# GET and its like, RFC 9110 9.2.2: sent twice they do no more than sent once, so another server may get them as well.
_IDEMPOTENT_METHODS = "GET HEAD OPTIONS PUT DELETE"
_EARLY = "unique-id"
_LATE = "var(txn.cid)"
# What HAProxy answers by itself: status, what the body says, where the cid comes from. Requests that fail before the
# rules were run have no cid of their own.
_ERRORS = (
    (400, "The request is not valid HTTP", _EARLY),
    (403, "Access denied", _LATE),
    (404, "Not found", _LATE),
    (408, "The request did not arrive in time", _EARLY),
    (413, "The request is too large", _LATE),
    (429, "Too many requests", _LATE),
    (500, "Internal error in the load-balancer", _LATE),
    (502, "The server broke off instead of answering", _LATE),
    (503, "No server is available", _LATE),
    (504, "The server did not answer in time", _LATE),
)
_ACCESS_LOG = (
    ("timestamp", '"%[date,utime(%Y-%m-%dT%H:%M:%SZ)]"'),
    ("part", '"haproxy"'),
    ("level", '"info"'),
    ("event", '"http_request"'),
    ("cid", '"%[var(txn.cid)]"'),
    ("request_id", '"%ID"'),
    ("client", '"%ci"'),
    ("method", '"%HM"'),
    ("path", '"%[var(txn.path)]"'),
    ("status", "%ST"),
    ("bytes", "%B"),
    ("server", '"%s"'),
    ("retries", '"%rc"'),
    ("duration_ms", "%Ta"),
    ("connect_ms", "%Tc"),
    ("answer_ms", "%Tr"),
    ("end", '"%ts"'),
)
_MAX_LOG_LINE_BYTES = 2048
_MAX_PATH_BYTES = 300
_CID_PATTERN = "^[A-Za-z0-9._-]{8,64}$"


@dataclasses.dataclass(frozen=True, slots=True)
class Configuration:
    """
    All that the text is made of, except the members, which change without a reload.

    Args:
        max_connections: What the settings want, or less if this process may not open so many files.
        own: Sections that are the user's own.
    """

    settings: LBAgentSettings
    max_connections: int
    own: OwnSections

    def text(self, members: Iterable[Member]) -> str:
        frontends = [_http(self), *([_https(self)] if self.settings.https_address else [])]
        parts = [_global(self), _defaults(self.settings), *frontends, _backend(self.settings, members)]
        if self.settings.server_authorities is not None:
            parts.append(https.preloaded(self.settings))
        if self.own.text:
            parts.append(f"# From {self.own.file}\n{self.own.text.rstrip()}\n")
        return "\n".join(parts)

    def shown(self, members: Iterable[Member]) -> str:
        """Return the text as people may see it."""
        settings = dataclasses.replace(self.settings, stats_password=MASK)
        return dataclasses.replace(self, settings=settings).text(members)


def server_options(settings: LBAgentSettings) -> str:
    """
    Return what follows name, address and weight of each server.

    In full, since HAProxy does not apply `default-server` to those that are added while it runs, nor its own defaults for
    connections that wait for their next request: it would make a new one for each request.
    """
    interval_s = settings.check_interval_s
    # Traffic notices a dead machine before the checks do: three connections in a row that fail put it down. A server
    # that is suspected or down is asked more often, and is back after one good answer.
    return (
        f"check inter {_ms(interval_s)} fastinter {_ms(interval_s / 4)} downinter {_ms(interval_s / 2)} fall 2 rise 1"
        f" observe layer4 error-limit 3 on-error mark-down pool-max-conn -1 pool-purge-delay 1s{https.server_tls(settings)}"
    )


def _global(configuration: Configuration) -> str:
    settings = configuration.settings
    return f"""\
# Made by the agent of the load-balancer, which overwrites what is changed here: see its README for sections of your own.
global
    stats socket unix@{RUNTIME_SOCKET} mode 600 level admin expose-fd listeners
    stats timeout 10s
    # A little more than the frontend takes, so that a full house does not keep operators out of other frontends.
    maxconn {configuration.max_connections + 100}
    # Or a second HAProxy could listen at the same address and get half of the requests.
    noreuseport
    server-state-file {STATE_FILE}
    hard-stop-after {_ms(settings.old_worker_timeout_s)}
"""


def _defaults(settings: LBAgentSettings) -> str:
    errors = "\n".join(_error(*error) for error in _ERRORS)
    return f"""\
defaults
    mode http
    timeout http-request {_ms(settings.request_timeout_s)}
    timeout client {_ms(settings.client_timeout_s)}
    timeout client-fin {_ms(settings.client_timeout_s)}
    timeout http-keep-alive {_ms(settings.keep_alive_timeout_s)}
    timeout connect {_ms(settings.connect_timeout_s)}
    timeout server {_ms(settings.server_timeout_s)}
    timeout tunnel {_ms(settings.tunnel_timeout_s)}
    timeout check {_ms(settings.connect_timeout_s)}
    option http-keep-alive
    # Servers see a request when it is there as a whole (or fills a buffer): slow clients occupy HAProxy alone.
    option http-buffer-request
    # After a reload a client may have sent the next request on a connection that it keeps; closing it would lose that.
    option idle-close-on-response
    option dontlognull
    load-server-state-from-file global
    unique-id-format "%[uuid(),regsub(-,,g),bytes(0,24)]"
{errors}
"""


def _error(status: int, details: str, cid: str) -> str:
    body = json.dumps({"result": "Error", "cid": f"%[{cid}]", "details": details}, separators=(",", ":"))
    return f"    http-error status {status} content-type application/json lf-string '{body}' hdr {CID_HEADER} \"%[{cid}]\""


def _http(configuration: Configuration) -> str:
    settings = configuration.settings
    # The statistics and whether HAProxy lives are asked for on this machine, by who knows no other port.
    return f"""\
frontend http
    bind {settings.frontend_address}
{_frontend(configuration)}{https.redirect(settings)}    default_backend {BACKEND}
"""


def _https(configuration: Configuration) -> str:
    settings = configuration.settings
    return f"""\
frontend https
    bind {settings.https_address} {https.bind_options(settings)}
{_frontend(configuration)}{https.rules(settings)}    default_backend {BACKEND}
"""


def _frontend(configuration: Configuration) -> str:
    settings = configuration.settings
    fields = ",".join(f'"{name}":{value}' for name, value in _ACCESS_LOG)
    return f"""\
    maxconn {configuration.max_connections}
    log stdout len {_MAX_LOG_LINE_BYTES} format raw local0 info
    log-format '{{{fields}}}'
    monitor-uri {ALIVE_PATH}
    stats enable
    stats uri {STATS_PATH}
    stats realm zato
    stats hide-version
    stats auth {https.quoted(f"{STATS_USER}:{settings.stats_password}")}
    # What only a frontend with TLS may say about a client's certificate.
    http-request del-header {https.HEADERS} -m beg
"""


def _backend(settings: LBAgentSettings, members: Iterable[Member]) -> str:
    untrusted = "".join(f" !{{ src {network} }}" for network in settings.trusted_proxies)
    only_untrusted = f" if{untrusted}" if untrusted else ""
    internal = "|".join(_INTERNAL_PATHS)
    options = server_options(settings)
    servers = "".join(
        f"    server {member.name} {member.endpoint} weight {member.effective_weight} {options}\n" for member in members
    )
    return f"""\
backend {BACKEND}
    balance {settings.balance}
    # One id from here to the last log line: the client's own, when it looks like one, or ours.
    http-request set-var(txn.cid) unique-id
    http-request set-var(txn.cid) req.hdr({CID_HEADER}) if {{ req.hdr({CID_HEADER}) -m reg {_CID_PATTERN} }}
    http-request set-var(txn.path) path,bytes(0,{_MAX_PATH_BYTES}),json(utf8s)
    http-request set-header {CID_HEADER} %[var(txn.cid)]
    http-response set-var(txn.cid) res.hdr({CID_HEADER}),bytes(0,64),json(utf8s) if {{ res.hdr({CID_HEADER}) -m found }}
    http-request deny deny_status 404 if {{ path,url_dec -m reg ^/+(\\./+)*({internal})([/;]|$) }}
    # Clients do not choose who they are.
    http-request del-header X-Forwarded-For{only_untrusted}
    http-request del-header X-Forwarded-Proto{only_untrusted}
    http-request del-header Forwarded{only_untrusted}
    http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}
    option forwardfor
    # A connection that could not be made is tried again on another server whatever the method, since nothing was sent.
    # An answer that broke off before it began may have had its effect: only what is idempotent is sent again. Not after
    # a timeout (the next server would be as slow) and not after a 503 (somebody answered, and meant it).
    retries {settings.retries}
    option redispatch 1
    retry-on conn-failure empty-response junk-response
    http-request disable-l7-retry unless {{ method {_IDEMPOTENT_METHODS} }}
    option httpchk
    http-check send meth GET uri {settings.check_path} ver HTTP/1.1 hdr Host {BACKEND} hdr User-Agent zato-lb-agent
    http-check expect status 200
{servers}"""


def _ms(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"
