"""Tests of services, in the tests' own process: no server, no database, no Redis. See `service_case` and `sandbox`."""

from zato.server.testing.sandbox import Sandbox, make_invoker
from zato.server.testing.service_case import ServiceTestCase

__all__ = ["Sandbox", "ServiceTestCase", "make_invoker"]
