"""What can go wrong between a worker and a machine. Each message names the machine and says what to do.

These are failures of the world (a run ends as failed). Any other exception is a bug (a run ends as errored).
"""

from __future__ import annotations


class WorkError(Exception):
    """The run cannot go on. `retry`: the same again may work without anybody doing anything."""

    retry = False


class ConnectError(WorkError):
    """No usable SSH connection; nothing was run on the machine."""


class Unreachable(ConnectError):
    retry = True


class HostKeyRefused(ConnectError):
    """The machine's key is unknown or not the confirmed one. Nothing was sent to it."""

    def __init__(self, message: str, offered: str = "") -> None:
        super().__init__(message)
        self.offered = offered


class LoginRefused(ConnectError):
    pass


class SudoRefused(WorkError):
    """Logged in, but not allowed to act as root. Nothing was changed."""


class ConnectionLost(WorkError):
    """The connection ended while a program ran; what the program did is not known."""

    retry = True


class TooMuch(ConnectionLost):
    """A machine sent more than anybody reads, so the connection was closed; what the program did is not known."""

    retry = False


class TimedOut(WorkError):
    """A program did not end in its time and was stopped."""


class StepFailed(WorkError):
    """A step of an apply program failed on a router."""


class PlanChanged(WorkError):
    """What routers hold no longer fits the approved plan."""


class ProofFailed(WorkError):
    """Applied, but it does not work: differences are left, or FTP sessions fail."""


class Unconfirmed(WorkError):
    """Nobody confirmed the change in time."""


class OutOfTime(WorkError):
    """The run took longer than it may: nothing more is begun, and what it changed is put back."""


class Cancelled(WorkError):
    """A person cancelled the run: what it changed is put back, and nothing more is done."""


class NotRecorded(Exception):
    """The database does not take events or the heartbeat just now; the same again may work."""


class ClaimLost(Exception):
    """Another worker has this run now. Nothing more may be touched or reported."""
