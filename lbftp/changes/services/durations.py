"""How long each run may take, from its row and its cluster; and whether a site's limits can keep what people set."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from lbftp.changes.models import Run
from lbftp.clusters.models import Cluster
from lbftp.clusters.specs import spec_of
from lbftp.core import durations
from lbftp.core.durations import Limits, Need
from lbftp.core.promise import promised
from lbftp.core.spec import ClusterSpec, SpecError, from_json


def limits_of(run: Run) -> Limits:
    """Of the run as it stands now; below what the broker allows, however many sessions there would be."""
    found, most = durations.limits(_need(run)), settings.VISIBILITY_TIMEOUT - 1
    return Limits(min(found.own, most), min(found.soft, most), min(found.hard, most))


def _need(run: Run) -> Need:
    if run.cluster is None:
        return Need(run.kind, settings.RUN_SECONDS, routers=max(1, len(run.router_ids)))
    cluster, params = run.cluster, run.change.params if run.change else {}
    spec = _spec(run, cluster)
    return Need(
        run.kind,
        settings.RUN_SECONDS,
        guard=cluster.guard_seconds,
        servers=len(spec.real_servers) if spec and run.kind == Run.Kind.SERVERS else 0,
        patience=int(params.get("patience", 0)),
        preempt_delay=spec.vrrp.preempt_delay if spec else 0,
        sessions=_sessions(cluster, spec),
        by_hand=cluster.confirm_by_hand and run.kind != Run.Kind.COMPLY,
    )


def _spec(run: Run, cluster: Cluster) -> ClusterSpec | None:
    """None where it cannot be read: then the run ends by that."""
    try:
        return from_json(run.revision.spec) if run.revision else spec_of(cluster)
    except (SpecError, KeyError, ValueError):
        return None


def _sessions(cluster: Cluster, spec: ClusterSpec | None) -> int:
    """One after the other, if each address of each place has its turn."""
    if spec is None or cluster.probe_account_id is None:
        return 0
    places: list[Any] = [host.source_addresses for host in cluster.probe_hosts.all()]
    addresses = sum(max(1, len(found)) for found in places) + cluster.probe_worker
    return addresses * len(promised(spec))
