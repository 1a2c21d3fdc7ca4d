"""How a trial ends in its worker, as it travels to the search, and what the loop is told of it."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import Any

from automtl.errors import RunError, TrialFailedError
from automtl.search.assignment import Loop
from automtl.search.disk import DiskFailureError

__all__ = ["LESS_MEMORY", "Death", "Ended", "describe_failure", "ended_by", "tell"]

LESS_MEMORY = "fewer workers or a smaller batch_size need less"


@dataclass(frozen=True, slots=True)
class Ended:
    """A trial has ended by itself or was stopped: well, or with what went wrong.

    failure: (reason in one line, traceback). disk: (number, reason, path) of an error of the disk.
    unfit_machine: why no trial can run on the worker's machine. The latter two end the search.
    """

    failure: tuple[str, str] | None = None
    disk: tuple[Any, ...] | None = None
    unfit_machine: str = ""


@dataclass(frozen=True, slots=True)
class Death:
    """Why a trial's process is gone; `is_lost` if it may be of no fault of the trial's: its machine
    is gone, too, or was short of memory, or the trial had not begun."""

    reason: str
    text: str = ""
    is_lost: bool = False


def ended_by(error: Exception) -> Ended:
    """What becomes of a trial whose job raises; an exception itself might not travel."""
    if isinstance(error, DiskFailureError):
        return Ended(disk=(error.errno, error.strerror, error.filename))
    if isinstance(error, RunError):  # or this machine would use up one trial after the other
        return Ended(unfit_machine=str(error))
    return Ended(failure=describe_failure(error))


def tell(loop: Loop, number: int, how: Ended | Death) -> None:
    """Tells the loop how trial `number` ended; raises what ends the search."""
    if isinstance(how, Death):
        if how.is_lost:
            loop.lose(number, how.reason)
        else:
            loop.fail(number, how.reason, how.text)
    elif how.unfit_machine:
        raise RunError(how.unfit_machine)
    elif how.disk is not None:
        raise DiskFailureError(*how.disk)
    elif how.failure is not None:
        loop.fail(number, *how.failure)
    else:
        loop.complete(number)


def describe_failure(error: Exception) -> tuple[str, str]:
    """(reason in one line, traceback) of what ended a trial."""
    text = str(error) or "no message"
    known = isinstance(error, TrialFailedError)
    reason = text if known else f"{type(error).__name__}: {text}"
    return reason.splitlines()[0], "".join(traceback.format_exception(error))
