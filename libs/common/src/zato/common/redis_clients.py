"""Clients of Redis."""

from typing import Any

import redis


def redis_client(url: str, **options: Any) -> "redis.Redis":
    """
    Return a client that connects when it is needed.

    With each connection a client would tell Redis the version of its library, and read the library's metadata to find it:
    more work than all the rest of connecting.

    Args:
        url: e.g. "redis://127.0.0.1:6379/0" or "unix:///run/redis.sock".
        options: As `redis.Redis.from_url` takes them.
    """
    return redis.Redis.from_url(url, driver_info=None, **options)
