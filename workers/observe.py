"""Looking at the routers of a pair side by side, each over a connection of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

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
    try:
        return observed(name, answer.out)
    except ObserveError as error:
        raise WorkError(f"{name}: its answer is not understood: {error}") from error


def kept(spec: ClusterSpec, pair: Pair) -> Templates:
    """Where persistence keeps which clients now, by the router that has them. Empty where it cannot be told."""
    answers = each(pair, lambda _name, remote: remote.run(templates.PROGRAM))
    try:
        return templates.together(templates.read(spec, a.out.decode("ascii", "replace")) for a in answers.values())
    except ObserveError:
        return Templates()


@dataclass(slots=True)
class Given:
    """From the connection tables of all routers: (client address, client port) -> real server's address, and how many
    connections each real server has (on the router where it has most: the other may hold copies)."""

    servers: dict[tuple[str, int], str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, pair: Pair) -> None:
        """What the tables hold now; what was in them before stays known, as closed connections leave them soon."""
        for answer in each(pair, lambda _name, remote: remote.run(connections.PROGRAM)).values():
            text = answer.out.decode("ascii", "replace")
            self.servers |= connections.servers(text)
            for address, number in connections.counts(text).items():
                self.counts[address] = max(number, self.counts.get(address, 0))
