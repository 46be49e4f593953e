"""Looking at many routers' live numbers side by side. A router that does not answer costs nobody else anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Final

import structlog

from lbftp.core.job import Look
from lbftp.core.observe import numbers
from lbftp.core.observe.errors import ObserveError
from lbftp.core.observe.numbers import Numbers
from workers.errors import WorkError
from workers.remote import Limits, connect

log = structlog.get_logger(__name__)

# An SSH connection has three waits (TCP, banner, login), then comes the program.
_WAITS: Final = 3


def limits_for(seconds: float, usual: Limits) -> Limits:
    """Limits under which a whole look ends within `seconds`."""
    connect_within = max(1, int(seconds * 0.5 / _WAITS))
    return Limits(min(usual.connect, connect_within), min(usual.program, max(2, int(seconds * 0.4))))


def sample(looks: Sequence[Look], limits: Limits) -> Iterator[tuple[Look, Numbers | str]]:
    """Each look with what its router said, or why it said nothing, in the order in which they end."""
    with ThreadPoolExecutor(max(1, len(looks))) as pool:
        futures = {pool.submit(_attempt, look, limits): look for look in looks}
        for future in as_completed(futures):
            yield futures[future], future.result()


def _attempt(look: Look, limits: Limits) -> Numbers | str:
    try:
        return look_at(look, limits)
    except (WorkError, ObserveError) as error:
        return str(error)
    except Exception as error:
        log.exception("sampling_errored", router=look.access.name)
        return f"{look.access.name}: lbftp itself failed ({type(error).__name__}); the worker's log has more."


def look_at(look: Look, limits: Limits) -> Numbers:
    """Raises WorkError, ObserveError."""
    with connect(look.access, limits) as remote:
        answer = remote.run(numbers.program(list(look.specs.values())))
    if answer.code != 0:
        said = answer.err.strip()[-200:] or f"exit code {answer.code}"
        raise WorkError(f"{look.access.name}: it gives no live numbers: {said}")
    return numbers.parse(answer.out.decode("utf-8", "replace"))
