"""Whether everything that lbftp needs is there, and the signs of life that tell it."""

from __future__ import annotations

from lbftp.health.services.parts import Part, readiness
from lbftp.health.services.restarts import Restart, recent_restarts
from lbftp.health.services.signs import record_sign, record_tick, show_life

__all__ = ["Part", "Restart", "readiness", "recent_restarts", "record_sign", "record_tick", "show_life"]
