"""Drafts get the names that the wider model uses: several control ports, VRRP as a part of its own.

What a draft lacks is filled with the guide's values when it is read, so that only old names are rewritten here.
"""

from django.db import migrations


def forwards(apps, _schema_editor):
    cluster_class = apps.get_model("clusters", "Cluster")
    for cluster in cluster_class.objects.all():
        cluster.draft = modern(cluster.draft)
        cluster.save(update_fields=["draft"])


def backwards(apps, _schema_editor):
    cluster_class = apps.get_model("clusters", "Cluster")
    for cluster in cluster_class.objects.all():
        cluster.draft = earlier(cluster.draft)
        cluster.save(update_fields=["draft"])


def modern(draft):
    """`control_port`, `vrid`, `advert_int` by the names of today. Both VRRP instances had the one id."""
    draft = dict(draft)
    port, vrid, interval = (draft.pop(name, None) for name in ("control_port", "vrid", "advert_int"))
    if port is not None:
        draft.setdefault("control_ports", [port])
    given = {"vrid": vrid, "internal_vrid": vrid, "advert_int": interval}
    if "vrrp" not in draft and any(value is not None for value in given.values()):
        draft["vrrp"] = {name: value for name, value in given.items() if value is not None}
    return draft


# What the earlier version knew; it refuses everything else.
EARLIER = (
    "vip", "floating", "internal_network", "mark", "passive", "scheduler", "persistence_timeout", "check", "routers",
    "real_servers",
)


def earlier(draft):
    """The same cluster as far as the earlier version could say it."""
    vrrp, ports = draft.get("vrrp", {}), draft.get("control_ports") or [21]
    kept = {name: draft[name] for name in EARLIER if name in draft}
    kept["check"] = {name: value for name, value in kept.get("check", {}).items() if name != "kind"}
    kept["real_servers"] = [{n: s[n] for n in ("name", "weight") if n in s} for s in kept.get("real_servers", [])]
    return {**kept, "control_port": ports[0], "vrid": vrrp.get("vrid", 21), "advert_int": vrrp.get("advert_int", 1)}


class Migration(migrations.Migration):

    dependencies = [("clusters", "0001_initial"), ("inventory", "0002_real_servers_have_ipv6")]

    operations = [migrations.RunPython(forwards, backwards)]
