"""Machines that lbftp logs in to: from the address to the confirmed host key, and what was seen of them."""

from __future__ import annotations

from typing import Any, Final, TypeVar

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from lbftp import database
from lbftp.accounts.models import Role, Team
from lbftp.accounts.services import require
from lbftp.changes import terms
from lbftp.changes.errors import Invalid, Refused
from lbftp.changes.models import Run
from lbftp.changes.services import runs
from lbftp.core import enrolment, hostkey
from lbftp.inventory.models import Credential, ProbeHost, RealServer, Router, ServerHost, SshHost
from lbftp.inventory.services.rows import noted, saved, shown
from lbftp.outside import told

_H = TypeVar("_H", Router, ProbeHost, ServerHost)

HOST_KINDS: Final[dict[str, type[SshHost]]] = {"router": Router, "probehost": ProbeHost, "serverhost": ServerHost}


def add_router(  # noqa: PLR0913
    *, user: User, team: Team, name: str, address: str, port: int, credential: Credential
) -> tuple[Router, Run]:
    """A router not yet trusted, and the run that fetches the host key it offers."""
    require(user, team, Role.ADMIN)
    return _enrolled(user, Router(team=team, name=name, address=address, port=port, credential=credential))


def add_probe_host(  # noqa: PLR0913
    *,
    user: User,
    team: Team,
    name: str,
    address: str,
    port: int,
    credential: Credential,
    source_addresses: list[str] | None = None,
) -> tuple[ProbeHost, Run]:
    """A probe host not yet trusted, and the run that fetches the host key it offers."""
    require(user, team, Role.ADMIN)
    host = ProbeHost(team=team, name=name, address=address, port=port, credential=credential)
    host.source_addresses = [str(s) for s in source_addresses or []]
    return _enrolled(user, host)


def give_access(
    *, user: User, server: RealServer, address: str, port: int, credential: Credential
) -> tuple[ServerHost, Run]:
    """A way to look at a real server's own machine, not yet trusted, and the run that fetches its host key."""
    require(user, server.team, Role.ADMIN)
    host = ServerHost(
        team=server.team, server=server, name=server.name, address=address, port=port, credential=credential
    )
    return _enrolled(user, host)


def confirm_host_key(*, user: User, host: SshHost, fingerprint: str) -> Run | None:
    """Pins the offered key if `fingerprint` is its own. For a router the first look at it follows (a FACTS run).

    Raises Refused if the fingerprints differ or the machine has offered another key meanwhile.
    """
    require(user, host.team, Role.ADMIN)
    offered = host.offered_key
    if not offered:
        raise Refused(f"{host.name} has not offered a host key yet: fetch it first.")
    theirs = hostkey.fingerprint(offered)
    if fingerprint.strip() != theirs:
        raise Refused(
            f"{host.name} offers {theirs}, you confirmed {fingerprint.strip()[:80]}: "
            "compare with `ssh-keygen -lf` on the machine's own console."
        )
    return _pin(user, host, offered)


def fetch_host_key(*, user: User, host: SshHost) -> Run:
    """Asks the machine for its key again, say after it was rebuilt. The pinned key stays until one is confirmed."""
    require(user, host.team, Role.ADMIN)
    return runs.start(kind=Run.Kind.ENROL, team=host.team, user=user, host=host)


def look_again(*, user: User, host: SshHost) -> Run:
    """A new look at a machine: a router's facts once its key is confirmed, else the key it offers."""
    require(user, host.team, Role.OPERATOR)
    kind = Run.Kind.FACTS if isinstance(host, Router) and host.host_key else Run.Kind.ENROL
    return runs.start(kind=kind, team=host.team, user=user, host=host)


def store_offered_key(*, host_kind: str, host_id: int, key: str) -> None:
    """What an ENROL run got. `key` is 'ssh-ed25519 AAAA…'; not yet trusted."""
    hostkey.fingerprint(key)
    HOST_KINDS[host_kind]._default_manager.filter(pk=host_id).update(offered_key=key)


def store_facts(*, router_id: int, facts: dict[str, Any]) -> None:
    """What a look at a router found. Interfaces stay as people chose them."""
    Router.objects.filter(pk=router_id).update(facts=told(facts), facts_at=database.now())


def _pin(user: User, host: SshHost, offered: str) -> Run | None:
    now = database.now()
    before = hostkey.fingerprint(host.host_key) if host.host_key else ""
    with transaction.atomic():
        rows = type(host)._default_manager.filter(pk=host.pk, offered_key=offered)
        if rows.update(host_key=offered, confirmed_by=user, confirmed_at=now) != 1:
            raise Refused(f"{host.name} has offered another key meanwhile: look at the new fingerprint.")
        host.host_key, host.confirmed_by, host.confirmed_at = offered, user, now
        key = hostkey.fingerprint(offered)
        if key != before:
            terms.edited_machine(user, host)
        noted(user, host, "Host key confirmed.", before={"host_key": before}, after={"host_key": key})
        if not isinstance(host, Router):
            return None
        return runs.start(kind=Run.Kind.FACTS, team=host.team, user=user, host=host)


def _enrolled(user: User, host: _H) -> tuple[_H, Run]:
    if host.credential.team_id != host.team_id:
        raise Refused("That credential belongs to another team.")
    if reason := enrolment.blocking_reason(host.address, settings.ENROL_NETWORKS):
        raise Invalid.at("address", reason)
    with transaction.atomic():
        # As it is now: it may have been given another purpose since the form was opened.
        credential = Credential.objects.select_for_update().get(pk=host.credential_id)
        if reason := credential.blocking_reason(Credential.Purpose.SSH):
            raise Invalid.at("credential", reason, "Choose an SSH credential.")
        saved(host)
        noted(user, host, "Added.", after=shown(host))
        return host, runs.start(kind=Run.Kind.ENROL, team=host.team, user=user, host=host)
