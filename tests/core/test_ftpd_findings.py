"""What readers make of real configurations, and what is found in them, in every mode."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbftp.core.ftp.daemon_findings import daemon_findings
from lbftp.core.ftp.daemons import names
from lbftp.core.ftp.parts import CERTIFICATE
from lbftp.core.ftp.proftpd.read import proftpd
from lbftp.core.ftp.pure_ftpd.read import pure_ftpd, pure_ftpd_files
from lbftp.core.ftp.server import FtpServer
from lbftp.core.ftp.vsftpd.read import vsftpd
from lbftp.core.observe.errors import ObserveError
from lbftp.core.spec import ClusterSpec
from tests.core.cases import GUIDE, guide
from tests.core.ftpd_cases import IPV6, SPECS, advertise

GOOD = FtpServer("vsftpd", (10000, 20000), 300)
ADVERTISES = dataclasses.replace(GOOD, pasv_address="192.0.2.100")
SECURE = dataclasses.replace(ADVERTISES, tls=True, certificate="/etc/cert.pem")
AT_990 = dataclasses.replace(SECURE, control_port=990, data_port=989, implicit=True, tls_required=True)
TLS = SPECS["tls"]
DIRECT = SPECS["direct"]

# Words that mean something to one of the readers, so that a random text gets past the first line.
words = st.sampled_from([
    "pasv_min_port=", "listen_port=", "port_enable=", "listen=", "listen_ipv6=", "ssl_enable=", "implicit_ssl=", "pasv_address=",
    "listen_address6=", "rsa_cert_file=", "YES", "0", "10000", "99999999999", "²", "PassivePorts ", "Port ", "TimeoutIdle ",
    "<Global>", "</Global>", "<VirtualHost a>", "<VirtualHost ::1 ::>", "</VirtualHost>", "<IfModule !x>", "Include ", "RootRevoke ",
    "TLSEngine on", "TLSOptions ", "UseImplicitSSL", "TLSRequired ", "TLSRSACertificateFile", "UseIPv6 off", "SocketBindTight on",
    "DefaultAddress ", "MasqueradeAddress ", "::1%x", '"', "\\", "#", " ", "\n", "PassivePortRange ", "MaxIdleTime ", "Bind ", ",",
    "TLS ", "CertFileAndKey ", "CertFile ", "IPV4Only ", "IPV6Only ", "ForcePassiveIP ", "!include", ":", "\t", "\r", "\x00", "-1",
    "5m", "1:2:3", "192.0.2.1", "fd00::1",
])  # fmt: skip
OPTIONS = ("PassivePortRange", "MaxIdleTime", "Bind", "TLS", "CertFileAndKey", "IPV6Only", "~")


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), st.lists(words, max_size=25).map("".join)))
def test_no_text_raises_anything_else(text: str) -> None:
    readers: list[Any] = [vsftpd, proftpd, pure_ftpd]
    readers += [lambda t, n=name: pure_ftpd_files({n: t}) for name in OPTIONS]
    for reader in readers:
        try:
            found = reader(text)
        except ObserveError:
            continue
        for spec in (GUIDE, SPECS["tls-dual"], SPECS["direct-dual"]):
            daemon_findings(spec, "ftp1", found if isinstance(found, tuple) else (found,))


DEBIAN_VSFTPD = (
    "# Example config file /etc/vsftpd.conf\n\nlisten=NO\nlisten_ipv6=YES\n#pasv_min_port=1\nlocal_enable=YES\n"
    "rsa_cert_file=/etc/ssl/certs/ssl-cert-snakeoil.pem\nssl_enable=NO\n"
)
VSFTPD: list[tuple[str, dict[str, Any]]] = [
    (DEBIAN_VSFTPD, {"passive": (1024, 65535), "data_port": 0, "idle_timeout": 300, "tls": False, "families": (4, 6)}),
    ("pasv_min_port=10000\npasv_max_port=10009\npasv_min_port=10005\n", {"passive": (10005, 10009)}),
    ("pasv_max_port=10009", {"passive": (1024, 10009)}),
    ("pasv_min_port=30000\npasv_max_port=20000", {"passive": (30000, 65535)}),
    ("pasv_min_port=021450", {"passive": (0o21450, 65535)}),
    ("connect_from_port_20=Yes\nftp_data_port=2020\nssl_enable=TRUE", {"data_port": 2020, "tls": True, "tls_required": True, "tls_reuse": True, "certificate": ""}),
    ("idle_session_timeout=900\nlisten_port=2121\npasv_address=192.0.2.100", {"idle_timeout": 900, "control_port": 2121, "pasv_address": "192.0.2.100"}),
    ("pasv_enable=NO\nport_enable=no", {"passive_on": False, "active_on": False}),
    ("listen_ipv6=YES\npasv_address=192.0.2.100", {"pasv_address": "0.0.0.0", "families": (4, 6)}),  # noqa: S104
    ("listen_ipv6=YES\nlisten_address6=fd00::11", {"families": (6,), "bound": "fd00::11"}),
    ("listen=YES\nlisten_address=10.0.50.11", {"families": (4,), "bound": "10.0.50.11"}),
    ("implicit_ssl=YES", {"implicit": False, "tls_reuse": False, "tls_required": False}),
    ("implicit_ssl=YES\nssl_enable=YES\nrsa_cert_file=/c.pem\nrequire_ssl_reuse=NO\nforce_local_logins_ssl=NO\nforce_local_data_ssl=NO",
     {"implicit": True, "tls_reuse": False, "tls_required": False, "certificate": "/c.pem"}),
]  # fmt: skip
PROFTPD: list[tuple[str, list[dict[str, Any]]]] = [
    ("", [{"passive": None, "data_port": 0, "idle_timeout": 600, "active_on": True, "tls": False, "families": (4, 6)}]),
    ("Include /etc/proftpd/modules.conf\nTimeoutIdle 1200\nPort 21\nInclude /etc/proftpd/conf.d/\n",
     [{"idle_timeout": 1200, "included": ("/etc/proftpd/modules.conf", "/etc/proftpd/conf.d/")}]),
    ("<VirtualHost 10.0.50.11>\n Port 2121\n rootrevoke OFF\n</VirtualHost>\nPassivePorts 10000 20000\n<Global>\n TLSEngine on\n <Limit LOGIN>\n  PassivePorts 1 2\n </Limit>\n</Global>",
     [{"name": "", "passive": (10000, 20000), "tls": True, "tls_reuse": True}, {"name": "10.0.50.11", "passive": None, "control_port": 2121, "data_port": 2120}]),
    ('MasqueradeAddress "ftp.example.org" # the router\nTimeoutIdle 00:10:00', [{"pasv_address": "ftp.example.org", "idle_timeout": 600}]),
    ("<Anonymous ~ftp>\n <IfModule mod_tls.c>\n  TLSEngine on\n </IfModule>\n</Anonymous>\nRootRevoke on", [{"tls": False, "active_on": False}]),
    ("TLSEngine on\nTLSRequired ctrl\nTLSECCertificateFile /c.pem\nTLSOptions NoSessionReuseRequired\nTLSOptions UseImplicitSSL",
     [{"tls": True, "tls_required": True, "tls_reuse": False, "implicit": True, "certificate": "/c.pem"}]),
    ("<Global>\nTLSOptions NoSessionReuseRequired\n</Global>\nTLSEngine on\nTLSOptions NoCertRequest", [{"tls_reuse": False, "certificate": ""}]),
    ("UseIPv6 off\nDefaultAddress 10.0.50.11", [{"families": (4,), "bound": ""}]),
    ("SocketBindTight on\nDefaultAddress fd00::11\n<VirtualHost 10.0.50.11 10.0.50.12>\n</VirtualHost>\n<VirtualHost 0.0.0.0>\n</VirtualHost>",
     [{"families": (6,), "bound": "fd00::11"}, {"families": (4,), "bound": ""}, {"families": (4, 6)}]),
]  # fmt: skip
PURE_FTPD: list[tuple[str, dict[str, Any]]] = [
    ("", {"passive": None, "data_port": 20, "idle_timeout": 900, "tls": False, "families": (4, 6)}),
    ("# PassivePortRange 1 2\nPassivePortRange          30000 50000\nMaxIdleTime 5\nTLS 2\nBind 127.0.0.1,2121",
     {"passive": (30000, 50000), "idle_timeout": 300, "tls": True, "tls_required": True, "control_port": 2121, "bound": "127.0.0.1", "families": (4,)}),
    ("ForcePassiveIP 192.0.2.100\nNATmode yes\n!include /etc/more.conf", {"pasv_address": "192.0.2.100", "passive_on": False, "included": ("/etc/more.conf",)}),
    ("Bind 2121\nIPV6Only yes\nTLS 1", {"control_port": 2121, "families": (6,), "tls_required": False, "certificate": "/etc/ssl/private/pure-ftpd.pem"}),
    ('Bind fd00::11,\nCertFileAndKey "/c.pem" "/k.pem"', {"control_port": 21, "families": (6,), "bound": "fd00::11", "certificate": "/c.pem"}),
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


# The cluster, what is good for it, what is changed, what is found.
FINDINGS: list[tuple[ClusterSpec, FtpServer, dict[str, Any], str]] = [
    (GUIDE, GOOD, {"passive": None}, "ftpd-passive-range"),
    (GUIDE, GOOD, {"passive": (1024, 65535)}, "ftpd-passive-range"),
    (GUIDE, GOOD, {"passive": (10000, 20001)}, "ftpd-passive-range"),
    (GUIDE, GOOD, {"passive": (10000, 15000)}, "ftpd-passive-part"),
    (GUIDE, GOOD, {"passive_on": False}, "ftpd-passive-off"),
    (GUIDE, GOOD, {"pasv_address": "192.0.2.100"}, "ftpd-pasv-address"),
    (GUIDE, GOOD, {"data_port": 0}, "ftpd-data-port"),
    (GUIDE, GOOD, {"data_port": 2020}, "ftpd-data-port"),
    (GUIDE, GOOD, {"active_on": False}, "ftpd-active-off"),
    (GUIDE, GOOD, {"control_port": 2121}, "ftpd-control-port"),
    (GUIDE, GOOD, {"idle_timeout": 900}, "ftpd-idle-timeout"),
    (GUIDE, GOOD, {"idle_timeout": 0}, "ftpd-idle-timeout"),
    (GUIDE, GOOD, {"tls": True}, "ftpd-tls"),
    (GUIDE, GOOD, {"included": ("/etc/more",)}, "ftpd-included"),
    (GUIDE, GOOD, {"families": (6,)}, "ftpd-ip-version"),
    (GUIDE, GOOD, {"bound": "127.0.0.1"}, "ftpd-bound"),
    (GUIDE, GOOD, {"bound": "192.0.2.100"}, "ftpd-bound"),
    (guide(**IPV6), GOOD, {"families": (4,)}, "ftpd-ip-version"),
    (TLS, SECURE, {"pasv_address": ""}, "ftpd-pasv-missing"),
    (TLS, SECURE, {"pasv_address": "10.0.50.11"}, "ftpd-pasv-address"),
    (TLS, SECURE, {"pasv_address": "ftp.example.org"}, "ftpd-pasv-name"),
    (TLS, SECURE, {"passive": None}, "ftpd-passive-range"),
    (TLS, SECURE, {"passive_on": False}, "ftpd-passive-off"),
    (TLS, SECURE, {"idle_timeout": 3600}, "ftpd-idle-timeout"),
    (TLS, SECURE, {"tls": False}, "ftpd-tls-off"),
    (TLS, SECURE, {"implicit": True}, "ftpd-implicit-on"),
    (TLS, SECURE, {"tls_required": True}, "ftpd-tls-required"),
    (TLS, SECURE, {"tls_reuse": True}, "ftpd-tls-reuse"),
    (TLS, SECURE, {"certificate": ""}, "ftpd-certificate"),
    (TLS, SECURE, {"certificate": CERTIFICATE}, "ftpd-certificate"),
    (TLS, SECURE, {"data_port": 0}, "ftpd-data-port"),
    (TLS, SECURE, {"active_on": False}, "ftpd-active-off"),
    (TLS, SECURE, {"control_port": 990}, "ftpd-control-port"),
    (SPECS["implicit-only"], AT_990, {"implicit": False}, "ftpd-implicit-off"),
    (SPECS["implicit-only"], AT_990, {"data_port": 20}, "ftpd-data-port"),
    (SPECS["implicit-only"], AT_990, {"certificate": ""}, "ftpd-certificate"),
    (SPECS["implicit-only"], AT_990, {"tls_reuse": True}, "ftpd-tls-reuse"),
    (DIRECT, dataclasses.replace(SECURE, idle_timeout=240), {"pasv_address": "10.0.50.11"}, "ftpd-pasv-address"),
    (DIRECT, dataclasses.replace(SECURE, idle_timeout=240), {"bound": "10.0.50.11"}, "ftpd-bound"),
]


@pytest.mark.parametrize("daemon", names())
@pytest.mark.parametrize(("spec", "good", "changes", "code"), FINDINGS)
def test_each_difference_is_found_with_reason_and_remedy(
    daemon: str, spec: ClusterSpec, good: FtpServer, changes: dict[str, Any], code: str
) -> None:
    good = dataclasses.replace(good, daemon=daemon)
    assert daemon_findings(spec, "ftp1", [good]) == []
    found = daemon_findings(spec, "ftp1", [dataclasses.replace(good, **changes)])
    assert [f.code for f in found] == [code]
    assert found[0].what.startswith(f"ftp1 ({daemon}): ")
    assert found[0].remedy.endswith(".")
    assert not found[0].repairable


def test_vsftpd_on_ipv6_cannot_name_the_vip() -> None:
    found = daemon_findings(TLS, "ftp1", [vsftpd("listen_ipv6=YES\npasv_address=192.0.2.100")])
    assert "ftpd-pasv-ipv6" in [f.code for f in found]
    assert "listen=YES and listen_ipv6=NO" in next(f.remedy for f in found if f.code == "ftpd-pasv-ipv6")


GOOD_ELSEWHERE: list[tuple[ClusterSpec, tuple[FtpServer, ...]]] = [
    (DIRECT, (dataclasses.replace(SECURE, idle_timeout=240, pasv_address=""),)),
    (DIRECT, (dataclasses.replace(SECURE, idle_timeout=240, bound="192.0.2.100"),)),
    (SPECS["passive-only"], (dataclasses.replace(SECURE, active_on=False, data_port=0),)),
    (SPECS["implicit"], (SECURE, AT_990)),
    (SPECS["implicit"], (dataclasses.replace(SECURE, data_port=989), AT_990)),
    (SPECS["tls-dual"], (dataclasses.replace(SECURE, families=(4,)), dataclasses.replace(SECURE, families=(6,), pasv_address="", bound="fd00:50::11"), AT_990)),
    (SPECS["tls-ipv6"], (dataclasses.replace(SECURE, pasv_address=""),)),
    (advertise(), (SECURE,)),
    (GUIDE, (GOOD, dataclasses.replace(GOOD, control_port=2100, passive=None, tls=True))),
    (guide(persistence_timeout=0), (dataclasses.replace(GOOD, idle_timeout=0),)),
    (GUIDE, ()),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "found"), GOOD_ELSEWHERE)
def test_what_the_cluster_does_not_need_is_not_asked_for(spec: ClusterSpec, found: tuple[FtpServer, ...]) -> None:
    """Nor is a server judged that listens beside the cluster's ports."""
    if spec is SPECS["tls-ipv6"]:
        found = tuple(dataclasses.replace(one, families=(4, 6)) for one in found)
    assert daemon_findings(spec, "ftp1", found) == []


def test_each_port_needs_somebody_who_listens() -> None:
    found = daemon_findings(SPECS["implicit"], "ftp1", [SECURE])
    assert [(f.code, f.expected) for f in found] == [("ftpd-control-port", "990")]
    silent = dataclasses.replace(GOOD, daemon="proftpd", control_port=0)
    assert [f.found for f in daemon_findings(GUIDE, "ftp1", [silent])] == ["none"]


def test_the_helper_prepares_one_data_port_only() -> None:
    """Without the helper any of the cluster's ports is let out."""
    two = dataclasses.replace(GOOD, control_port=2121, data_port=20)
    assert [f.code for f in daemon_findings(SPECS["ports"], "ftp1", [GOOD, two])] == ["ftpd-data-port"]
    free = advertise(control_ports=(21, 2121))
    told = [dataclasses.replace(one, pasv_address="192.0.2.100") for one in (GOOD, two)]
    assert daemon_findings(free, "ftp1", told) == []


def test_a_virtual_host_is_named_and_a_server_that_does_not_listen_is_left_out() -> None:
    host = dataclasses.replace(GOOD, daemon="proftpd", name="ftp.example.org", passive=None)
    silent = dataclasses.replace(host, name="", control_port=0)
    found = daemon_findings(GUIDE, "ftp1", [silent, host])
    assert [f.what.partition(":")[0] for f in found] == ["ftp1 (proftpd ftp.example.org)"]


def test_every_finding_is_in_the_book() -> None:
    root = Path(__file__).parents[2]
    source = (root / "lbftp" / "core" / "ftp" / "daemon_findings.py").read_text()
    codes = {part.partition('"')[0] for part in source.split('"ftpd-')[1:]}
    book = (root / "docs" / "ftp-servers.md").read_text()
    assert codes
    assert [code for code in sorted(codes) if f"| ftpd-{code} |" not in book] == []
