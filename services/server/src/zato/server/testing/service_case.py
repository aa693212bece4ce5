"""
A test case for users' services.

    from zato.server.testing import ServiceTestCase

    class TestGetCustomer(ServiceTestCase):
        def test_returns_customer_details(self):
            self.set_response("crm.api", {"name": "Jane"})
            service = self.invoke(GetCustomer, {"customer_id": "123"})
            self.assertEqual(service.response.payload["name"], "Jane")
"""

import unittest
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zato.server.testing.sandbox import Sandbox

if TYPE_CHECKING:
    from zato.server.service import Service
    from zato.server.testing.stubs import Call


class ServiceTestCase(unittest.TestCase):
    """Each test has a sandbox of its own: `self.sandbox`. What tests need most is here under shorter names."""

    def setUp(self) -> None:
        super().setUp()
        self.sandbox = Sandbox()

    def set_response(self, connection: str, response: Any = "", **options: Any) -> None:
        """Say what an outgoing connection answers; see `StubConnections.set_response`."""
        self.sandbox.connections.set_response(connection, response, **options)

    def set_service_response(self, name: str, response: Any = "") -> None:
        """Let another service answer with `response`, or raise it, or what `response` returns for its payload."""
        self.sandbox.set_service_response(name, response)

    def set_config(self, values: Mapping[str, Any]) -> None:
        """Say what `self.user_config` holds."""
        self.sandbox.set_config(values)

    def invoke(self, service: "type[Service] | str", payload: Any = "", **options: Any) -> "Service":
        """Run a service and return its instance; see `Sandbox.invoke`."""
        return self.sandbox.invoke(service, payload, **options)

    def get_calls(self, connection: str) -> "list[Call]":
        """Return the calls that were made through an outgoing connection."""
        return self.sandbox.connections.calls(connection)
