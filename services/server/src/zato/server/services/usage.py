"""How often services have run: counted in the worker, added up in Redis."""

import redis


class Usage:
    """
    Args:
        conn: Redis.
        key: A hash there, with the count of each service.
    """

    def __init__(self, conn: "redis.Redis", key: str) -> None:
        self._conn = conn
        self._key = key
        self._counts: dict[str, int] = {}

    def count(self, service: str) -> None:
        self._counts[service] = self._counts.get(service, 0) + 1

    def of(self, service: str) -> int:
        """Return how often the service has run in the whole cluster, as far as the workers have told."""
        self.flush()
        try:
            total = self._conn.hget(self._key, service)
        except redis.RedisError:
            total = None
        return int(total or 0) + self._counts.get(service, 0)

    def flush(self) -> None:
        """Add what was counted here to the counts in Redis; while that is away it is kept."""
        counts, self._counts = self._counts, {}
        if not counts:
            return
        try:
            with self._conn.pipeline(transaction=True) as pipeline:
                for service, count in counts.items():
                    pipeline.hincrby(self._key, service, count)
                pipeline.execute()
        except redis.RedisError:
            for service, count in counts.items():
                self._counts[service] = self._counts.get(service, 0) + count
