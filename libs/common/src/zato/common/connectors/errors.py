"""
What becomes of a message that could not be sent, or not be delivered.

    ZatoError
    ├── Unavailable
    │   ├── NotSent     nobody has it; it may be sent again
    │   └── InDoubt     the peer may have it: sent again under the same id it may be there twice
    ├── BadRequest
    │   └── Refused     the peer does not take it, however often it is sent
    └── Conflict
        └── StaleLease  another connector serves the channel by now
"""

from zato.common.errors import BadRequest, Conflict, Unavailable


class NotSent(Unavailable):
    pass


class InDoubt(Unavailable):
    pass


class Refused(BadRequest):
    pass


class StaleLease(Conflict):
    pass
