"""`zato.common.broker_message`: the one message that services give to `self.broker_client`, under its published name."""

from enum import Enum


class SERVICE(Enum):
    PUBLISH = "service-publish"


__all__ = ["SERVICE"]
