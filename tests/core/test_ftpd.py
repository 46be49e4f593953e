from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbftp.core.ftpd_findings import server_findings
from lbftp.core.observe.errors import ObserveError
from lbftp.core.observe.ftpd import Daemon, FtpServer, pure_ftpd, pure_ftpd_files, vsftpd
from lbftp.core.observe.proftpd import proftpd
from lbftp.core.render.ftpd import DAEMONS, Snippet, default_route, snippet, snippets
from lbftp.core.spec import ClusterSpec, PortRange, SpecError
from tests.core.cases import GUIDE, golden, guide

SPECS = {
    "guide": GUIDE,
    "wide": guide(passive=PortRange(1024, 65535), persistence_timeout=0),
    "brief": guide(name="brief-1", passive=PortRange(30000, 30000), persistence_timeout=130),
}
GOOD = FtpServer("vsftpd", (10000, 20000), 300)


def told(found: Snippet) -> str:
    lines = [f"== {found.daemon} {found.platform}: {found.place}", f"absent: {', '.join(found.absent)}"]
    lines += [f"restart: {found.restart}", f"check: {found.check}"]
    return "\n".join([*lines, *(f"-- {f.path}\n{f.text}" for f in found.files)])


def read(found: Snippet) -> tuple[FtpServer, ...]:
    """The reader's view of a snippet."""
    if len(found.files) > 1:
        return (pure_ftpd_files({Path(f.path).name: f.text for f in found.files}),)
    text = found.files[0].text
    if found.daemon == "proftpd":
        return proftpd(text)
    return (vsftpd(text) if found.daemon == "vsftpd" else pure_ftpd(text),)


@pytest.mark.parametrize("name", SPECS)
def test_the_lines_equal_their_golden_files(name: str) -> None:
    golden(f"{name}.ftpd.txt", "\n".join([default_route(SPECS[name]), *map(told, snippets(SPECS[name]))]))


@pytest.mark.parametrize("name", SPECS)
def test_what_is_rendered_is_read_as_what_the_cluster_needs(name: str) -> None:
    spec = SPECS[name]
    for found in snippets(spec):
        for server in read(found):
            assert server.passive == (spec.passive.low, spec.passive.high)
            assert (server.data_port, server.pasv_address, server.tls) == (20, "", False)
            assert 0 < server.idle_timeout <= (spec.persistence_timeout or 300)
        assert server_findings(spec, "ftp1", read(found)) == []


def test_every_file_says_whose_lines_they_are_and_for_which_cluster() -> None:
    for found in snippets(GUIDE):
        for file in found.files:
            assert file.lines[0].startswith("# These lines come from lbftp")
            assert "Cluster: ftp " in file.lines[1]


def test_proftpd_has_no_range_of_one_port() -> None:
    assert "proftpd" not in {s.daemon for s in snippets(SPECS["brief"])}
    with pytest.raises(SpecError, match="two passive ports"):
        snippet(SPECS["brief"], "proftpd", "debian")


def test_other_than_numbers_and_addresses_is_not_rendered() -> None:
    evil: Any = dataclasses.replace(GUIDE)
    object.__setattr__(evil, "floating", "10.0.50.1; reboot")
    with pytest.raises(ValueError, match="reboot"):
        default_route(evil)
    object.__setattr__(evil, "passive", SimpleNamespace(low="1\npasv_address=x", high=2, size=2))
    for daemon in DAEMONS:
        with pytest.raises(ValueError, match="format code"):
            snippet(evil, daemon, "debian")


ranges = st.lists(st.integers(1024, 65535), min_size=2, max_size=2, unique=True).map(
    lambda two: PortRange(*sorted(two))
)


@settings(max_examples=60)
@given(passive=ranges, persistence=st.integers(60, 86400), daemon=st.sampled_from(DAEMONS))
def test_any_range_comes_back(passive: PortRange, persistence: int, daemon: Daemon) -> None:
    spec = guide(passive=passive, persistence_timeout=persistence)
    for found in (snippet(spec, daemon, "debian"), snippet(spec, daemon, "redhat")):
        assert server_findings(spec, "ftp1", read(found)) == []


# Words that mean something to one of the readers, so that a random text gets past the first line.
words = st.sampled_from([
    "pasv_min_port=", "listen_port=", "port_enable=", "YES", "0", "10000", "99999999999", "²", "PassivePorts ", "Port ", "TimeoutIdle ",
    "<Global>", "</Global>", "<VirtualHost a>", "</VirtualHost>", "<IfModule !x>", "Include ", "RootRevoke ", '"', "\\", "#", " ",
    "\n", "PassivePortRange ", "MaxIdleTime ", "Bind ", ",", "TLS ", "!include", ":", "\t", "\r", "\x00", "-1", "5m", "1:2:3",
])  # fmt: skip


@settings(max_examples=150)
@given(st.one_of(st.text(), st.lists(words, max_size=25).map("".join)))
def test_no_text_raises_anything_else(text: str) -> None:
    readers: list[Any] = [vsftpd, proftpd, pure_ftpd]
    readers += [
        lambda t, n=name: pure_ftpd_files({n: t}) for name in ("PassivePortRange", "MaxIdleTime", "Bind", "TLS", "~")
    ]
    for reader in readers:
        try:
            found = reader(text)
        except ObserveError:
            continue
        for server in found if isinstance(found, tuple) else (found,):
            server_findings(GUIDE, "ftp1", [server])


DEBIAN_VSFTPD = "# Example config file /etc/vsftpd.conf\n\nlisten=NO\nlisten_ipv6=YES\n#pasv_min_port=1\nlocal_enable=YES\nssl_enable=NO\n"
VSFTPD: list[tuple[str, dict[str, Any]]] = [
    (DEBIAN_VSFTPD, {"passive": (1024, 65535), "data_port": 0, "idle_timeout": 300, "tls": False}),
    ("pasv_min_port=10000\npasv_max_port=10009\npasv_min_port=10005\n", {"passive": (10005, 10009)}),
    ("pasv_max_port=10009", {"passive": (1024, 10009)}),
    ("pasv_min_port=30000\npasv_max_port=20000", {"passive": (30000, 65535)}),
    ("pasv_min_port=021450", {"passive": (0o21450, 65535)}),
    ("connect_from_port_20=Yes\nftp_data_port=2020\nssl_enable=TRUE", {"data_port": 2020, "tls": True}),
    ("idle_session_timeout=900\nlisten_port=2121\npasv_address=192.0.2.100", {"idle_timeout": 900, "control_port": 2121, "pasv_address": "192.0.2.100"}),
    ("pasv_enable=NO\nport_enable=no", {"passive_on": False, "active_on": False}),
]  # fmt: skip
PROFTPD: list[tuple[str, list[dict[str, Any]]]] = [
    ("", [{"passive": None, "data_port": 0, "idle_timeout": 600, "active_on": True, "tls": False}]),
    ("Include /etc/proftpd/modules.conf\nTimeoutIdle 1200\nPort 21\nInclude /etc/proftpd/conf.d/\n",
     [{"idle_timeout": 1200, "included": ("/etc/proftpd/modules.conf", "/etc/proftpd/conf.d/")}]),
    ("<VirtualHost 10.0.50.11>\n Port 2121\n rootrevoke OFF\n</VirtualHost>\nPassivePorts 10000 20000\n<Global>\n TLSEngine on\n <Limit LOGIN>\n  PassivePorts 1 2\n </Limit>\n</Global>",
     [{"name": "", "passive": (10000, 20000), "tls": True}, {"name": "10.0.50.11", "passive": None, "control_port": 2121, "data_port": 2120}]),
    ('MasqueradeAddress "ftp.example.org" # the router\nTimeoutIdle 00:10:00', [{"pasv_address": "ftp.example.org", "idle_timeout": 600}]),
    ("<Anonymous ~ftp>\n <IfModule mod_tls.c>\n  TLSEngine on\n </IfModule>\n</Anonymous>\nRootRevoke on", [{"tls": False, "active_on": False}]),
]  # fmt: skip
PURE_FTPD: list[tuple[str, dict[str, Any]]] = [
    ("", {"passive": None, "data_port": 20, "idle_timeout": 900, "tls": False}),
    ("# PassivePortRange 1 2\nPassivePortRange          30000 50000\nMaxIdleTime 5\nTLS 2\nBind 127.0.0.1,2121",
     {"passive": (30000, 50000), "idle_timeout": 300, "tls": True, "control_port": 2121}),
    ("ForcePassiveIP 192.0.2.100\nNATmode yes\n!include /etc/more.conf", {"pasv_address": "192.0.2.100", "passive_on": False, "included": ("/etc/more.conf",)}),
]  # fmt: skip


def has(server: FtpServer, wanted: dict[str, Any]) -> None:
    assert {name: getattr(server, name) for name in wanted} == wanted


@pytest.mark.parametrize(("text", "wanted"), VSFTPD)
def test_vsftpd_s_file_is_understood(text: str, wanted: dict[str, Any]) -> None:
    has(vsftpd(text), wanted)


@pytest.mark.parametrize(("text", "wanted"), PROFTPD)
def test_proftpd_s_file_is_understood(text: str, wanted: list[dict[str, Any]]) -> None:
    found = proftpd(text)
    assert len(found) == len(wanted)
    for server, one in zip(found, wanted, strict=True):
        has(server, one)


@pytest.mark.parametrize(("text", "wanted"), PURE_FTPD)
def test_pure_ftpd_s_file_is_understood(text: str, wanted: dict[str, Any]) -> None:
    has(pure_ftpd(text), wanted)


def test_debian_s_option_files_are_understood() -> None:
    files = {"PassivePortRange": "\n# ours\n 30000 50000 \n1 2\n", "TLS": "1\n", "MaxIdleTime~": "1", "Bind": ",ftp\n"}
    has(pure_ftpd_files(files), {"passive": (30000, 50000), "tls": True, "idle_timeout": 900, "control_port": 21})


FINDINGS: list[tuple[dict[str, Any], str]] = [
    ({"passive": None}, "ftpd-passive-range"),
    ({"passive": (1024, 65535)}, "ftpd-passive-range"),
    ({"passive": (10000, 20001)}, "ftpd-passive-range"),
    ({"passive": (10000, 15000)}, "ftpd-passive-part"),
    ({"passive_on": False}, "ftpd-passive-off"),
    ({"pasv_address": "192.0.2.100"}, "ftpd-pasv-address"),
    ({"data_port": 0}, "ftpd-data-port"),
    ({"data_port": 2020}, "ftpd-data-port"),
    ({"active_on": False}, "ftpd-active-off"),
    ({"control_port": 2121}, "ftpd-control-port"),
    ({"idle_timeout": 900}, "ftpd-idle-timeout"),
    ({"idle_timeout": 0}, "ftpd-idle-timeout"),
    ({"tls": True}, "ftpd-tls"),
    ({"included": ("/etc/more",)}, "ftpd-included"),
]


@pytest.mark.parametrize("daemon", DAEMONS)
@pytest.mark.parametrize(("changes", "code"), FINDINGS)
def test_each_difference_is_found_with_reason_and_remedy(daemon: Daemon, changes: dict[str, Any], code: str) -> None:
    if (daemon, code) in {("proftpd", "ftpd-passive-off"), ("pure-ftpd", "ftpd-active-off")}:
        return  # there is no such switch
    found = server_findings(GUIDE, "ftp1", [dataclasses.replace(GOOD, daemon=daemon, **changes)])
    assert [f.code for f in found] == [code]
    assert found[0].what.startswith(f"ftp1 ({daemon}): ")
    assert found[0].remedy.endswith(".")
    assert not found[0].repairable


def test_a_virtual_host_is_named_and_a_server_that_does_not_listen_is_left_out() -> None:
    host = dataclasses.replace(GOOD, daemon="proftpd", name="ftp.example.org", passive=None)
    silent = dataclasses.replace(host, name="", control_port=0)
    found = server_findings(GUIDE, "ftp1", [silent, host])
    assert [f.what.partition(":")[0] for f in found] == ["ftp1 (proftpd ftp.example.org)"]


@pytest.mark.parametrize("spec", [guide(persistence_timeout=0)])
def test_without_persistence_idle_time_does_not_matter(spec: ClusterSpec) -> None:
    assert server_findings(spec, "ftp1", [dataclasses.replace(GOOD, idle_timeout=0)]) == []
