"""What a browser sends for the form of a cluster."""

from __future__ import annotations

from typing import Any

from lbftp.clusters.forms import ClusterForm
from lbftp.clusters.models import Cluster
from tests.worlds import World

Sent = dict[str, Any]


def untouched(world: World, cluster: Cluster | None = None) -> Sent:
    """Everything as the form shows it."""
    shown = {bound.name: bound.value() for bound in ClusterForm(team=world.team, cluster=cluster)}
    return {name: _sent(value) for name, value in shown.items() if value is not False}


def _sent(value: Any) -> Any:
    if isinstance(value, list):
        return value
    return "on" if value is True else str("" if value is None else value)


def typed(world: World, **changes: Any) -> Sent:
    """A second cluster of the world, with the first FTP server alone."""
    sent = {
        **untouched(world),
        "name": "media",
        "comment": "Films",
        "vip": "192.0.2.110",
        "floating": "10.0.50.5",
        "internal_network": "10.0.50.0/24",
        "mark": "31",
        "vrid": "31",
        "internal_vrid": "32",
        f"weight-{world.ftp1.pk}": "3",
        "probe_hosts": [str(world.client.pk)],
        "probe_account": str(world.account.pk),
        "probe_path": "pub/probe.bin",
    }
    del sent[f"server-{world.ftp2.pk}"]
    return {**sent, **changes}
