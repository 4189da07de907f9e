"""Everything that Tribute raises for a reason the user can act on.

    TributeError
    ├── WorkspaceError      a folder is not a workspace, or holds something unexpected
    │   └── ServerLostError     Prefect's server failed in mid-run
    ├── ConfigError         a run config, policy or command option is wrong
    ├── ContributionError   a contributed file or row is wrong
    ├── RegistryError       a dataset, version or ledger entry is missing or contradicts another
    ├── BaseModelError      base weights are missing, unpinned or not the ones recorded
    ├── TrainingError       a training could not start, run to its end or resume
    │   ├── DeviceMemoryError   what a GPU was asked for does not fit into its memory
    │   ├── KilledError         its process died; tried again, it goes on from its last checkpoint
    │   └── StoppedError        its process was asked to end
    ├── AttributionError    a trace, adapter and evaluation set do not fit together
    ├── ServiceError        a paid call is refused, or cannot be recorded
    ├── RewardError         a pool, policy or set of shares cannot be paid
    ├── StorageError        the bucket of shared artifacts cannot be used as it is set up
    │   └── StorageAwayError    … does not answer just now
    └── IntegrityError      stored bytes are not the ones that were recorded

A message says what was found, what was expected and what to do; it names file and line.
The command line prints it as one line and exits with 2. Passwords of URLs are masked, whoever quotes them.
"""

import re

_SECRETS = re.compile(r"(?<=://)([^/\s:@]*:)[^/\s]*@|(?<=https://)[^/\s:@]+@")
"""`user:password@` of a URL, and of https, where tokens stand alone, also `token@`."""


class TributeError(Exception):
    """The root of all of Tribute's own errors."""

    def __str__(self) -> str:
        """The message, which goes to terminals, logs and clients."""
        return _SECRETS.sub(lambda match: f"{match[1] or ''}***@", super().__str__())


class WorkspaceError(TributeError):
    """Raised when a folder is not a workspace, or holds something unexpected."""


class ServerLostError(WorkspaceError):
    """Raised when the Prefect server that a run uses fails while it works."""


class ConfigError(TributeError):
    """Raised when a run config, a policy or a command option is wrong."""


class ContributionError(TributeError):
    """Raised when a contributed file or one of its rows is wrong."""


class RegistryError(TributeError):
    """Raised when a dataset, version or ledger entry is missing or contradicts another."""


class BaseModelError(TributeError):
    """Raised when base weights are missing, unpinned or not the ones recorded."""


class TrainingError(TributeError):
    """Raised when a training could not start, run to its end or resume."""


class DeviceMemoryError(TrainingError):
    """Raised when a GPU's memory is full."""


class KilledError(TrainingError):
    """Raised when a process that trains or measures died of a signal, as where memory runs out. It may pass."""


class StoppedError(TrainingError):
    """Raised when a process that trains or measures was asked to end (SIGTERM); run again, it goes on."""


class TrackingError(TributeError):
    """MLflow cannot record a training, or has lost what it recorded."""


class AttributionError(TributeError):
    """Raised when a trace, an adapter and an evaluation set do not fit together."""


class ServiceError(TributeError):
    """Raised when a paid call is refused or cannot be recorded.

    `status` is the HTTP status that says so: 401 no valid key, 402 no money, 403 not with this key, 404 unknown,
    409 contradicts an earlier call, 410 forgotten, 422 cannot be, 500 set up wrongly, 503 the store does not answer.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class RewardError(TributeError):
    """Raised when a pool, a policy or a set of shares cannot be paid."""


class StorageError(TributeError):
    """Raised when the bucket of shared artifacts cannot be used as it is set up."""


class StorageAwayError(StorageError, ConnectionError):
    """Raised when the bucket of shared artifacts does not answer: it may later."""


class IntegrityError(TributeError):
    """Raised when stored bytes are not the ones that were recorded."""
