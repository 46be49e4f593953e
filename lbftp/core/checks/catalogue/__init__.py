"""The one catalogue of everything that a check, a look at servers, a preflight, a lint or a plan
can say.

Each code stands here once. A finding takes its severity, its sentence and whether a re-apply
repairs it from here, and tests hold docs/findings.md, docs/ftp-servers.md and docs/lint.md against
it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lbftp.core.checks.catalogue.actions import ACTIONS
from lbftp.core.checks.catalogue.entry import Entry
from lbftp.core.checks.catalogue.lint import LINT
from lbftp.core.checks.catalogue.plan import PLAN
from lbftp.core.checks.catalogue.routers import ROUTERS
from lbftp.core.checks.catalogue.servers import SERVERS
from lbftp.core.checks.catalogue.world import WORLD

__all__ = ["CATALOGUE", "ENTRIES", "Entry", "entry"]

ENTRIES: Final = (*PLAN, *WORLD, *SERVERS, *LINT, *ROUTERS, *ACTIONS)
CATALOGUE: Final[Mapping[str, Entry]] = {one.code: one for one in ENTRIES}


def entry(code: str) -> Entry:
    """What `code` means. KeyError for a code that there is not."""
    return CATALOGUE[code]
