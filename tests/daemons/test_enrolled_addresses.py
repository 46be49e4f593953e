"""No machine is enrolled that is this host, its link or a cloud's metadata, and no name leads a worker there."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from django.conf import settings

from lbftp.changes.errors import Invalid
from lbftp.changes.models import Run
from lbftp.core.enrolment import blocking_reason, networks
from lbftp.core.job import Access
from lbftp.inventory import services
from tests.worlds import World, host_key
from workers.errors import Unreachable
from workers.remote import Limits, connect, offered_key

WRONG = [
    "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "0.1.2.3", "::",
    "169.254.169.254", "169.254.1.1", "fe80::1", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "224.0.0.1",
    "ff02::1", "240.0.0.1", "255.255.255.255", "localhost", "LOCALHOST.", "a.localhost", "127.1", "2130706433", "0x7f.1",
    "0177.0.0.1", "0x7f000001",
]  # fmt: skip
RIGHT = ["192.0.2.2", "10.0.50.1", "2001:db8::2", "fd00:50::1", "r1.example.org", "x1", "1a.example", "r-0x1"]


def test_which_addresses_lead_to_a_machine() -> None:
    assert [one for one in WRONG if not blocking_reason(one)] == []
    assert [one for one in RIGHT if blocking_reason(one)] == []


def test_a_site_allows_what_it_means() -> None:
    allowed = networks("127.0.0.0/8, ::1")
    assert allowed == ("127.0.0.0/8", "::1/128")
    assert not any(blocking_reason(one, allowed) for one in ("127.0.0.1", "::1", "localhost"))
    assert blocking_reason("169.254.169.254", allowed)
    with pytest.raises(ValueError, match="nonsense"):
        networks("nonsense")


@pytest.mark.django_db
@pytest.mark.parametrize("address", WRONG)
def test_services_enrol_no_such_machine(world: World, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "ENROL_NETWORKS", ())
    common = {"user": world.alice, "address": address, "port": 22, "credential": world.key}
    for act in (
        lambda: services.add_router(team=world.team, name="new", **common),  # type: ignore[arg-type]
        lambda: services.add_probe_host(team=world.team, name="new", **common),  # type: ignore[arg-type]
        lambda: services.give_access(server=world.ftp1, **common),  # type: ignore[arg-type]
    ):
        with pytest.raises(Invalid) as caught:
            act()
        assert caught.value.problems[0]["field"] == "address"
    assert not Run.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "224.0.0.1", "0.1.2.3"])
def test_no_real_server_is_there_either(world: World, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "ENROL_NETWORKS", ())
    with pytest.raises(Invalid):
        services.add_real_server(user=world.alice, team=world.team, name="new", address=address)


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """Something of this host's own that a stranger should not reach through a worker."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        yield server


def _own_addresses() -> list[str]:
    """This host's address towards others, if it has one; no packet is sent for that."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
        try:
            trial.connect(("192.0.2.1", 9))
        except OSError:
            return []
        return [trial.getsockname()[0]]


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1", "127.1", "::ffff:127.0.0.1", *_own_addresses()])
def test_no_worker_connects_there(address: str, listening: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a name, or another way to write it, leads there: what counts is what is connected to."""
    monkeypatch.setenv("LBFTP_ENROL_NETWORKS", "")
    port = listening.getsockname()[1]
    with pytest.raises(Unreachable, match="nothing was sent"):
        offered_key("r1", address, port, Limits(connect=2))
    access = Access("r1", address, port, "root", host_key(), password="CANARY")
    with pytest.raises(Unreachable, match="nothing was sent"):
        connect(access, Limits(connect=2)).__enter__()
    with pytest.raises(TimeoutError):
        listening.accept()


def test_a_worker_connects_where_the_site_allows_it(listening: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LBFTP_ENROL_NETWORKS", "127.0.0.0/8,::1/128")
    with pytest.raises(Unreachable, match="no SSH server answers"):
        offered_key("r1", "localhost", listening.getsockname()[1], Limits(connect=1))
    listening.accept()[0].close()
