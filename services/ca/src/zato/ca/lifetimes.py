"""How long things last, in seconds."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Lifetimes in seconds: what a certificate gets when nobody says, the most it may get, and the same of tokens.

    Args:
        reusable_token_lifetime_s: Of tokens that are used more than once, for containers: what they get, and the most.
    """

    lifetime_s: float = 86400.0
    max_lifetime_s: float = 86400.0
    token_lifetime_s: float = 3600.0
    max_token_lifetime_s: float = 7 * 86400.0
    reusable_token_lifetime_s: float = 10 * 365 * 86400.0


@dataclass(frozen=True)
class Lifetimes:
    """
    Args:
        root_s, intermediate_s: How long authorities are valid, seconds.
        root_notice_s: Between a new root is trusted and it issues: all parts have to hear of it meanwhile.
        renewed_part: After this part of its life the next authority is made.
    """

    root_s: float = 10 * 365 * 86400.0
    intermediate_s: float = 365 * 86400.0
    root_notice_s: float = 86400.0
    renewed_part: float = 2 / 3
