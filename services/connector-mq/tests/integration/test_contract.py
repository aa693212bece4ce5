"""What every connector promises, kept by this one."""

from zato.common.testing.connector_cluster import ConnectorCluster
from zato.common.testing.connector_contract import ConnectorContract


class TestMQ(ConnectorContract):
    def options(self, cluster: ConnectorCluster) -> dict[str, int]:
        # Each message has a connection of its own: fewer than those who have all on one take.
        return {cluster.prefetch: 20}
