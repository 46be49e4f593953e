"""Who gets in where. The table is held against the URLconf: a route without an entry fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import User
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from lbftp.changes.services import verify
from lbftp.daytwo.models import Drain
from lbftp.inventory.models import ServerHost
from lbftp.inventory.services import give_access
from tests.web.conftest import As
from tests.worlds import World, applied

OPEN = {
    "accounts:login",
    "accounts:welcome",
    "accounts:logout",
    "accounts:session",
    "accounts:invitation",
    "health:healthz",
    "health:readyz",
}
# For machines, with a token of the site; people see what is their teams'.
TOKENED = {"numbers:metrics"}
LISTS = {
    "home",
    "home-live",
    "accounts:people",
    "accounts:password",
    "inventory:routers",
    "inventory:probe-hosts",
    "inventory:real-servers",
    "inventory:credentials",
    "changes:changes",
    "changes:runs",
    "changes:audit",
    "compliance:policies",
}
# What members of the team may look at, whatever their role.
SEEN = {
    "inventory:router": "router",
    "inventory:router-live": "router",
    "inventory:probe-host": "probe",
    "inventory:probe-host-live": "probe",
    "inventory:server-host": "access",
    "inventory:server-host-live": "access",
    "clusters:cluster": "cluster",
    "clusters:cluster-live": "cluster",
    "clusters:revision": "revision",
    "clusters:why": "cluster",
    "numbers:cluster": "cluster",
    "numbers:cluster-live": "cluster",
    "changes:change": "change",
    "changes:change-live": "change",
    "changes:run": "run",
    "changes:run-live": "run",
    "compliance:cluster": "cluster",
    "proofs:cluster": "cluster",
    "daytwo:cluster": "cluster",
    "daytwo:cluster-live": "cluster",
    "daytwo:drained": "drain",
}
# What operators may do: the method, and what it is done to.
OPERATED = {
    "clusters:edit": ("get", "cluster"),
    "changes:propose": ("get", "cluster"),
    "changes:verify": ("post", "cluster"),
    "changes:set-keys": ("post", "cluster"),
    "changes:comply": ("post", "cluster"),
    "changes:approve": ("post", "change"),
    "changes:reject": ("post", "change"),
    "changes:apply": ("post", "change"),
    "changes:dry-run": ("post", "change"),
    "changes:replan": ("post", "change"),
    "changes:run-cancel": ("post", "run"),
    "changes:run-extend": ("post", "run"),
    "changes:run-confirm": ("post", "run"),
    "changes:roll-back": ("post", "run"),
    "inventory:router-look": ("post", "router"),
    "changes:import": ("post", "router"),
    "changes:run-import": ("post", "run"),
    "inventory:probe-host-look": ("post", "probe"),
    "inventory:server-host-look": ("post", "access"),
    "proofs:restart": ("get", "cluster"),
    "proofs:reboot": ("get", "cluster"),
    "proofs:failover": ("get", "cluster"),
    "proofs:maintenance": ("get", "cluster"),
    "daytwo:drain": ("post", "cluster"),
    "daytwo:disable": ("post", "cluster"),
    "daytwo:enable": ("post", "cluster"),
    "daytwo:weight": ("post", "cluster"),
    "daytwo:sorry": ("post", "cluster"),
    "daytwo:undo": ("post", "change"),
}
# What only administrators of the team may do.
MANAGED = {
    "inventory:router-confirm": ("post", "router"),
    "inventory:router-fetch": ("post", "router"),
    "inventory:router-interfaces": ("post", "router"),
    "inventory:router-remove": ("post", "router"),
    "inventory:probe-host-confirm": ("post", "probe"),
    "inventory:probe-host-fetch": ("post", "probe"),
    "inventory:probe-host-remove": ("post", "probe"),
    "inventory:real-server": ("get", "server"),
    "inventory:give-access": ("get", "bare"),
    "inventory:server-host-confirm": ("post", "access"),
    "inventory:server-host-fetch": ("post", "access"),
    "inventory:server-host-remove": ("post", "access"),
    "inventory:real-server-remove": ("post", "server"),
    "inventory:credential": ("get", "credential"),
    "inventory:credential-purpose": ("post", "credential"),
    "inventory:credential-remove": ("post", "credential"),
    "accounts:set-role": ("post", "member"),
    "accounts:new-link": ("post", "member"),
    "accounts:lock": ("post", "member"),
    "accounts:unlock": ("post", "member"),
    "proofs:window": ("post", "cluster"),
    "daytwo:alone": ("post", "cluster"),
}
# Forms for something new in one of the user's teams, by the role that they ask for.
NEW = {
    "clusters:new": ("get", "operator"),
    "clusters:check": ("post", "operator"),
    "inventory:add-router": ("get", "admin"),
    "inventory:add-probe-host": ("get", "admin"),
    "inventory:add-credential": ("get", "admin"),
    "accounts:add-person": ("get", "admin"),
}
REFUSED = (403, 404)


def names(resolver: URLResolver | None = None, prefix: str = "") -> Iterator[str]:
    """The names of every route, with their namespaces."""
    for pattern in (resolver or get_resolver()).url_patterns:
        if isinstance(pattern, URLResolver):
            yield from names(pattern, f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix)
        elif isinstance(pattern, URLPattern):
            yield f"{prefix}{pattern.name}"


def test_every_route_is_in_the_table() -> None:
    assert set(names()) == OPEN | TOKENED | LISTS | set(SEEN) | set(OPERATED) | set(MANAGED) | set(NEW)


def _access(world: World) -> ServerHost:
    given = give_access(user=world.alice, server=world.ftp1, address="10.0.50.11", port=22, credential=world.key)
    return given[0]


@pytest.fixture
def address(world: World) -> Callable[[str, str], str]:
    """The address of a route for one of the world's things."""
    change = applied(world)
    drain = Drain.objects.create(cluster=world.cluster, server="ftp1", started_at=timezone.now())
    keys = {
        "router": [world.r1.pk],
        "probe": [world.client.pk],
        "server": [world.ftp1.pk],
        "bare": [world.ftp2.pk],
        "access": [_access(world).pk],
        "credential": [world.key.pk],
        "cluster": [world.cluster.pk],
        "revision": [world.cluster.pk, change.revision.number],
        "change": [change.pk],
        "drain": [drain.pk],
        "run": [verify(user=world.bob, cluster=world.cluster).pk],
        "member": [world.bob.memberships.get().pk],
    }
    return lambda name, thing: reverse(name, args=keys[thing])


Address = Callable[[str, str], str]


def _status(browse: As, user: User | None, method: str, url: str) -> int:
    response = getattr(browse(user), method)(url)
    return int(response.status_code)


@pytest.mark.parametrize("name", sorted(LISTS))
def test_lists_are_there_for_everybody_who_signed_in(world: World, browse: As, name: str) -> None:
    for user in (world.alice, world.bob, world.victor, world.mallory, world.root):
        assert _status(browse, user, "get", reverse(name)) == 200
    assert _status(browse, None, "get", reverse(name)) == 302


@pytest.mark.parametrize("name", sorted(SEEN))
def test_members_see_and_strangers_do_not(world: World, browse: As, address: Address, name: str) -> None:
    url = address(name, SEEN[name])
    assert [_status(browse, user, "get", url) for user in (world.alice, world.bob, world.victor)] == [200] * 3
    # A superuser is a stranger like others.
    assert [_status(browse, user, "get", url) for user in (world.mallory, world.root)] == [404, 404]
    assert _status(browse, None, "get", url) == 302


@pytest.mark.parametrize("name", sorted(OPERATED))
def test_operators_act(world: World, browse: As, address: Address, name: str) -> None:
    method, thing = OPERATED[name]
    url = address(name, thing)
    assert _status(browse, world.victor, method, url) == 403
    assert [_status(browse, user, method, url) for user in (world.mallory, world.root)] == [404, 404]
    assert _status(browse, None, method, url) == 302
    assert _status(browse, world.bob, method, url) not in REFUSED


@pytest.mark.parametrize("name", sorted(MANAGED))
def test_administrators_manage(world: World, browse: As, address: Address, name: str) -> None:
    method, thing = MANAGED[name]
    url = address(name, thing)
    assert [_status(browse, user, method, url) for user in (world.victor, world.bob)] == [403, 403]
    assert [_status(browse, user, method, url) for user in (world.mallory, world.root)] == [404, 404]
    assert _status(browse, None, method, url) == 302
    assert _status(browse, world.alice, method, url) not in REFUSED


@pytest.mark.parametrize("name", sorted(NEW))
def test_forms_for_something_new(world: World, browse: As, name: str) -> None:
    method, role = NEW[name]
    url = reverse(name)
    assert [_status(browse, user, method, url) for user in (world.victor, world.root)] == [403, 403]
    assert (_status(browse, world.bob, method, url) == 200) == (role == "operator")
    assert [_status(browse, user, method, url) for user in (world.alice, world.mallory)] == [200, 200]
    assert _status(browse, None, method, url) == 302
    # Another team's forms are not there at all.
    assert _status(browse, world.mallory, "get", f"{url}?team={world.team.pk}") in (404, 405)
    assert _status(browse, world.mallory, "get", f"{url}?team=x") in (404, 405)


@pytest.mark.parametrize("name", sorted(set(OPERATED) | set(MANAGED)))
def test_what_changes_something_is_not_done_by_looking(world: World, browse: As, address: Address, name: str) -> None:
    method, thing = {**OPERATED, **MANAGED}[name]
    if method == "post":
        assert _status(browse, world.alice, "get", address(name, thing)) == 405


def test_a_viewer_sees_no_buttons_that_act(world: World, browse: As, address: Address) -> None:
    for name in ("clusters:cluster", "changes:change", "inventory:router", "compliance:cluster"):
        page = browse(world.victor).get(address(name, SEEN[name])).content.decode()
        main = page.partition("<main")[2]
        assert 'method="post"' not in main, name


def test_the_schedule_is_set_by_operators(world: World, browse: As, address: Address) -> None:
    url = address("compliance:cluster", "cluster")
    assert _status(browse, world.victor, "post", url) == 403
    assert _status(browse, world.mallory, "post", url) == 404
    assert _status(browse, world.bob, "post", url) == 422


def test_real_servers_are_added_by_administrators(world: World, browse: As) -> None:
    url = reverse("inventory:real-servers")
    assert _status(browse, world.bob, "post", url) == 403
    assert _status(browse, world.alice, "post", url) == 422
