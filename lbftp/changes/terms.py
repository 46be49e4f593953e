"""What an approval covers beside the plan: how the change is tested and guarded, and which machine each name means.

The terms are frozen with the plan and are part of the digest that people approve. Where they are others by the time of
the approval, of the apply or of the worker's claim, the plan is out of date.
"""

from __future__ import annotations

import hashlib
from typing import Final

from django.contrib.auth.models import User
from django.db.models import QuerySet

from lbftp.changes.models import ChangeRequest
from lbftp.clusters.models import Cluster, TermsEdit
from lbftp.core import hostkey
from lbftp.core.promise import promised
from lbftp.core.sessions import kind_row, label
from lbftp.core.spec import SpecError, canonical, from_json
from lbftp.inventory.models import ProbeHost, Router, ServerHost, SshHost

# [label, value] pairs in the order in which people read them.
Terms = list[list[str]]

SETTINGS: Final = "settings"
_NONE: Final = "none"
_UNKNOWN: Final = (
    "This plan was made before lbftp kept how a change is tested and guarded: plan it again, and have that approved."
)


def present(change: ChangeRequest) -> Terms:
    """The terms under which `change` would be carried out now."""
    if change.kind == ChangeRequest.Kind.POLICY:
        return [list(pair) for pair in change.params["terms"]]

    cluster = Cluster.objects.select_related("probe_account").get(pk=change.cluster_id)
    return [*_guard(cluster), *_tests(cluster, change), *_machines(change)]


def freeze(change: ChangeRequest) -> Terms:
    """The present terms, for a plan that is being kept; whoever had a part in them is an editor of `change`.

    Editors are read after the terms: somebody who changes them in between is one of them rather than not.
    """
    found = present(change)
    change.editors.add(*_edits(change, found).values_list("user", flat=True))
    return found


def digest(plan_digest: str, terms: Terms) -> str:
    """What people approve: one digest over the plan and its terms. '' where there is no plan."""
    if not plan_digest:
        return ""

    return hashlib.sha256(canonical([plan_digest, terms]).encode()).hexdigest()


def outdated(change: ChangeRequest) -> str:
    """Why the plan's terms hold no more, as a sentence that names them; '' while they do."""
    if not change.terms:
        return _UNKNOWN if change.plan_digest else ""

    changed = _differences(change.terms, present(change))
    if not changed:
        return ""

    return (
        f"How this change is tested or guarded was changed since it was planned: {'; '.join(changed)}. "
        "Plan it again, and have the new plan approved."
    )


def covered(change: ChangeRequest) -> None:
    """`change` was approved and applied under its terms: whoever had a part in them has none in what comes after.

    Not where they were changed again meanwhile: that edit has been approved by nobody.
    """
    edits = _edits(change, change.terms)
    if change.terms == present(change):
        edits.filter(user__in=change.editors.all()).delete()


def edited(user: User, cluster: Cluster) -> None:
    """`user` changed how changes of `cluster` are tested or guarded: a part in each until one is applied."""
    TermsEdit.objects.get_or_create(cluster=cluster, user=user, what=SETTINGS)


def edited_machine(user: User, host: SshHost) -> None:
    """`user` changed which machine the name of `host` means: a part in changes of the clusters that may use it."""
    clusters = Cluster.objects.filter(team=host.team_id)
    if isinstance(host, ProbeHost):
        for cluster in clusters.filter(probe_hosts=host):
            edited(user, cluster)
        return

    what = _title(host)
    for cluster in clusters.select_related("applied"):
        if _uses(cluster, host):
            TermsEdit.objects.get_or_create(cluster=cluster, user=user, what=what)


def _edits(change: ChangeRequest, found: Terms) -> QuerySet[TermsEdit]:
    """What people did to the terms `found`, as far as no change was applied with it."""
    if change.kind == ChangeRequest.Kind.POLICY:
        return TermsEdit.objects.none()

    labels = [label for label, _ in found]
    return TermsEdit.objects.filter(cluster=change.cluster_id, what__in=[SETTINGS, *labels])


def _uses(cluster: Cluster, host: SshHost) -> bool:
    """Whether the draft, what is applied, or a revision that was proposed since names the machine."""
    part = "routers" if isinstance(host, Router) else "real_servers"
    since = cluster.applied.number if cluster.applied else 0
    specs = [cluster.draft, *cluster.revisions.filter(number__gte=since).values_list("spec", flat=True)]
    return any(item.get("name") == host.name for spec in specs for item in spec.get(part, []))


def _title(host: SshHost) -> str:
    return f"{'Router' if isinstance(host, Router) else 'Real server'} {host.name}"


def _guard(cluster: Cluster) -> Terms:
    by = "a person, once it was tested" if cluster.confirm_by_hand else "lbftp, once it was tested"

    return [
        ["Auto-rollback", f"after {cluster.guard_seconds} s without confirmation"],
        ["Confirmed by", by],
    ]


def _tests(cluster: Cluster, change: ChangeRequest) -> Terms:
    account = cluster.probe_account
    if account is None or not (cluster.probe_worker or cluster.probe_hosts.exists()):
        return [["Tested from", "nowhere: no FTP session is made"]]

    rows = [["Tested by", _sessions(change)]]
    rows += [[f"Tested from {host.name}", _place(host)] for host in _hosts(cluster)]
    if cluster.probe_worker:
        rows.append(["Tested from the worker", "yes"])

    return [
        *rows,
        ["FTP account", f"{account.name} (user {account.username})"],
        ["File fetched", cluster.probe_path or _NONE],
        ["Upload folder", cluster.probe_upload_folder or _NONE],
    ]


def _hosts(cluster: Cluster) -> list[ProbeHost]:
    return list(cluster.probe_hosts.select_related("credential").order_by("name"))


def _sessions(change: ChangeRequest) -> str:
    try:
        kinds = promised(from_json(change.revision.spec))
    except SpecError:
        return _NONE

    return "FTP sessions: " + ", ".join(label(kind_row(kind)) for kind in kinds)


def _place(host: ProbeHost) -> str:
    sources = ", ".join(map(str, host.source_addresses))
    return _reached(host) + (f"; sessions from {sources}" if sources else "")


def _machines(change: ChangeRequest) -> Terms:
    """The routers of the revision; of the real servers only those whose files the change sets."""
    team = change.cluster.team_id
    spec = change.revision.spec
    names = [str(item["name"]) for item in spec.get("routers", [])]
    routers = Router.objects.filter(team=team, name__in=names).select_related("credential").order_by("name")
    rows = [[_title(host), _reached(host)] for host in routers]
    if change.kind == ChangeRequest.Kind.SERVERS:
        servers = ServerHost.objects.filter(team=team, name__in=change.params.get("servers", []))
        rows += [[_title(host), _reached(host)] for host in servers.select_related("credential").order_by("name")]

    return rows


def _reached(host: SshHost) -> str:
    key = _key(host.host_key) if host.host_key else "none confirmed"
    return f"{host.credential.username}@{host.address}, port {host.port}, host key {key}"


def _key(line: str) -> str:
    try:
        return hostkey.fingerprint(line)
    except SpecError:
        return line


def _differences(before: Terms, now: Terms) -> list[str]:
    """What differs, as "label: old, now new"."""
    was, becomes = _mapped(before), _mapped(now)
    labels = list(dict.fromkeys([*was, *becomes]))

    return [
        f"{name}: {was.get(name, _NONE)}, now {becomes.get(name, _NONE)}"
        for name in labels
        if was.get(name) != becomes.get(name)
    ]


def _mapped(terms: Terms) -> dict[str, str]:
    return {label: value for label, value in terms}  # noqa: C416 - mypy knows that a list has two parts only here
