"""What every connector promises, kept by this one."""

from zato.common.testing.connector_contract import ConnectorContract


class TestAMQP(ConnectorContract):
    pass
