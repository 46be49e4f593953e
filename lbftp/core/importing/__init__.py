"""What already runs on routers -> proposals of clusters. Nothing is changed by looking."""

from __future__ import annotations

from lbftp.core.importing.propose import propose
from lbftp.core.importing.values import InTheWay, Leftover, Proposal

__all__ = ["InTheWay", "Leftover", "Proposal", "propose"]
