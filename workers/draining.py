"""Looking at what drained real servers still have: both routers of each cluster side by side."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog

from lbftp.core import sessions_left
from lbftp.core.job import Access
from lbftp.core.observe.errors import ObserveError
from lbftp.core.sessions_left import Table
from lbftp.core.spec import ClusterSpec
from workers.errors import WorkError
from workers.remote import Limits, connect

log = structlog.get_logger(__name__)


def look(spec: ClusterSpec, routers: Sequence[Access], limits: Limits) -> Table | str:
    """What the pair has left, or why nobody knows.

    One router's silence is let pass only if the other one holds the VIP: else the sessions may be with the silent one,
    and a server is not called empty that nobody asked about.
    """
    with ThreadPoolExecutor(max(1, len(routers))) as pool:
        answers = list(pool.map(lambda access: _attempt(spec, access, limits), routers))
    tables = [a for a in answers if isinstance(a, Table)]
    silent = [a for a in answers if isinstance(a, str)]
    if not tables or (silent and not any(t.master for t in tables)):
        return "; ".join(silent) or "The cluster has no router."
    return sessions_left.together(tables)


def _attempt(spec: ClusterSpec, access: Access, limits: Limits) -> Table | str:
    try:
        return look_at(spec, access, limits)
    except (WorkError, ObserveError) as error:
        return str(error)
    except Exception as error:
        log.exception("draining_errored", router=access.name)
        return f"{access.name}: lbftp itself failed ({type(error).__name__}); the worker's log has more."


def look_at(spec: ClusterSpec, access: Access, limits: Limits) -> Table:
    """Raises WorkError, ObserveError."""
    with connect(access, limits) as remote:
        answer = remote.run(sessions_left.PROGRAM)
    if answer.code != 0:
        raise WorkError(f"{access.name}: it does not tell its connections: exit code {answer.code}")
    return sessions_left.read(spec, answer.out.decode("utf-8", "replace"))
