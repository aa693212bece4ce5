"""Numbers for Prometheus, read from what runs at the moment that somebody asks."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from zato.common.connectors.running import Keeper

_LABELS = ("kind", "name")


class Metrics:
    """
    Args:
        version: Says which version of the configuration was taken up last.
        is_reachable: Whether a server answered lately.
    """

    def __init__(self, keeper: Keeper, version: Callable[[], int], is_reachable: Callable[[], bool]) -> None:
        self._keeper = keeper
        self._version = version
        self._is_reachable = is_reachable
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def render(self) -> bytes:
        """Return the text that Prometheus reads."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        messages = CounterMetricFamily(
            "zato_connector_messages", "Messages since the start, by what became of them", labels=(*_LABELS, "outcome")
        )
        in_flight = GaugeMetricFamily("zato_connector_in_flight", "Messages that are not settled yet", labels=_LABELS)
        connected = GaugeMetricFamily("zato_connector_connected", "Whether the peer is there", labels=_LABELS)
        for slot in self._keeper.slots():
            labels = slot.configured.kind, slot.configured.name
            connected.add_metric(labels, float(slot.context.state.is_connected))
            counts = slot.context.counts
            for outcome in ("received", "done", "retried", "dead"):
                messages.add_metric((*labels, outcome), getattr(counts, outcome))
            if slot.context.made_intake is not None:
                in_flight.add_metric(labels, slot.context.made_intake.in_flight)
        yield from (messages, in_flight, connected)
        yield GaugeMetricFamily("zato_connector_config_version", "Configuration version that runs", value=self._version())
        reachable = float(self._is_reachable())
        yield GaugeMetricFamily("zato_connector_servers_reachable", "Whether a server answered lately", value=reachable)
