"""Numbers for Prometheus: what was issued and refused, and what expires when."""

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

if TYPE_CHECKING:
    from zato.ca.registry import State


class Metrics:
    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self._issued = Counter("zato_ca_issued", "Certificates issued since the start", ["source"], registry=registry)
        self._refused = Counter("zato_ca_refused", "Requests refused since the start", ["reason"], registry=registry)
        self._revoked = Counter("zato_ca_revoked", "Certificates revoked since the start", registry=registry)
        self._valid = Gauge("zato_ca_valid_certificates", "Certificates that are valid", registry=registry)
        self._tokens = Gauge("zato_ca_open_tokens", "Enrolment tokens that can be used", registry=registry)
        self._next_expiry = Gauge(
            "zato_ca_next_expiry_timestamp_seconds", "When the next certificate expires, 0 without any", registry=registry
        )
        self._authorities = Gauge(
            "zato_ca_authority_expiry_timestamp_seconds",
            "When a root or intermediate expires",
            ["level", "name", "state"],
            registry=registry,
        )

    def count_issued(self, source: str) -> None:
        self._issued.labels(source).inc()

    def count_refused(self, reason: str) -> None:
        self._refused.labels(reason).inc()

    def count_revoked(self, count: int) -> None:
        self._revoked.inc(count)

    def render(self, state: "State") -> bytes:
        """Return the text that Prometheus reads."""
        self._valid.set(state.valid)
        self._tokens.set(state.open_tokens)
        self._next_expiry.set(state.next_expiry)
        self._authorities.clear()
        for record in state.authorities:
            labels = record.authority.level, record.authority.name, record.state
            self._authorities.labels(*labels).set(record.authority.not_after)
        return generate_latest(self._registry)
