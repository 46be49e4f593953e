"""What is rendered for FTP servers: byte for byte, and read back."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbftp.core.ftp.daemon_findings import daemon_findings
from lbftp.core.ftp.daemons import names
from lbftp.core.ftp.host_lines import Host, host
from lbftp.core.ftp.lines import snippet, snippets, unable
from lbftp.core.ftp.parts import Snippet
from lbftp.core.spec import PortRange, SpecError
from tests.core.cases import GUIDE, golden, guide
from tests.core.ftpd_cases import IPV6, ONLY_IPV6, SPECS, advertise, read


def told(found: Snippet) -> str:
    lines = [f"== {found.daemon} {found.platform}", f"absent: {', '.join(found.absent)}"]
    lines += [f"run: {command}" for command in found.commands] + [f"check: {found.check}"]
    lines += [f"note: {note}" for note in found.notes] + [f"cannot: {text}" for text in found.cannot]
    return "\n".join([*lines, *(f"-- {f.path}: {f.place or 'whole'}\n{f.text}" for f in found.files)])


def told_of(machine: Host) -> str:
    lines = ["== the machine", machine.reason, machine.hint, *(f"run: {command}" for command in machine.commands)]
    return "\n".join([*lines, *(f"-- {f.path}\n{f.text}" for f in machine.files)])


@pytest.mark.parametrize("name", SPECS)
def test_the_lines_equal_their_golden_files(name: str) -> None:
    spec = SPECS[name]
    refused = [f"unable: {daemon}: {why}" for daemon, why in unable(spec)]
    golden(f"ftpd/{name}.txt", "\n".join([told_of(host(spec)), *refused, *map(told, snippets(spec))]))


@pytest.mark.parametrize("name", SPECS)
def test_what_is_rendered_is_read_as_what_the_cluster_needs(name: str) -> None:
    """Nothing is found, unless the daemon cannot do it, and the snippet says so."""
    spec = SPECS[name]
    for found in snippets(spec):
        left = {f.code for f in daemon_findings(spec, "ftp1", read(found))}
        assert bool(left) == bool(found.cannot), (found.daemon, left)
        assert left <= {"ftpd-control-port", "ftpd-data-port"}


@pytest.mark.parametrize("name", SPECS)
def test_every_whole_file_says_whose_lines_they_are_and_for_which_cluster(name: str) -> None:
    spec = SPECS[name]
    for file in [f for s in snippets(spec) for f in s.files] + list(host(spec).files):
        assert file.lines[0].startswith("# These lines come from lbftp")
        assert f"Cluster: {spec.name} " in file.lines[1]


def test_no_path_is_used_twice() -> None:
    for spec in SPECS.values():
        for found in snippets(spec):
            paths = [file.path for file in found.files]
            assert len(paths) == len(set(paths))


def test_what_a_daemon_cannot_do_is_refused_with_the_reason() -> None:
    assert [daemon for daemon, _ in unable(SPECS["brief"])] == ["proftpd"]
    with pytest.raises(SpecError, match="two passive ports"):
        snippet(SPECS["brief"], "proftpd", "debian")
    with pytest.raises(SpecError, match="no implicit TLS"):
        snippet(SPECS["implicit-only"], "pure-ftpd", "redhat")
    for daemon in names():
        with pytest.raises(SpecError, match="the helper cannot see through TLS"):
            snippet(guide(control_ports=(), implicit_ports=(990,)), daemon, "debian")
    assert any("port 990 stays unserved" in text for text in snippet(SPECS["implicit"], "pure-ftpd", "debian").cannot)
    assert any("clients of port 2121" in text for text in snippet(SPECS["ports"], "pure-ftpd", "debian").cannot)


def test_only_servers_behind_nat_need_the_routers_for_their_way_out() -> None:
    assert host(SPECS["dual"]).commands == (
        "ip route replace default via 10.0.50.1",
        "ip -6 route replace default via fd00:50::1",
    )
    assert host(SPECS["tls-ipv6"]).commands == ("ip -6 route replace default via fd00:50::1",)
    for name in ("direct", "direct-dual", "tunnel-dual"):
        assert "route" not in " ".join(host(SPECS[name]).commands)


def test_without_ipv4_no_arp_is_to_be_silenced() -> None:
    files = host(advertise(forwarding="DR", **ONLY_IPV6)).files
    assert [file.path for file in files] == ["/etc/systemd/system/lbftp-ftp-vip.service"]


def test_other_than_numbers_and_addresses_is_not_rendered() -> None:
    for field, value in (("floating", "10.0.50.1; reboot"), ("vip", "192.0.2.1\nx"), ("name", "a\nb")):
        evil: Any = dataclasses.replace(SPECS["tls-dual"])
        object.__setattr__(evil, field, value)
        with pytest.raises(ValueError, match=r"reboot|192|letters"):
            [host(evil), *(snippet(evil, daemon, "debian") for daemon in names())]
    evil = dataclasses.replace(GUIDE)
    object.__setattr__(evil, "passive", SimpleNamespace(low="1\npasv_address=x", high=2, size=2))
    for daemon in names():
        with pytest.raises(ValueError, match="format code"):
            snippet(evil, daemon, "debian")


ranges = st.lists(st.integers(1024, 65535), min_size=2, max_size=2, unique=True).map(
    lambda two: PortRange(*sorted(two))
)
ports = st.sets(st.integers(2, 989), min_size=1, max_size=3)


@settings(max_examples=80, deadline=None)
@given(
    st.fixed_dictionaries(
        {
            "passive": ranges,
            "persistence_timeout": st.integers(60, 86400),
            "mode": st.sampled_from(["helper", "advertise"]),
            "tls": st.booleans(),
            "active": st.sampled_from(["masquerade", "none"]),
            "control_ports": ports.map(tuple),
            "implicit_ports": st.sampled_from([(), (990,)]),
        }
    ),
    st.sampled_from(names()),
    st.sampled_from([{}, IPV6, ONLY_IPV6]),
)
def test_any_cluster_comes_back(values: dict[str, Any], daemon: str, addresses: dict[str, Any]) -> None:
    spec = guide(**values, **addresses)
    for found in (snippet(spec, daemon, "debian"), snippet(spec, daemon, "redhat")):
        left = {f.code for f in daemon_findings(spec, "ftp1", read(found))}
        assert bool(left) == bool(found.cannot)
