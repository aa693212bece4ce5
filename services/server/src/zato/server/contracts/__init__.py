"""What tests of connection types need: the suites that all types pass, and real servers for them."""

import pytest

# Registered before it is loaded, so that its asserts say what was compared.
pytest.register_assert_rewrite("zato.server.contracts.connection_contract")
