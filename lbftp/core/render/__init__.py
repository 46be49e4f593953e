"""spec, router, what the router holds -> what it must hold."""

from __future__ import annotations

from lbftp.core.render.desired import Desired, desired, services
from lbftp.core.render.preview import preview

__all__ = ["Desired", "desired", "preview", "services"]
