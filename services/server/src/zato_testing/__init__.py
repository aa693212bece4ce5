"""The test kit under the name that published tests import: `from zato_testing import ServiceTestCase`."""

from zato.server.testing.service_case import ServiceTestCase

__all__ = ["ServiceTestCase"]
