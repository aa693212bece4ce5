"""Pauses between attempts to connect, and what is logged of messages."""

import random
import threading

from zato.common.logs import get_logger
from zato.connector_mq.kinds import DefinitionOptions
from zato.connector_mq.messages import MQMessage

log = get_logger(__name__)

_FIRST_WAIT_S = 0.2
_LONGEST_WAIT_S = 3.0


class Waiting:
    """Each time longer, until something worked; over at once when `stop` is set."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._wait_s = _FIRST_WAIT_S

    def wait(self) -> None:
        # Not all that a peer served come back in the same moment.
        self._stop.wait(self._wait_s * random.uniform(0.5, 1.0))  # noqa: S311
        self._wait_s = min(self._wait_s * 2, _LONGEST_WAIT_S)

    def reset(self) -> None:
        self._wait_s = _FIRST_WAIT_S


def log_body(event: str, definition: DefinitionOptions, queue: str, message: MQMessage, at_most: int | None = None) -> None:
    """Log the beginning of a message, if somebody wants it logged."""
    length = definition.max_chars_printed if at_most is None else at_most
    if length > 0:
        log.info(event, queue=queue, body=message.body[: length * 4].decode(errors="replace")[:length])
