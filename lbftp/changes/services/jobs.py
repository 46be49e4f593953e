"""Builds what a worker is handed for a run: plain values with the secrets opened. The only place that opens them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from django.conf import settings

from lbftp.accounts.models import Team
from lbftp.changes.errors import Refused
from lbftp.changes.models import Run
from lbftp.changes.services.durations import limits_of
from lbftp.clusters.models import Cluster
from lbftp.clusters.specs import other_specs, spec_of
from lbftp.core.job import REVISION, Access, Job, Probe
from lbftp.core.spec import ClusterSpec, from_json
from lbftp.inventory.crypto import Sealed, SecretLost, opened
from lbftp.inventory.models import Credential, ProbeHost, Router, ServerHost, SshHost
from lbftp.proofs.services.rests import resting

_HOSTS: dict[str, type[SshHost]] = {"router": Router, "probehost": ProbeHost, "serverhost": ServerHost}


def job_for(run: Run) -> Job:
    """The job of a claimed run. Raises Refused or SpecError if what it needs is not there any more."""
    return dataclasses.replace(_job_for(run), seconds=limits_of(run).own)


def _job_for(run: Run) -> Job:
    if run.kind == Run.Kind.IMPORT:
        return Job(run_id=run.pk, kind=run.kind, fence=run.fence, routers=_to_import(run))
    if run.cluster is None:
        return Job(
            run_id=run.pk,
            kind=run.kind,
            fence=run.fence,
            target=_target(run),
            target_kind=run.host_kind,
            target_id=run.host_id or 0,
        )
    spec = _spec(run, run.cluster)
    names = [r.name for r in spec.routers]
    return Job(
        run_id=run.pk,
        kind=run.kind,
        fence=run.fence,
        spec=spec,
        previous=from_json(run.cluster.applied.spec) if run.cluster.applied else None,
        applied_number=run.cluster.applied.number if run.cluster.applied else 0,
        approved_digest=_approved_digest(run),
        routers=accesses(run.team, names),
        probes=_probes(run.cluster),
        others=tuple(other_specs(run.team, names, but=run.cluster)),
        reapply=run.reapply,
        guard=run.cluster.guard_seconds,
        owner=settings.MANAGER_NAME,
        dry=run.dry,
        by_hand=run.cluster.confirm_by_hand and run.kind != Run.Kind.COMPLY,
        change=run.change.kind if run.change else REVISION,
        params=run.change.params if run.change else {},
        resting=frozenset(resting(run.team, names)),
        servers=_servers(run, spec),
    )


def access_to(host: SshHost) -> Access:
    """How to log in to a machine, outside a run: for looks only."""
    return _access(host)


def _approved_digest(run: Run) -> str:
    """The digest of the steps that people approved; '' for a run that carries out none."""
    if run.change is None or run.kind == Run.Kind.PLAN:
        return ""

    return str((run.change.plan or {}).get("digest", ""))


def _spec(run: Run, cluster: Cluster) -> ClusterSpec:
    """The revision's; a plan that nobody proposed yet is made from the draft."""
    return from_json(run.revision.spec) if run.revision else spec_of(cluster)


def _target(run: Run) -> Access:
    host = _HOSTS[run.host_kind]._default_manager.select_related("credential").filter(pk=run.host_id).first()
    if host is None:
        raise Refused("The machine was removed from the inventory meanwhile.")
    return _access(host)


def _to_import(run: Run) -> tuple[Access, ...]:
    rows = Router.objects.select_related("credential").filter(team=run.team, pk__in=run.router_ids).order_by("name")
    if len(rows) != len(run.router_ids):
        raise Refused("A router was removed from the inventory meanwhile: start the import again.")
    return tuple(_access(row) for row in rows)


def accesses(team: Team, names: Sequence[str]) -> tuple[Access, ...]:
    """How to log in to the team's routers of these names. Raises Refused where one is gone."""
    return tuple(_router(team, name) for name in names)


def _router(team: Team, name: str) -> Access:
    router = Router.objects.select_related("credential").filter(team=team, name=name).first()
    if router is None:
        raise Refused(f"The router {name} was removed from the inventory: enrol it again, or propose without it.")
    return _access(router)


def _servers(run: Run, spec: ClusterSpec) -> tuple[Access, ...]:
    """The real servers of the spec whose host key somebody confirmed; the others are nobody's to log in to."""
    names = [server.name for server in spec.real_servers]
    rows = ServerHost.objects.filter(team=run.team, name__in=names).exclude(host_key="").select_related("credential")
    return tuple(_access(row) for row in rows.order_by("name"))


def _probes(cluster: Cluster) -> tuple[Probe, ...]:
    """Every place that sessions are made from; none without an account to log in with."""
    account = cluster.probe_account
    if account is None:
        return ()
    if reason := account.blocking_reason(Credential.Purpose.FTP):
        raise Refused(f"{reason} Nothing was sent. Choose an FTP account in the form of {cluster}.")
    password = _opened(account, account.secret)
    hosts = cluster.probe_hosts.select_related("credential").order_by("name")
    places: list[tuple[Access | None, list[str]]] = [(_access(host), host.source_addresses) for host in hosts]
    if cluster.probe_worker:
        places.append((None, []))
    return tuple(
        Probe(
            access=access,
            sources=tuple(sources),
            username=account.username,
            path=cluster.probe_path,
            password=password,
            upload=cluster.probe_upload_folder,
        )
        for access, sources in places
    )


def _access(host: SshHost) -> Access:
    credential = host.credential
    if reason := credential.blocking_reason(Credential.Purpose.SSH):
        raise Refused(f"{reason} Enrol {host.name} again with an SSH credential.")
    by_key = credential.kind == Credential.Kind.KEY
    secret = _opened(credential, credential.secret)
    return Access(
        name=host.name,
        address=host.address,
        port=host.port,
        username=credential.username,
        host_key=host.host_key,
        key=secret if by_key else "",
        password="" if by_key else secret,
        sudo=credential.use_sudo,
        sudo_password=_opened(credential, credential.sudo_password),
    )


def _opened(credential: Credential, secret: str | Sealed) -> str:
    try:
        return opened(secret)
    except SecretLost as error:
        raise Refused(f"The secret of the credential {credential} cannot be used. {error}") from error
