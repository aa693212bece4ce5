"""Client libraries that only some types need, and that are installed by the name of an extra."""

import importlib
from typing import Any

from zato.common.errors import Unavailable


def need(module: str, extra: str) -> Any:
    """
    Return the module.

    Raises:
        Unavailable: It is not installed; says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as exc:
        if not module.startswith(f"{exc.name}"):
            raise
        package = module.partition(".")[0]
        raise Unavailable(
            f"This type of connection needs the Python package '{package}': install it with pip install 'zato-server[{extra}]'"
        ) from exc
