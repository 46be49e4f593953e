"""Going back to what was there before an earlier run: what checkpoints tell, the plan of the way back, its proof."""

from __future__ import annotations

from lbftp.core.rollback.plan import Request, roll_back
from lbftp.core.rollback.proof import SAVED, remains
from lbftp.core.rollback.record import Record, record_of, record_text

__all__ = ["SAVED", "Record", "Request", "record_of", "record_text", "remains", "roll_back"]
