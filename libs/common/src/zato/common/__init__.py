"""
What two or more parts of the platform use. Imports nothing of any part.

Users' services may import the names of `zato.common.api` from here: `from zato.common import DATA_FORMAT`.
"""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    # Published names begin with a capital, our modules do not: no part pays for what only services use.
    if name[0].isupper() and name in (api := import_module("zato.common.api")).__all__:
        return getattr(api, name)
    raise AttributeError(f"module 'zato.common' has no attribute {name!r}")
