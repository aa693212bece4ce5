"""
What servers answer to a scheduler, beside the errors that everybody knows.

    ZatoError
    └── Conflict
        ├── StaleEpoch      another scheduler leads by now
        └── JobsPaused      no job fires until somebody resumes them
"""

from zato.common.errors import Conflict


class StaleEpoch(Conflict):
    pass


class JobsPaused(Conflict):
    pass
