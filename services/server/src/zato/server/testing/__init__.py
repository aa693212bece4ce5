"""What tests of the server, and of connection types that others bring, need."""

import pytest

# Loaded before the modules below, so that their asserts say what was compared.
pytest.register_assert_rewrite("zato.server.testing.connection_contract")
