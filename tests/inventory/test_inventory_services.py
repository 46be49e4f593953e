from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db import connection

from lbftp.changes.errors import Invalid, Refused
from lbftp.changes.models import Run
from lbftp.core import hostkey
from lbftp.inventory import services
from lbftp.inventory.crypto import opened
from lbftp.inventory.models import Credential, ProbeHost, RealServer, Router
from tests.worlds import CANARY_KEY, CANARY_SUDO, World, claimed, facts, host_key, private_key

pytestmark = pytest.mark.django_db


def field_of(act: Callable[[], object]) -> str:
    with pytest.raises(Invalid) as caught:
        act()
    return str(caught.value.problems[0]["field"])


def new_router(world: World, user: User | None = None, name: str = "r3") -> tuple[Router, Run]:
    return services.add_router(
        user=user or world.alice, team=world.team, name=name, address="192.0.2.9", port=22, credential=world.key
    )


def test_enrolling_fetches_the_key_and_trusts_nothing(world: World) -> None:
    router, run = new_router(world)
    assert (run.kind, run.host_kind, run.host_id, router.host_key) == (Run.Kind.ENROL, "router", router.pk, "")
    job = claimed(run)
    assert job.target is not None
    assert (job.target.name, job.target.address, job.target.host_key) == ("r3", "192.0.2.9", "")
    key = host_key()
    services.store_offered_key(host_kind="router", host_id=router.pk, key=key)
    router.refresh_from_db()
    assert (router.offered_key, router.host_key) == (key, "")


def test_confirming_the_fingerprint_pins_the_key_and_looks(world: World) -> None:
    router, _ = new_router(world)
    key = host_key()
    services.store_offered_key(host_kind="router", host_id=router.pk, key=key)
    router.refresh_from_db()
    run = services.confirm_host_key(user=world.alice, host=router, fingerprint=f" {hostkey.fingerprint(key)}\n")
    router.refresh_from_db()
    assert (router.host_key, router.confirmed_by) == (key, world.alice)
    assert run is not None
    assert run.kind == Run.Kind.FACTS


def test_another_fingerprint_is_refused_naming_both(world: World) -> None:
    router, _ = new_router(world)
    offered, other = host_key(), hostkey.fingerprint(host_key())
    services.store_offered_key(host_kind="router", host_id=router.pk, key=offered)
    router.refresh_from_db()
    with pytest.raises(Refused) as caught:
        services.confirm_host_key(user=world.alice, host=router, fingerprint=other)
    assert other in caught.value.message
    assert hostkey.fingerprint(offered) in caught.value.message
    router.refresh_from_db()
    assert router.host_key == ""


def test_a_key_that_changed_between_looking_and_confirming_is_not_pinned(world: World) -> None:
    router, _ = new_router(world)
    seen = host_key()
    services.store_offered_key(host_kind="router", host_id=router.pk, key=seen)
    router.refresh_from_db()
    services.store_offered_key(host_kind="router", host_id=router.pk, key=host_key())
    with pytest.raises(Refused, match="another key meanwhile"):
        services.confirm_host_key(user=world.alice, host=router, fingerprint=hostkey.fingerprint(seen))


def test_nothing_to_confirm_before_a_key_was_offered(world: World) -> None:
    router, _ = new_router(world)
    with pytest.raises(Refused, match="not offered a host key yet"):
        services.confirm_host_key(user=world.alice, host=router, fingerprint="")


def test_fetching_again_keeps_the_pinned_key(world: World) -> None:
    pinned = world.r1.host_key
    services.fetch_host_key(user=world.alice, host=world.r1)
    services.store_offered_key(host_kind="router", host_id=world.r1.pk, key=host_key())
    world.r1.refresh_from_db()
    assert world.r1.host_key == pinned


def test_looking_again(world: World) -> None:
    assert services.look_again(user=world.bob, host=world.r1).kind == Run.Kind.FACTS
    assert services.look_again(user=world.bob, host=world.client).kind == Run.Kind.ENROL
    assert services.look_again(user=world.bob, host=new_router(world)[0]).kind == Run.Kind.ENROL


def test_a_probe_host_is_enrolled_likewise(world: World) -> None:
    host, run = services.add_probe_host(
        user=world.alice, team=world.team, name="client2", address="192.0.2.60", port=22, credential=world.key,
        source_addresses=["192.0.2.61"],
    )  # fmt: skip
    assert (run.host_kind, host.source_addresses) == ("probehost", ["192.0.2.61"])
    services.store_offered_key(host_kind="probehost", host_id=host.pk, key=host_key())
    host = ProbeHost.objects.get(pk=host.pk)
    assert services.confirm_host_key(
        user=world.alice, host=host, fingerprint=hostkey.fingerprint(host.offered_key)
    ) is None  # fmt: skip


@pytest.mark.parametrize("name", ["r 3", "r3\n", 'r"3', "r;3", "r{3}", "$(r3)", "-r3", "", "x" * 33])
def test_names_that_could_reach_a_shell_are_refused(world: World, name: str) -> None:
    assert field_of(lambda: new_router(world, name=name)) == "name"
    assert Router.objects.count() == 2


def test_a_name_is_there_once_in_a_team(world: World) -> None:
    assert field_of(lambda: new_router(world, name="r1")) == "name"


def add_server(world: World, **values: str) -> RealServer:
    return services.add_real_server(user=world.alice, team=world.team, name="ftp3", **values)


@pytest.mark.parametrize("address", ["10.0.50.300", "ftp", "10.0.50.1;x", "2001:db8::1"])
def test_real_servers_have_ipv4_addresses(world: World, address: str) -> None:
    assert field_of(lambda: add_server(world, address=address)) == "address"


@pytest.mark.parametrize("address6", ["10.0.50.13", "fd00::1%eth0", "fd00:::1", "fe80::13", "FE80::13"])
def test_real_servers_have_ipv6_addresses_that_routers_can_reach(world: World, address6: str) -> None:
    assert field_of(lambda: add_server(world, address="10.0.50.13", address6=address6)) == "address6"


def test_a_real_server_has_one_address_at_least(world: World) -> None:
    assert field_of(lambda: add_server(world)) == "address"
    only6 = add_server(world, address6="FD00:50::13")
    assert (only6.address, only6.address6, str(only6)) == (None, "fd00:50::13", "ftp3 (fd00:50::13)")


def test_whoever_moves_a_real_server_has_edited_its_clusters(world: World) -> None:
    world.cluster.draft_editors.clear()
    services.set_addresses(user=world.alice, server=world.ftp1, address="10.0.50.21", address6="fd00:50::21")
    world.ftp1.refresh_from_db()
    assert world.ftp1.addresses == ["10.0.50.21", "fd00:50::21"]
    assert list(world.cluster.draft_editors.all()) == [world.alice]
    taken = lambda: services.set_addresses(  # noqa: E731
        user=world.alice, server=world.ftp1, address="10.0.50.12", address6=""
    )
    assert field_of(taken)
    with pytest.raises(Refused, match="role admin"):
        services.set_addresses(user=world.bob, server=world.ftp1, address="10.0.50.22", address6="")


def test_the_credential_belongs_to_the_team(world: World) -> None:
    foreign = Credential.objects.create(team=world.other_team, name="k", username="root", secret="s")
    with pytest.raises(Refused, match="another team"):
        services.add_router(
            user=world.alice, team=world.team, name="r3", address="192.0.2.9", port=22, credential=foreign
        )


@pytest.mark.parametrize("who", ["bob", "victor", "mallory", "root"])
def test_only_administrators_enrol_and_keep_secrets(world: World, who: str) -> None:
    user = getattr(world, who)
    acts: list[Callable[[], object]] = [
        lambda: new_router(world, user),
        lambda: services.add_real_server(user=user, team=world.team, name="ftp3", address="10.0.50.13"),
        lambda: services.add_credential(
            user=user, team=world.team, name="c", username="u", kind="password", secret="s"
        ),
        lambda: services.replace_secret(user=user, credential=world.key, secret=private_key()),
        lambda: services.confirm_host_key(user=user, host=world.r1, fingerprint="x"),
        lambda: services.fetch_host_key(user=user, host=world.r1),
        lambda: services.set_interfaces(user=user, router=world.r1, public_interface="eth1", internal_interface="eth2"),
        lambda: services.remove(user=user, thing=world.client),
    ]
    for act in acts:
        with pytest.raises(Refused, match="role admin"):
            act()


def test_secrets_are_ciphertext_in_the_database(world: World) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret, sudo_password FROM inventory_credential")
        stored = str(cursor.fetchall())
    assert CANARY_KEY not in stored
    assert CANARY_SUDO not in stored
    assert opened(Credential.objects.get(pk=world.key.pk).secret) == CANARY_KEY


def test_a_private_key_has_to_be_one(world: World) -> None:
    def add(secret: str) -> Credential:
        return services.add_credential(
            user=world.alice, team=world.team, name="new", username="root", kind="key", secret=secret
        )

    for bad in ("", "  ", "ssh-ed25519 AAAA", "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END-----"):
        assert field_of(lambda bad=bad: add(bad)) == "secret"  # type: ignore[misc]
    key = private_key()
    assert opened(add(key.replace("\n", "\r\n")).secret) == key


def test_replacing_a_secret(world: World) -> None:
    key = private_key()
    services.replace_secret(user=world.alice, credential=world.key, secret=key)
    kept = Credential.objects.get(pk=world.key.pk)
    assert (opened(kept.secret), opened(kept.sudo_password)) == (key, CANARY_SUDO)
    services.replace_secret(user=world.alice, credential=world.key, secret=key, sudo_password="")
    assert Credential.objects.get(pk=world.key.pk).sudo_password == ""


@pytest.mark.parametrize(
    ("public", "internal", "field"),
    [
        ("eth9", "eth2", "public_interface"),
        ("eth1", "lo", "internal_interface"),
        ("eth3", "eth2", "public_interface"),
    ],
)
def test_interfaces_are_the_routers_own(world: World, public: str, internal: str, field: str) -> None:
    def choose() -> None:
        services.set_interfaces(user=world.alice, router=world.r1, public_interface=public, internal_interface=internal)

    assert field_of(choose) == field


def test_one_interface_may_face_both_sides(world: World) -> None:
    """Direct routing and tunnelling do with one; for NAT the lint objects."""
    services.set_interfaces(user=world.alice, router=world.r1, public_interface="eth1", internal_interface="eth1")
    world.r1.refresh_from_db()
    assert (world.r1.public_interface, world.r1.internal_interface) == ("eth1", "eth1")


def test_facts_leave_the_choice_of_interfaces(world: World) -> None:
    services.store_facts(router_id=world.r1.pk, facts={**facts("r1", 1), "keepalived": "2.2.8"})
    world.r1.refresh_from_db()
    assert (world.r1.facts["keepalived"], world.r1.public_interface) == ("2.2.8", "eth1")
    assert world.r1.facts_at is not None


def test_what_a_cluster_uses_is_not_removed(world: World) -> None:
    for part in (world.r1, world.ftp1, world.client):
        with pytest.raises(Refused, match="used by web"):
            services.remove(user=world.alice, thing=part)
    for thing in (world.key,):
        with pytest.raises(Refused, match="still used"):
            services.remove(user=world.alice, thing=thing)
    router, _ = new_router(world)
    services.remove(user=world.alice, thing=router)
    assert not Router.objects.filter(name="r3").exists()
