"""What a team wants: one FTP cluster behind a pair of LVS routers, as immutable values.

Every value that reaches a configuration line or a shell is checked here, once, by an allow-list. A spec that exists is
therefore safe to render; the renderers check again all the same (`lbftp.core.render`).
"""

from __future__ import annotations

from lbftp.core.spec.cluster import ClusterSpec, Side
from lbftp.core.spec.codec import from_json, to_json
from lbftp.core.spec.parts import (
    SCHEDULER_FLAGS,
    SCHEDULERS,
    HealthCheck,
    PortRange,
    RealServerSpec,
    RouterSpec,
    SorryServer,
    Vrrp,
)
from lbftp.core.spec.values import FAMILIES, Family, SpecError, canonical, cluster_name

__all__ = [
    "FAMILIES", "SCHEDULERS", "SCHEDULER_FLAGS", "ClusterSpec", "Family", "HealthCheck", "PortRange",
    "RealServerSpec", "RouterSpec", "Side", "SorryServer", "SpecError", "Vrrp", "canonical", "cluster_name",
    "from_json", "to_json",
]  # fmt: skip
