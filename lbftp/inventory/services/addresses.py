"""Where machines are: real servers' addresses, and which interface of a router faces whom. Clusters are made of it."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_interface
from typing import TypeVar

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from lbftp.accounts.models import Role, Team
from lbftp.accounts.services import require
from lbftp.changes import editing
from lbftp.changes.editing import Values
from lbftp.changes.errors import Invalid
from lbftp.clusters.models import Cluster
from lbftp.core import enrolment
from lbftp.core.spec import SpecError
from lbftp.core.spec.values import parsed
from lbftp.inventory.models import RealServer, Router
from lbftp.inventory.services.rows import clusters_with, noted, saved, shown, thing_of

_A = TypeVar("_A", IPv4Address, IPv6Address)


def add_real_server(*, user: User, team: Team, name: str, address: str = "", address6: str = "") -> RealServer:
    """An FTP server behind the routers, with an address of one IP version or of both; nothing is done on it."""
    require(user, team, Role.ADMIN)
    with transaction.atomic():
        server = _addressed(RealServer(team=team, name=name), address, address6)
        noted(user, server, "Added.", after=shown(server))
    return server


def set_addresses(
    *, user: User, server: RealServer, address: str, address6: str, seen: Values | None = None
) -> RealServer:
    """Where a real server is now. Routers learn of it when its clusters are proposed and applied again.

    That makes `user` one of those who edited these clusters, who may not approve them. `seen` are the addresses that
    the person had before them: raises Conflict where somebody else set others since.
    """
    require(user, server.team, Role.ADMIN)
    with transaction.atomic():
        row = RealServer.objects.select_for_update().get(pk=server.pk)
        wanted = {
            "address": _address(IPv4Address, "address", address) or "",
            "address6": _address(IPv6Address, "address6", address6) or "",
        }
        before = stored_addresses(row)
        editing.refuse_unseen(thing_of(row), seen=seen, stored=before, wanted=wanted)
        editing.note(thing_of(row), user=user, before=before, after=wanted, what="Addresses changed.")
        _edits_drafts(user, server)
        return _addressed(server, address, address6)


def stored_addresses(server: RealServer) -> dict[str, str]:
    """Where it is, as the form has it: '' for an address that it has not."""
    return {"address": server.address or "", "address6": server.address6 or ""}


def set_interfaces(
    *, user: User, router: Router, public_interface: str, internal_interface: str, seen: Values | None = None
) -> None:
    """Which of the router's interfaces faces clients and which the real servers; without NAT one may do both.

    That makes `user` one of those who edited the router's clusters, who may not approve them. `seen` are those that the
    person had before them: raises Conflict where somebody else chose others since.
    """
    require(user, router.team, Role.ADMIN)
    known = {i["name"]: i.get("addresses", []) for i in router.facts.get("interfaces", [])}
    for field, name in (("public_interface", public_interface), ("internal_interface", internal_interface)):
        if name not in known:
            raise Invalid.at(
                field, f"{router.name} has no interface {name[:40]!r}.", f"Choose one of {', '.join(known)}."
            )
        if not any(not ip_interface(address).ip.is_link_local for address in known[name]):
            raise Invalid.at(field, f"{name} of {router.name} has no address.", "Choose another, or look again.")
    wanted = {"public_interface": public_interface, "internal_interface": internal_interface}
    with transaction.atomic():
        row = Router.objects.select_for_update().get(pk=router.pk)
        before = stored_interfaces(row)
        editing.refuse_unseen(thing_of(row), seen=seen, stored=before, wanted=wanted)
        _edits_drafts(user, router)
        router.public_interface, router.internal_interface = public_interface, internal_interface
        router.save(update_fields=list(wanted))
        editing.note(thing_of(row), user=user, before=before, after=wanted, what="Interfaces chosen.")


def stored_interfaces(router: Router) -> dict[str, str]:
    """Which ones people chose; '' where nobody did yet."""
    return {"public_interface": router.public_interface, "internal_interface": router.internal_interface}


def _edits_drafts(user: User, thing: Router | RealServer) -> None:
    """`user` has a part in what is proposed next of the clusters that name the machine. Their rows are held: a proposal
    has either both, the old value and the old editors, or both new ones."""
    names = [cluster.pk for cluster in clusters_with(thing)]
    for cluster in Cluster.objects.select_for_update().filter(pk__in=names).order_by("pk"):
        cluster.draft_editors.add(user)


def _addressed(server: RealServer, address: str, address6: str) -> RealServer:
    server.address = _address(IPv4Address, "address", address)
    server.address6 = _address(IPv6Address, "address6", address6)
    if not server.addresses:
        raise Invalid.at("address", "It has no address.", "Give an IPv4 address, an IPv6 address or both.")
    return saved(server)


def _address(wanted: type[_A], field: str, typed: str) -> str | None:
    """`typed` in the one canonical form; None for nothing. Raises Invalid for what no router could send to."""
    if not typed.strip():
        return None
    try:
        address = parsed(wanted, field, typed.strip())
    except SpecError as error:
        raise Invalid.of(error) from error
    if address.is_link_local:
        raise Invalid.at(field, f"{address} is link-local.", "Give one that routers can send to on any interface.")
    if reason := enrolment.blocking_reason(str(address), settings.ENROL_NETWORKS):
        raise Invalid.at(field, reason)
    return str(address)
