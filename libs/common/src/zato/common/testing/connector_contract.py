"""
What every connector promises. A test class of a protocol has a fixture `cluster` and inherits the tests:

    class TestAMQP(ConnectorContract):
        pass

with a `ConnectorCluster` of its own, which says how messages get to a channel.
"""

import contextlib
import itertools
import secrets
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator

import pytest

from zato.common.testing.connector_cluster import PATIENCE_S, ConnectorCluster
from zato.common.testing.waiting import eventually

PREFETCH = 50
# Of a channel to the service `gated`, before its messages wait.
_DONE = 200
# The promise is one second, on a machine that does nothing else.
_LONGEST_GAP_S = 10.0


def bodies(count: int, start: str = "m") -> list[str]:
    return [f"{start}-{number}" for number in range(count)]


def duplicates(counts: Counter[str]) -> int:
    return sum(counts.values()) - len(counts)


@pytest.mark.timeout(400)
class ConnectorContract:
    @pytest.fixture
    def name(self, cluster: ConnectorCluster) -> Iterator[str]:
        """Of a channel of the test's own, which is gone afterwards."""
        made = f"contract-{secrets.token_hex(3)}"
        yield made
        cluster.delete(made)

    def options(self, cluster: ConnectorCluster) -> dict[str, int]:
        return {cluster.prefetch: PREFETCH}

    def test_messages_reach_the_service_and_are_settled(self, cluster: ConnectorCluster, name: str) -> None:
        cluster.safe_channel(name, f"{cluster.protocol}.note")
        cluster.give(name, bodies(200))
        assert duplicates(cluster.await_all(name, bodies(200))) == 0
        eventually(lambda: cluster.is_empty(name), timeout_s=PATIENCE_S)
        status = cluster.status(name)
        assert (status.received, status.done, status.dead, status.in_flight, status.error) == (200, 200, 0, 0, "")

    def test_an_object_that_cannot_run_says_why_and_runs_once_it_can(self, cluster: ConnectorCluster, name: str) -> None:
        cluster.safe_channel(name, f"{cluster.protocol}.note")
        cluster.edit(name, **cluster.broken_options(name))
        eventually(lambda: (at := cluster.status(name)) and at.error and not at.is_connected, timeout_s=PATIENCE_S)
        cluster.edit(name, **cluster.whole_options(name))
        cluster.await_connected(name)
        cluster.give(name, ["after all"])
        cluster.await_all(name, ["after all"])

    def test_what_is_edited_under_load_loses_nothing_and_leaves_no_gap(self, cluster: ConnectorCluster, name: str) -> None:
        cluster.safe_channel(name, f"{cluster.protocol}.note", **self.options(cluster))
        sent = [bodies(10, f"e{part}") for part in range(60)]
        began = time.monotonic()
        moments: list[float] = []
        for at, part in enumerate(sent):
            cluster.give(name, part)
            cluster.await_all(name, part)
            moments.append(time.monotonic() - began)
            if at in (20, 40):
                cluster.edit(name, tries=at)
        gap_s = max(after - before for before, after in itertools.pairwise(moments))
        print(f"longest gap while it was edited twice: {gap_s:.2f} s")  # noqa: T201 (pytest shows it)
        assert gap_s < _LONGEST_GAP_S
        assert duplicates(Counter(cluster.lines(name))) <= PREFETCH
        eventually(lambda: cluster.is_empty(name), timeout_s=PATIENCE_S)

    def test_what_is_under_way_ends_when_it_is_told_to_stop(self, cluster: ConnectorCluster, name: str) -> None:
        connector = cluster.connectors[0]
        cluster.safe_channel(name, f"{cluster.protocol}.slow", **self.options(cluster))
        with cluster.giving(name, bodies(300)):
            eventually(lambda: cluster.lines(name), timeout_s=PATIENCE_S, what="the first message")
            connector.process.stop(20)
            done = len(cluster.lines(name))
            connector.start()
        counts = cluster.await_all(name, bodies(300))
        print(f"done when it had stopped: {done}; done twice: {duplicates(counts)}")  # noqa: T201
        assert done > 0
        # A quorum queue may give out once more what it was told of as the connection closed.
        assert duplicates(counts) <= PREFETCH

    @contextlib.contextmanager
    def thousand_under_way(self, cluster: ConnectorCluster, name: str, **options: int) -> Iterator[None]:
        """
        Make a channel with messages of which some are done, as many as it takes are in the service, and the rest waits.

        All of them are with the peer, which has confirmed that; a thousand are not done.
        """
        cluster.safe_channel(name, f"{cluster.protocol}.gated", **{**self.options(cluster), **options})
        sent = bodies(_DONE + 1000)
        with cluster.given(name, sent):
            eventually(lambda: len(cluster.lines(name)) == _DONE, timeout_s=PATIENCE_S, what="the first ones to be done")
            eventually(lambda: len(cluster.lines(f"{name}.begun")) > _DONE, timeout_s=PATIENCE_S, what="others to begin")
            yield
        cluster.await_all(name, sent)
        eventually(lambda: cluster.is_empty(name), timeout_s=PATIENCE_S)

    def test_a_killed_connector_with_a_thousand_messages_under_way_loses_nothing(
        self, cluster: ConnectorCluster, name: str
    ) -> None:
        connector = cluster.connectors[0]
        with self.thousand_under_way(cluster, name):
            connector.kill()
            cluster.open(name)
            connector.start()
        assert duplicates(Counter(cluster.lines(f"{name}.begun"))) <= PREFETCH

    def test_a_killed_server_with_a_thousand_messages_under_way_loses_nothing_and_blames_none(
        self, cluster: ConnectorCluster, name: str
    ) -> None:
        with self.thousand_under_way(cluster, name, tries=1):
            cluster.server.kill()
            cluster.open(name)
            cluster.server.start()
        assert duplicates(Counter(cluster.lines(f"{name}.begun"))) <= PREFETCH
        assert cluster.letters(name) == []

    def test_effects_are_once_with_an_inbox_though_server_and_connector_are_killed(
        self, cluster: ConnectorCluster, name: str
    ) -> None:
        connector = cluster.connectors[0]
        with self.thousand_under_way(cluster, name, inbox_s=600):
            # What was done is marked a moment later; killed in between it would be done again, see zato.server.messaging.inbox.
            eventually(lambda: cluster.remembered(name) == _DONE, timeout_s=PATIENCE_S, what="their marks")
            cluster.server.kill()
            cluster.open(name)
            cluster.server.start()
            eventually(lambda: len(cluster.lines(name)) > _DONE + 2 * PREFETCH, timeout_s=PATIENCE_S, what="messages to go on")
            connector.kill()
            print(f"done when the connector was killed: {len(cluster.lines(name))}")  # noqa: T201
            connector.start()
        assert duplicates(Counter(cluster.lines(name))) == 0
        assert duplicates(Counter(cluster.lines(f"{name}.begun"))) <= PREFETCH

    def test_a_channel_that_is_moved_away_and_back_under_load_loses_nothing(self, cluster: ConnectorCluster, name: str) -> None:
        cluster.safe_channel(name, f"{cluster.protocol}.note", **self.options(cluster))
        with cluster.giving(name, bodies(600)):
            eventually(lambda: cluster.lines(name), timeout_s=PATIENCE_S, what="the first message")
            cluster.edit(name, **cluster.broken_options(name))
            cluster.edit(name, **cluster.whole_options(name))
        assert duplicates(cluster.await_all(name, bodies(600))) <= PREFETCH
        eventually(lambda: cluster.is_empty(name), timeout_s=PATIENCE_S)

    def test_a_channel_that_is_deleted_under_load_and_made_again_loses_nothing_and_with_an_inbox_does_nothing_twice(
        self, cluster: ConnectorCluster, name: str
    ) -> None:
        options = {**self.options(cluster), "inbox_s": 600}
        cluster.safe_channel(name, f"{cluster.protocol}.note", **options)
        with cluster.giving(name, bodies(600)):
            eventually(lambda: cluster.lines(name), timeout_s=PATIENCE_S, what="the first message")
            again = cluster.whole_options(name)
            cluster.delete(name)
            cluster.safe_channel(name, f"{cluster.protocol}.note", **{**options, **again})
        assert duplicates(cluster.await_all(name, bodies(600))) == 0
        eventually(lambda: cluster.is_empty(name), timeout_s=PATIENCE_S)

    def test_another_replica_goes_on_when_one_is_killed(self, cluster: ConnectorCluster, name: str) -> None:
        first, second = cluster.connectors
        cluster.safe_channel(name, f"{cluster.protocol}.note", **self.options(cluster))
        second.start()
        try:
            eventually(lambda: cluster.status(name, 1), timeout_s=PATIENCE_S)
            with cluster.giving(name, bodies(1000)):
                eventually(lambda: cluster.lines(name), timeout_s=PATIENCE_S, what="the first message")
                first.kill()
            assert duplicates(cluster.await_all(name, bodies(1000))) <= PREFETCH
            assert second.is_connected(name)
        finally:
            second.process.stop(20)
            if not first.is_ready():
                first.start()
        cluster.await_connected(name)

    def test_a_poison_message_is_dead_after_exactly_its_tries_redriven_and_purged(
        self, cluster: ConnectorCluster, name: str
    ) -> None:
        cluster.safe_channel(name, f"{cluster.protocol}.fail", tries=3, retry_after_s=0.05)
        queue = f"channel-{cluster.protocol}:{name}"
        cluster.give(name, ["bad"])
        (letter,) = eventually(lambda: cluster.letters(name), timeout_s=PATIENCE_S, what="the dead letter")
        assert cluster.queues()[queue]["dead"] == 1
        assert cluster.lines(name) == ["bad"] * 3
        assert (letter["attempts"], letter["target"]) == (3, f"{cluster.protocol}.fail")
        assert "ValueError: the reason" in letter["reason"]
        assert letter["cid"]
        whole = cluster.server.invoke("zato.queue.get-message", {"queue": queue, "id": letter["id"]})
        assert whole["payload"].startswith("bad")
        assert cluster.server.invoke("zato.queue.redrive", {"queue": queue, "ids": [letter["id"]]}) == {"redriven": 1}
        eventually(lambda: len(cluster.lines(name)) == 6, timeout_s=PATIENCE_S)
        eventually(lambda: cluster.queues()[queue]["dead"] == 1, timeout_s=PATIENCE_S)
        eventually(
            lambda: cluster.server.invoke("zato.queue.purge", {"queue": queue, "all": True}) == {"deleted": 1},
            timeout_s=PATIENCE_S,
        )
        assert cluster.letters(name) == []
        assert cluster.is_empty(name)

    def test_a_message_that_kills_its_worker_is_dead_in_the_end_and_takes_none_along(
        self, cluster: ConnectorCluster, name: str
    ) -> None:
        cluster.safe_channel(name, f"{cluster.protocol}.kill", tries=3, retry_after_s=0.05)
        sent = bodies(20)
        cluster.give(name, [*sent[:10], "bad", *sent[10:]])
        (letter,) = eventually(lambda: cluster.letters(name), timeout_s=PATIENCE_S, what="the dead letter")
        assert letter["attempts"] == 3
        assert "went away, 3 times" in letter["reason"]
        assert letter["cid"]
        assert cluster.await_all(name, sent)["bad"] == 3
        eventually(lambda: cluster.is_empty(name), timeout_s=PATIENCE_S)

    @pytest.mark.parametrize("killed", ["connector", "server"])
    def test_a_message_that_kills_its_worker_has_exactly_its_tries_though_others_are_killed_between_them(
        self, cluster: ConnectorCluster, name: str, killed: str
    ) -> None:
        cluster.safe_channel(name, f"{cluster.protocol}.kill", tries=4, retry_after_s=2.0)
        with cluster.giving(name, ["bad", "good"]):
            # The third one of its tries is under way or has ended; in 4 s there is another one.
            eventually(lambda: cluster.lines(name).count("bad") == 3, timeout_s=PATIENCE_S, what="the third worker to die")
            part = cluster.connectors[0] if killed == "connector" else cluster.server
            part.kill()
            part.start()
            (letter,) = eventually(lambda: cluster.letters(name), timeout_s=PATIENCE_S, what="the dead letter")
        assert "went away, 4 times" in letter["reason"]
        assert letter["attempts"] == 4
        assert cluster.await_all(name, ["good"])["bad"] == 4
        eventually(lambda: cluster.is_empty(name), timeout_s=PATIENCE_S)

    def test_a_message_whose_service_fails_has_exactly_its_tries_though_its_connector_is_killed_between_them(
        self, cluster: ConnectorCluster, name: str
    ) -> None:
        connector = cluster.connectors[0]
        cluster.safe_channel(name, f"{cluster.protocol}.fail", tries=4, retry_after_s=2.0)
        with cluster.giving(name, ["bad"]):
            eventually(lambda: cluster.status(name).retried == 2, timeout_s=PATIENCE_S, what="the second try to have failed")
            connector.kill()
            connector.start()
            (letter,) = eventually(lambda: cluster.letters(name), timeout_s=PATIENCE_S, what="the dead letter")
        assert (len(cluster.lines(name)), letter["attempts"]) == (4, 4)
        eventually(lambda: cluster.is_empty(name), timeout_s=PATIENCE_S)

    def test_of_ten_thousand_malformed_messages_each_is_done_dead_or_refused_with_a_reason(
        self, cluster: ConnectorCluster, name: str
    ) -> None:
        cluster.safe_channel(name, f"{cluster.protocol}.note")
        taken = cluster.give_malformed(name)
        cluster.give(name, ["good"])
        patience_s = 4 * PATIENCE_S
        cluster.await_all(name, ["good"], timeout_s=patience_s)

        def settled() -> int:
            status = cluster.status(name)
            return int(status.done + status.dead)

        eventually(lambda: settled() == taken + 1, timeout_s=patience_s, what=f"{taken} messages to be done or dead")
        status = cluster.status(name)
        print(f"done: {status.done}, dead: {status.dead}")  # noqa: T201
        assert status.is_connected
        assert all(letter["reason"] for letter in cluster.letters(name))
        assert bool(cluster.letters(name)) == bool(status.dead)
        eventually(lambda: cluster.is_empty(name), timeout_s=PATIENCE_S)

    def test_numbers_are_there_for_prometheus(self, cluster: ConnectorCluster, name: str) -> None:
        cluster.safe_channel(name, f"{cluster.protocol}.note")
        cluster.give(name, bodies(5))
        cluster.await_all(name, bodies(5))
        labels = f'kind="channel-{cluster.protocol}",name="{name}"'

        def text() -> str:
            with urllib.request.urlopen(f"http://{cluster.http_address}/metrics", timeout=5) as response:  # nosec B310
                return str(response.read().decode())

        done = f'zato_connector_messages_total{{{labels},outcome="done"}} 5.0'
        eventually(lambda: done in text(), timeout_s=PATIENCE_S, what=done)
        assert f"zato_connector_connected{{{labels}}} 1.0" in text()
        assert "zato_connector_servers_reachable 1.0" in text()
