"""What a certificate is granted: a token carries it, a renewal repeats it."""

import dataclasses
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from zato.ca.errors import BadGrant
from zato.ca.lifetimes import Limits
from zato.ca.names import checked_part_name, is_wildcard, normal_name
from zato.common.rpc.roles import CALLERS_ONLY, ROLES

_CALLER = (ExtendedKeyUsageOID.CLIENT_AUTH,)
# A part calls others and is called, so it needs both.
_PART = (ExtendedKeyUsageOID.SERVER_AUTH, *_CALLER)
# "part" and "client" have no role: they are for programs of the user's own, which no part of ours lets in.
PURPOSES: dict[str, tuple[x509.ObjectIdentifier, ...]] = {
    "part": _PART,
    "client": _CALLER,
    **{role: _CALLER if role in CALLERS_ONLY else _PART for role in ROLES},
}
_MAX_NAMES = 100


@dataclass(frozen=True)
class Grant:
    """
    Args:
        name: Of the part, e.g. "server1"; the common name.
        alternative_names: DNS names and IP addresses where it is found.
        purpose: One of PURPOSES.
        lifetime_s: Of its certificates, seconds.
    """

    name: str
    alternative_names: tuple[str, ...] = ()
    purpose: str = "part"
    lifetime_s: float = 0.0
    is_wildcard_allowed: bool = False


def checked_grant(grant: Grant, limits: Limits) -> Grant:
    """Return the grant with its names in their normal form and its lifetime filled in. Raises BadGrant."""
    if grant.purpose not in PURPOSES:
        raise BadGrant(f"There is no purpose {grant.purpose[:100]!r}; there are: {', '.join(PURPOSES)}")
    if len(grant.alternative_names) > _MAX_NAMES:
        raise BadGrant(f"A certificate has at most {_MAX_NAMES} alternative names, not {len(grant.alternative_names)}")
    names = tuple(dict.fromkeys(map(normal_name, grant.alternative_names)))
    wildcards = [name for name in names if is_wildcard(name)]
    if wildcards and not grant.is_wildcard_allowed:
        raise BadGrant(f"{wildcards[0]!r} stands for any host: allow wildcards expressly, or name the hosts")
    if not names and PURPOSES[grant.purpose] != _CALLER:
        raise BadGrant(f"{grant.name!r} is called by others, so it needs the names or addresses where they find it")
    lifetime_s = grant.lifetime_s or limits.lifetime_s
    if not 0 < lifetime_s <= limits.max_lifetime_s:
        raise BadGrant(f"A certificate is valid for at most {limits.max_lifetime_s:g} s here, not {lifetime_s:g}")
    return dataclasses.replace(grant, name=checked_part_name(grant.name), alternative_names=names, lifetime_s=lifetime_s)
