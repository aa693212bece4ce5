"""A network that is cut between a connector and its brokers for half a minute, in each of the ways that networks have."""

import time
from collections.abc import Mapping, Sequence

from zato.common.testing.connector_cluster import PATIENCE_S, ConnectorCluster
from zato.common.testing.fault_proxy import FaultProxy
from zato.common.testing.steady import SteadySender
from zato.common.testing.waiting import eventually

FAULTS = ("freeze", "half_open", "cut")
# The promise is five seconds, on a machine that does nothing else.
LONGEST_BACK_S = 20.0
PARTITION_S = 30.0


def cut_off(
    cluster: ConnectorCluster,
    names: Mapping[str, str],
    proxies: Mapping[str, FaultProxy],
    senders: Mapping[str, Sequence[SteadySender]],
) -> None:
    """
    Have each fault at its proxy, all at the same time, for half a minute, and then see that consumers are back and all goes on.

    Args:
        names: Of channels behind the proxies, by fault.
        senders: By fault; the first of each is at the broker's side, and goes on while the others wait.
    """
    for fault in names:
        for each in senders[fault]:
            each.await_more(10)
        getattr(proxies[fault], fault)()

    def are_lost() -> bool:
        return not any(cluster.status(name).is_connected for name in names.values())

    eventually(are_lost, timeout_s=PATIENCE_S, what="the loss to be noticed")
    for at_its_side, *_ in senders.values():
        at_its_side.await_more(10)
    time.sleep(PARTITION_S)
    for proxy in proxies.values():
        proxy.restore()
    await_back(cluster, list(names.values()))
    for fault in names:
        for each in senders[fault]:
            each.await_more(10)


def await_back(cluster: ConnectorCluster, names: Sequence[str]) -> None:
    """Wait until channels are connected, whose broker answers again since just now; say how long that took."""
    began = time.monotonic()
    for name in names:
        cluster.await_connected(name)
    back_s = time.monotonic() - began
    print(f"{', '.join(names)}: back {back_s:.2f} s after the broker")  # noqa: T201 (pytest shows it)
    assert back_s < LONGEST_BACK_S
