from __future__ import annotations

import pytest
from django.urls import reverse

from lbftp.changes.models import Run
from lbftp.changes.services import verify
from lbftp.changes.services.jobs import job_for
from lbftp.core.hostkey import fingerprint
from lbftp.core.job import Job
from lbftp.inventory import crypto, suggest
from lbftp.inventory.models import Credential, ProbeHost, RealServer, Router, ServerHost
from lbftp.inventory.services import store_facts, store_offered_key
from tests.web.conftest import As
from tests.web.opened import opened, seen
from tests.worlds import CANARY_FTP, CANARY_KEY, CANARY_SUDO, World, applied, facts, finished, host_key, private_key


def _new_router(world: World, browse: As) -> Router:
    typed = {"name": "r9", "address": "192.0.2.9", "port": "2222", "credential": str(world.key.pk)}
    page = browse(world.alice).post(reverse("inventory:add-router"), typed)
    router = Router.objects.get(name="r9")
    assert page["Location"] == reverse("inventory:router", args=[router.pk])
    return router


def test_enrolling_a_router_from_address_to_interfaces(world: World, browse: As) -> None:
    admin, router = browse(world.alice), _new_router(world, browse)
    url = reverse("inventory:router", args=[router.pk])
    run = Run.objects.get(host_id=router.pk, kind=Run.Kind.ENROL)
    fetching = admin.get(url).content.decode()
    assert "Fetching the key of r9" in fetching
    assert f'data-live="/ws/runs/{run.pk}/"' in fetching

    key = host_key()
    store_offered_key(host_kind="router", host_id=router.pk, key=key)
    finished(run)
    confirming = admin.get(url).content.decode()
    assert fingerprint(key) in confirming
    assert "Is this r9?" in confirming

    admin.post(reverse("inventory:router-confirm", args=[router.pk]), {"fingerprint": fingerprint(key)})
    look = Run.objects.get(host_id=router.pk, kind=Run.Kind.FACTS)
    assert "Looking at r9" in admin.get(url).content.decode()
    store_facts(router_id=router.pk, facts=facts("r9", 9))
    finished(look)
    choosing = admin.get(url).content.decode()
    assert '<option value="eth1" selected>' in choosing
    assert '<option value="eth2" selected>' in choosing
    sides = {"public_interface": "eth1", "internal_interface": "eth2"}
    admin.post(reverse("inventory:router-interfaces", args=[router.pk]), sides)
    router.refresh_from_db()
    assert (router.public_interface, router.internal_interface) == ("eth1", "eth2")


def test_another_fingerprint_than_the_offered_one_is_refused(world: World, browse: As) -> None:
    router = _new_router(world, browse)
    store_offered_key(host_kind="router", host_id=router.pk, key=host_key())
    url = reverse("inventory:router-confirm", args=[router.pk])
    page = browse(world.alice).post(url, {"fingerprint": "SHA256:other"}, follow=True)
    assert b"compare with" in page.content
    router.refresh_from_db()
    assert router.host_key == ""


def test_a_changed_host_key_is_an_alarm_with_both_fingerprints(world: World, browse: As) -> None:
    pinned, offered = world.r1.host_key, host_key()
    store_offered_key(host_kind="router", host_id=world.r1.pk, key=offered)
    page = browse(world.victor).get(reverse("inventory:router", args=[world.r1.pk])).content.decode()
    assert "shows another host key" in page
    assert fingerprint(pinned) in page
    assert fingerprint(offered) in page
    assert 'role="alert"' in page


def test_a_machine_that_was_not_reached_says_why(world: World, browse: As) -> None:
    router = _new_router(world, browse)
    finished(Run.objects.get(host_id=router.pk), Run.State.FAILED)
    page = browse(world.alice).get(reverse("inventory:router", args=[router.pk])).content.decode()
    assert "was not reached" in page
    assert "It failed." in page
    assert "Look again" in page


def test_refused_values_stay_in_the_form(world: World, browse: As) -> None:
    typed = {"name": "bad name;$(reboot)", "address": "192.0.2.9", "port": "99999", "credential": str(world.key.pk)}
    page = browse(world.alice).post(reverse("inventory:add-router"), typed)
    text = page.content.decode()
    assert page.status_code == 422
    assert 'value="bad name;$(reboot)"' in text
    assert 'value="99999"' in text
    assert 'id="id_name_error"' in text
    taken = browse(world.alice).post(reverse("inventory:add-router"), {**typed, "name": "r1", "port": "22"})
    assert taken.status_code == 422
    assert 'value="r1"' in taken.content.decode()


def test_probe_hosts_take_several_addresses(world: World, browse: As) -> None:
    typed = {"name": "p2", "address": "192.0.2.60", "port": "22", "credential": str(world.key.pk)}
    wrong = browse(world.alice).post(
        reverse("inventory:add-probe-host"), {**typed, "source_addresses": "192.0.2.50, nonsense"}
    )
    assert wrong.status_code == 422
    assert b"192.0.2.50, nonsense" in wrong.content
    right = {**typed, "source_addresses": "192.0.2.50, 192.0.2.51"}
    browse(world.alice).post(reverse("inventory:add-probe-host"), right)
    assert ProbeHost.objects.get(name="p2").source_addresses == ["192.0.2.50", "192.0.2.51"]


def test_real_servers_come_and_go(world: World, browse: As) -> None:
    admin, url = browse(world.alice), reverse("inventory:real-servers")
    admin.post(url, {"name": "ftp3", "address": "10.0.50.13"})
    server = RealServer.objects.get(name="ftp3")
    wrong = admin.post(url, {"name": "ftp4", "address": "10.0.50.999"})
    assert (wrong.status_code, b'value="10.0.50.999"' in wrong.content) == (422, True)
    admin.post(reverse("inventory:real-server-remove", args=[server.pk]))
    assert not RealServer.objects.filter(pk=server.pk).exists()
    used = admin.post(reverse("inventory:real-server-remove", args=[world.ftp1.pk]), follow=True)
    assert b"is used by web" in used.content


def test_real_servers_have_ipv6_addresses(world: World, browse: As) -> None:
    admin, url = browse(world.alice), reverse("inventory:real-servers")
    admin.post(url, {"name": "ftp3", "address": "", "address6": "FD00:50::13"})
    server = RealServer.objects.get(name="ftp3")
    assert (server.address, server.address6) == (None, "fd00:50::13")
    assert b"fd00:50::13" in browse(world.victor).get(url).content
    none = admin.post(url, {"name": "ftp4", "address": "", "address6": ""})
    assert (none.status_code, b'id="id_address_error"' in none.content) == (422, True)


def test_addresses_of_a_real_server_are_changed_and_the_clusters_named(world: World, browse: As) -> None:
    url = reverse("inventory:real-server", args=[world.ftp1.pk])
    page = browse(world.alice).get(url).content.decode()
    assert "Used by web" in page
    assert 'value="10.0.50.11"' in page
    wrong = browse(world.alice).post(url, {"address": "10.0.50.21", "address6": "fe80::21"})
    assert (wrong.status_code, b'id="id_address6_error"' in wrong.content) == (422, True)
    typed = {"seen": seen(page), "address": "10.0.50.21", "address6": ""}
    assert browse(world.alice).post(url, typed).status_code == 302
    world.ftp1.refresh_from_db()
    assert world.ftp1.addresses == ["10.0.50.21"]
    assert browse(world.bob).post(url, {"address": "10.0.50.31"}).status_code == 403
    assert browse(world.mallory).get(url).status_code == 404


def test_the_page_of_a_router_shows_addresses_of_both_ip_versions(world: World, browse: As) -> None:
    page = browse(world.victor).get(reverse("inventory:router", args=[world.r1.pk])).content.decode()
    assert "192.0.2.2/24<br>2001:db8::2/64" in page
    sides = {"public_interface": "eth1", "internal_interface": "eth1"}
    admin = browse(world.alice)
    shown = opened(admin, reverse("inventory:router", args=[world.r1.pk]))
    admin.post(reverse("inventory:router-interfaces", args=[world.r1.pk]), {**shown, **sides})
    assert b"public and internal" in browse(world.victor).get(reverse("inventory:router", args=[world.r1.pk])).content


def test_a_guess_at_the_sides_of_a_router_that_has_ipv6_alone() -> None:
    found = [
        {"name": "eth0", "addresses": ["fe80::1/64"]},
        {"name": "eth1", "addresses": ["fe80::2/64", "2001:db8::2/64"]},
        {"name": "eth2", "addresses": ["fd00:50::2/64"]},
    ]
    assert suggest.sides(found, []) == ("eth1", "eth2")
    assert suggest.sides(found, ["2001:db8::11"]) == ("eth2", "eth1")


def test_secrets_can_be_replaced_and_never_read(world: World, browse: As) -> None:
    admin, key = browse(world.alice), private_key()
    url = reverse("inventory:credential", args=[world.key.pk])
    admin.post(url, {**opened(admin, url), "secret": key})
    stored = Credential.objects.get(pk=world.key.pk)
    assert crypto.opened(stored.secret) == key
    assert crypto.opened(stored.sudo_password) == CANARY_SUDO
    addresses = ["inventory:credentials", "inventory:routers", "home"]
    pages = [admin.get(reverse(name)) for name in addresses]
    pages += [admin.get(reverse(name, args=[world.key.pk])) for name in ("inventory:credential",)]
    pages += [admin.get(reverse("inventory:router", args=[world.r1.pk]))]
    for page in pages:
        for secret in (CANARY_KEY, CANARY_FTP, CANARY_SUDO, key.splitlines()[1]):
            assert secret not in page.content.decode()


def test_a_key_that_opens_nothing_is_refused(world: World, browse: As) -> None:
    typed = {"name": "new", "purpose": "ssh", "username": "root", "kind": "key", "secret": "not a key"}
    page = browse(world.alice).post(reverse("inventory:add-credential"), typed)
    assert page.status_code == 422
    assert b"It is not a private key" in page.content


@pytest.mark.parametrize(
    ("interfaces", "servers", "expected"),
    [
        (
            {"lo": [], "eth0": ["10.0.2.15/24"], "eth1": ["192.0.2.2/24"], "eth2": ["10.0.50.2/24"]},
            ["10.0.50.11"],
            "eth2",
        ),
        ({"eth0": ["198.51.100.2/24"], "eth1": ["172.16.0.2/24", "fd00::2/64"]}, [], "eth1"),
        ({"eth0": ["198.51.100.2/24"]}, [], ""),
        ({}, ["10.0.50.11"], ""),
    ],
)
def test_the_internal_side_is_guessed(interfaces: dict[str, list[str]], servers: list[str], expected: str) -> None:
    found = [{"name": name, "addresses": addresses} for name, addresses in interfaces.items()]
    public, internal = suggest.sides(found, servers)
    assert internal == expected
    assert public != internal or not public


def test_a_real_server_is_given_access_from_address_to_pinned_key(world: World, browse: As) -> None:
    admin, url = browse(world.alice), reverse("inventory:give-access", args=[world.ftp1.pk])
    assert 'value="10.0.50.11"' in admin.get(url).content.decode()
    page = admin.post(url, {"address": "10.0.50.11", "port": "22", "credential": str(world.key.pk)})
    host = ServerHost.objects.get(server=world.ftp1)
    its = reverse("inventory:server-host", args=[host.pk])
    assert (host.name, page["Location"]) == ("ftp1", its)
    assert admin.get(url)["Location"] == its
    key = host_key()
    store_offered_key(host_kind="serverhost", host_id=host.pk, key=key)
    finished(Run.objects.get(host_kind="serverhost", host_id=host.pk, kind=Run.Kind.ENROL))
    assert "Is this ftp1?" in admin.get(its).content.decode()
    assert _job(world).servers == ()
    confirm = reverse("inventory:server-host-confirm", args=[host.pk])
    admin.post(confirm, {"fingerprint": fingerprint(key)})
    (access,) = _job(world).servers
    assert (access.name, access.host_key) == ("ftp1", key)


def _job(world: World) -> Job:
    applied(world)
    return job_for(verify(user=world.bob, cluster=world.cluster))
