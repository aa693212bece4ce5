"""`self.environ`: what hooks and handlers of one invocation share."""

from typing import Any

from bunch import Bunch


class Environ(Bunch):
    """What is missing is None, so that services and hooks may ask before anyone has set it."""

    def __getattr__(self, name: str) -> Any:
        # Protocols of Python, pickle and copy among them, ask for special names and have to hear that there are none.
        if name.startswith("__"):
            raise AttributeError(name)
        return self.get(name)
