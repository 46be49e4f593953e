"""Looking at the routers of a pair side by side, each over a connection of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

import structlog

from lbftp.core import templates
from lbftp.core.job import Access
from lbftp.core.observe import connections
from lbftp.core.observe.answer import observed
from lbftp.core.observe.errors import ObserveError
from lbftp.core.observe.observed import Observed
from lbftp.core.observe.program import program
from lbftp.core.spec import ClusterSpec
from lbftp.core.templates import Templates
from workers.errors import WorkError
from workers.remote import Limits, Remote, connect

T = TypeVar("T")
Pair = Mapping[str, Remote]
# What a reader raises on text that it was never meant to see. Readers say ObserveError; this is for what they overlook.
_OVERLOOKED: Final = (ValueError, ArithmeticError, LookupError, TypeError, AttributeError, RecursionError)

log = structlog.get_logger(__name__)


@contextmanager
def connected(accesses: Sequence[Access], limits: Limits) -> Iterator[Pair]:
    """Connections to all of `accesses` by name, opened side by side. The first refusal ends the attempt."""
    with ExitStack() as stack:
        with ThreadPoolExecutor(max(1, len(accesses))) as pool:
            managers = [connect(access, limits) for access in accesses]
            futures = [pool.submit(manager.__enter__) for manager in managers]
            for manager, future in zip(managers, futures, strict=True):
                if future.exception() is None:
                    stack.push(manager)
        yield {access.name: future.result() for access, future in zip(accesses, futures, strict=True)}


def each(pair: Pair, job: Callable[[str, Remote], T]) -> dict[str, T]:
    """`job` on every router side by side; the first error is raised after all have ended."""
    with ThreadPoolExecutor(max(1, len(pair))) as pool:
        futures = {name: pool.submit(job, name, remote) for name, remote in pair.items()}
    return {name: future.result() for name, future in futures.items()}


def look(pair: Pair) -> dict[str, Observed]:
    """What each router holds now. Raises WorkError."""
    return each(pair, look_at)


def look_at(name: str, remote: Remote) -> Observed:
    """What one router holds now."""
    answer = remote.run(program())
    if answer.code != 0:
        raise WorkError(f"{name}: it cannot be looked at: {answer.err.strip()[-300:] or f'exit code {answer.code}'}")
    return understood(name, lambda: observed(name, answer.out))


def understood(name: str, read: Callable[[], T]) -> T:
    """What `read` makes of the machine's answer. Raises WorkError, whatever is wrong with it: it is the machine's."""
    try:
        return read()
    except ObserveError as error:
        raise WorkError(f"{name}: its answer is not understood: {error}") from error
    except _OVERLOOKED as error:
        log.exception("answer_not_understood", machine=name)
        raise WorkError(f"{name}: its answer is not understood ({type(error).__name__}).") from error


def kept(spec: ClusterSpec, pair: Pair) -> Templates:
    """Where persistence keeps which clients now, by the router that has them. Empty where it cannot be told."""
    answers = each(pair, lambda _name, remote: remote.run(templates.PROGRAM))
    try:
        tables = [
            understood(name, partial(templates.read, spec, answer.out.decode("ascii", "replace")))
            for name, answer in answers.items()
        ]
    except WorkError:
        return Templates()
    return templates.together(tables)


@dataclass(slots=True)
class Given:
    """From the connection tables of all routers: (client address, client port) -> real server's address, and how many
    connections each real server has (on the router where it has most: the other may hold copies)."""

    servers: dict[tuple[str, int], str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, pair: Pair) -> None:
        """What the tables hold now; what was in them before stays known, as closed connections leave them soon.

        Raises WorkError where that cannot be read.
        """
        for name, answer in each(pair, lambda _name, remote: remote.run(connections.PROGRAM)).items():
            text = answer.out.decode("ascii", "replace")
            self.servers |= understood(name, partial(connections.servers, text))
            for address, number in understood(name, partial(connections.counts, text)).items():
                self.counts[address] = max(number, self.counts.get(address, 0))
