"""What the frontend with TLS has of its own: certificates, who the client is, and that browsers stay with it."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from zato.lb_agent.config import LBAgentSettings

# Forward secrecy and authenticated encryption only, of TLS 1.2; 1.3 has nothing else.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
_VERIFY = {"optional": "optional", "required": "required"}
# What a verified certificate says of a client, by the header that tells servers. See security-tls-channel.
_FIELDS = (
    ("CN", "ssl_c_s_dn(cn)"),
    ("O", "ssl_c_s_dn(o)"),
    ("OU", "ssl_c_s_dn(ou)"),
    ("DN", "ssl_c_s_dn"),
    ("ISSUER-CN", "ssl_c_i_dn(cn)"),
    ("SERIAL", "ssl_c_serial,hex"),
    ("SHA256", "ssl_c_der,sha2(256),hex"),
)
HEADERS = "X-Zato-TLS-"


def bind_options(settings: LBAgentSettings) -> str:
    """Return what follows the address of the frontend with TLS."""
    words = ["ssl", *(f"crt {quoted(str(path))}" for path in certificate_paths(settings))]
    words += ["ssl-min-ver TLSv1.2", f"ciphers {_CIPHERS}", "alpn h2,http/1.1"]
    authorities = client_authorities(settings)
    if authorities is not None:
        file = quoted(str(authorities))
        words += [f"verify {_VERIFY[settings.client_certificates]}", f"ca-file {file}"]
        if has_revocations(authorities):
            # 3: there is no list that says whether the authority itself was revoked. Ours are rotated away instead.
            words.append(f"crl-file {file} ca-ignore-err 3")
    return " ".join(words)


def rules(settings: LBAgentSettings) -> str:
    """Return the rules of the frontend with TLS, after what clients say of certificates was removed."""
    lines = []
    if settings.client_certificates in _VERIFY:
        # An authority that is careless with names must not write headers for its clients.
        lines.append("http-request deny deny_status 400 if { ssl_c_used } { ssl_c_s_dn -m reg [[:cntrl:]] }")
        is_verified = "{ ssl_c_used } { ssl_c_verify 0 }"
        lines += [
            f"http-request set-header {HEADERS}{name} %[{fetch}] if {is_verified} {{ {fetch} -m found }}"
            for name, fetch in _FIELDS
        ]
    if settings.hsts_max_age_s:
        lines.append(f'http-after-response set-header Strict-Transport-Security "max-age={settings.hsts_max_age_s}"')
    return "".join(f"    {line}\n" for line in lines)


def redirect(settings: LBAgentSettings) -> str:
    """Return the rule of the frontend without TLS that sends clients to the one with it, "" when it serves them itself."""
    if not (settings.https_address and settings.is_https_only):
        return ""
    port = settings.https_address.rpartition(":")[2]
    at = "" if port == "443" else f":{port}"
    return f"    http-request redirect code 308 location https://%[req.hdr(host),regsub(:[0-9]+$,)]{at}%[capture.req.uri]\n"


def server_tls(settings: LBAgentSettings) -> str:
    """Return what a server's line has more when servers are spoken to over TLS."""
    if settings.server_authorities is None:
        return ""
    file = settings.server_authorities.absolute()
    return f" ssl check-ssl verify required ca-file {file} verifyhost {settings.server_tls_name} ssl-min-ver TLSv1.2"


def preloaded(settings: LBAgentSettings) -> str:
    """
    Return a backend that nobody uses.

    Servers that join while HAProxy runs may name only such files of authorities as it has read at its start.
    """
    options = server_tls(settings)
    return f"backend authorities\n    server nobody 127.0.0.1:9 disabled{options}\n" if options else ""


def certificate_paths(settings: LBAgentSettings) -> tuple[Path, ...]:
    """Return the files and folders of certificates, the agent's own if there are no others."""
    if settings.https_certificates:
        return tuple(map(Path, settings.https_certificates))
    own = settings.tls().certificate
    return (own.absolute(),) if own is not None else ()


def client_authorities(settings: LBAgentSettings) -> Path | None:
    """Return the file of those who vouch for clients, the cluster's own authority if there is no other."""
    if settings.client_certificates not in _VERIFY:
        return None
    found = settings.client_authorities or settings.tls().authorities
    return found.absolute() if found is not None else None


def has_revocations(file: Path) -> bool:
    try:
        return "BEGIN X509 CRL" in file.read_text()
    except OSError:
        return False  # HAProxy says what is wrong with it


def digest_of_files(settings: LBAgentSettings) -> bytes:
    """Return a digest of the files that TLS is made with, another one as soon as any of them is renewed."""
    found = hashlib.sha256()
    for file in sorted(_files(settings)):
        try:
            content = file.read_bytes()
        except OSError:
            content = b""
        found.update(f"{file} {len(content)} ".encode() + content)
    return found.digest()


def _files(settings: LBAgentSettings) -> Iterator[Path]:
    if settings.https_address:
        for path in certificate_paths(settings):
            yield from (
                (Path(folder, name) for folder, _, names in os.walk(path) for name in names) if path.is_dir() else (path,)
            )
    yield from filter(None, (client_authorities(settings), settings.server_authorities))


def quoted(word: str) -> str:
    """Return `word` as one word of the configuration, whatever is in it."""
    return "'" + word.replace("'", "'\\''") + "'"
