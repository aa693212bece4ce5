"""
What can go wrong with HAProxy. The first two reach whoever called; the others end the start of the agent or are retried.

    ZatoError
    ├── BadRequest
    │   └── InvalidConfiguration    HAProxy refuses a configuration; the old one stays
    └── Unavailable
        ├── HAProxyUnavailable      HAProxy does not run, or does not answer at its sockets
        ├── HAProxyNotInstalled     no program, or one that is too old
        ├── HAProxyNotStarted       it ended right after its start
        │   └── PortTaken           somebody else listens where clients are to connect
        └── WorkFolderInUse         another agent runs from the same folder
"""

from zato.common.errors import BadRequest, Unavailable


class InvalidConfiguration(BadRequest):
    """`reason` is HAProxy's own first line about it."""


class HAProxyUnavailable(Unavailable):
    pass


class HAProxyNotInstalled(Unavailable):
    pass


class HAProxyNotStarted(Unavailable):
    """`reason` is HAProxy's own first line about it."""


class PortTaken(HAProxyNotStarted):
    pass


class WorkFolderInUse(Unavailable):
    pass
