"""What people edit of a cluster, as values by the names of its form: compared, told of and merged one by one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from lbftp.clusters.drafts import MACHINES, complete, flat
from lbftp.clusters.models import Cluster

_COLUMNS: Final = (
    "name", "comment", "probe_worker", "probe_path", "probe_upload_folder", "guard_seconds", "confirm_by_hand",
)  # fmt: skip


def values(cluster: Cluster, hosts: Iterable[str] | None = None) -> dict[str, Any]:
    """All values as plain JSON; `hosts` are the names of its probe hosts where those are not stored yet.

    Each machine is one value, `routers.r1`, so that one who adds a machine and one who adds another do not meet.
    """
    draft = complete(cluster.draft)
    names = [host.name for host in cluster.probe_hosts.all()] if hosts is None else hosts
    account = cluster.probe_account

    return {
        **{name: getattr(cluster, name) for name in _COLUMNS},
        **flat(draft),
        **machines(draft),
        "probe_hosts": sorted(names),
        "probe_account": account.name if account else "",
    }


def machines(draft: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What a complete draft says of each machine, without its name."""
    found: dict[str, dict[str, Any]] = {}

    for part in MACHINES:
        for item in draft[part]:
            found[f"{part}.{item['name']}"] = {k: v for k, v in item.items() if k != "name"}

    return found


def version(found: Mapping[str, Any]) -> str:
    """A short digest of all values: another one as soon as anything was edited."""
    text = json.dumps(found, sort_keys=True, ensure_ascii=True)

    return hashlib.sha256(text.encode()).hexdigest()[:16]
