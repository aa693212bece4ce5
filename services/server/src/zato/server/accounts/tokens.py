"""Tokens that people and their programs show with each call. Only their digests are kept."""

import hashlib
import secrets

# By this, whoever finds one knows what it is, and scanners of repositories can.
PREFIX = "zat_"
# What stands for it between sidecar and worker when a caller has none at all.
NO_TOKEN = "none"  # noqa: S105 (that is what it says)


def new_token() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """A token has 256 random bits: nothing slower is needed to keep it secret."""
    return hashlib.sha256(token.encode()).hexdigest()
