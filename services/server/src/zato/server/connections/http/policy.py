"""How calls go out: over which pool of connections, and what is repeated, and where redirects may lead."""

from collections.abc import Mapping

import urllib3

from zato.server.connections.http.options import OutgoingHTTPOptions
from zato.server.connections.tls import client_context

_MAX_REDIRECTS = 10
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"})


def make_pool(options: OutgoingHTTPOptions, own_certificate: str) -> urllib3.PoolManager:
    if not options.host.startswith("https"):
        return urllib3.PoolManager(maxsize=options.pool_size, block=False)
    context = client_context(
        verify=options.tls_verify,
        ca_certificates=options.ca_certificates,
        client_certificate=own_certificate or options.client_certificate,
        client_key="" if own_certificate else options.client_key,
    )
    return urllib3.PoolManager(
        maxsize=options.pool_size, block=False, ssl_context=context, assert_hostname=None if options.tls_verify else False
    )


def make_retries(options: OutgoingHTTPOptions, follow_redirects: bool, credentials: Mapping[str, str]) -> urllib3.Retry:
    """Only what may be done twice is done twice: other methods are repeated when nothing has been sent yet."""
    return urllib3.Retry(
        total=None,
        connect=options.retries,
        read=options.retries,
        status=options.retries,
        other=0,
        redirect=_MAX_REDIRECTS if follow_redirects else 0,
        allowed_methods=_IDEMPOTENT,
        status_forcelist=[int(status) for status in options.retry_statuses],
        backoff_factor=options.retry_backoff_s,
        raise_on_redirect=follow_redirects,
        raise_on_status=False,
        respect_retry_after_header=False,
        # Whom the other side sends us to does not get what is for the other side.
        remove_headers_on_redirect=[*credentials, "Authorization", "Cookie"],
    )
