"""Work on many rows, each for itself: what is wrong with one is told with its reason, and the others go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import structlog
from django.db import transaction

from lbftp.core.printable import visible
from lbftp.core.secrecy import hidden
from lbftp.database import AWAY

T = TypeVar("T")
R = TypeVar("R")

log = structlog.get_logger(__name__)


def each_alone(
    rows: Iterable[T], act: Callable[[T], R], *, what: str, failed: Callable[[T, Exception], object] | None = None
) -> list[R]:
    """What `act` returned for each row that it could be done for, each in a transaction of its own.

    Another row's error is logged as `what`, and `failed` is called with it, to be told to people. Raises only what
    says that the database is away: that is no row's fault.
    """
    done = []
    for row in rows:
        try:
            with transaction.atomic():
                done.append(act(row))
        except AWAY:
            raise
        except Exception as error:
            log.exception(what, row=str(row)[:200])
            if failed is not None:
                _tell(row, error, what, failed)
    return done


def _tell(row: T, error: Exception, what: str, failed: Callable[[T, Exception], object]) -> None:
    try:
        with transaction.atomic():
            failed(row, error)
    except AWAY:
        raise
    except Exception:
        log.exception(f"{what}_not_told", row=str(row)[:200])


def reason(error: Exception) -> str:
    """One sentence about an error that nobody expected, for a column that people read."""
    said = visible(str(hidden(str(error))), 120)
    return f"lbftp itself failed ({type(error).__name__}: {said}); the worker's log has more."
