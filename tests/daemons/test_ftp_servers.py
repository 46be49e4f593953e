"""The real FTP servers take the lines that are rendered, do what they say, and read a configuration as our readers do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from lbftp.core.ftp.daemons import names
from lbftp.core.ftp.lines import snippet, unable
from lbftp.core.ftp.proftpd.read import proftpd
from lbftp.core.ftp.pure_ftpd.read import pure_ftpd, pure_ftpd_files
from lbftp.core.ftp.server import FtpServer
from lbftp.core.ftp.vsftpd.read import vsftpd
from lbftp.core.observe.errors import ObserveError
from lbftp.core.promise import Client, data_port, data_ports, promised
from lbftp.core.spec import ClusterSpec
from ops.bootstrap import UNPACK_INTO
from tests.core.cases import guide
from tests.core.ftpd_cases import SPECS, instances
from tests.core.kinds import KINDS as EVERY_KIND

SESSION: Final = Path(__file__).with_name("session.py")
AS_ROOT: Final = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]
ALONE: Final = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
KINDS: Final = ("guide", "brief", "dual", "ports", "implicit", "tls-ports", "tls-dual", "tls-ipv6", "direct-dual")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A self-signed certificate and its key."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    make += ["-days", "2", "-subj", "/CN=ftp.example.org", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(make, check=True, capture_output=True)
    return str(certificate), str(key)


def ask(tls: str = "none", port: int = 21, host: str = "127.0.0.1", *, reuse: bool = True) -> dict[str, Any]:
    return {"tls": tls, "port": port, "host": host, "reuse": reuse}


def happens(
    daemon: str, files: list[list[str]], folder: Path, *asks: dict[str, Any], addresses: tuple[str, ...] = ()
) -> list[dict[str, Any]]:
    """What clients see of `daemon` with these lines; `refused` alone where nothing listens or it does not start."""
    folder.mkdir(exist_ok=True)
    case: dict[str, Any] = {"daemon": daemon, "root": str(UNPACK_INTO), "folder": str(folder), "files": files}
    case |= {"asks": asks or [ask()], "addresses": addresses}
    argv = [*AS_ROOT, *ALONE, sys.executable, str(SESSION)]
    done = subprocess.run(argv, input=json.dumps(case), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def read(daemon: str, lines: list[str]) -> FtpServer:
    text = "\n".join(lines)
    return {"vsftpd": vsftpd, "proftpd": lambda t: proftpd(t)[0], "pure-ftpd": pure_ftpd}[daemon](text)


def served(spec: ClusterSpec, daemon: str) -> list[Client]:
    """What `daemon` does of the promise, once for each way in (IP version, TLS, port)."""
    doors = {(c.family, c.tls, c.port): c for c in promised(spec)}
    return [c for c in doors.values() if daemon != "pure-ftpd" or c.tls != "implicit"]


@pytest.mark.parametrize(
    ("name", "daemon"), [(n, d) for n in KINDS for d in names() if d not in dict(unable(SPECS[n]))]
)
def test_the_lines_do_what_the_cluster_needs(
    daemon: str, name: str, certificate: tuple[str, str], tmp_path: Path
) -> None:
    """Every kind of client that is promised, also one that does not resume TLS, gets a listing where routers mark it."""
    spec = SPECS[name]
    own = {4: "10.0.50.11", 6: "fd00:50::11"} if spec.nat else {4: str(spec.vip), 6: str(spec.vip6)}
    clients = served(spec, daemon)
    assert clients
    asks = [ask(c.tls, c.port, own[c.family], reuse=False) for c in clients]
    addresses = (f"{own[4]}/32", f"{own[6]}/128") if len(spec.sides) > 1 else (f"{own[spec.sides[0].family]}",)
    files = instances(snippet(spec, daemon, "redhat"), *certificate)
    for client, seen in zip(clients, happens(daemon, files, tmp_path, *asks, addresses=addresses), strict=True):
        assert "hello" in seen.get("transfer", ""), (str(client), seen)
        check_ports(spec, daemon, client, seen)
        if client.family == 4:
            told = str(spec.vip) if spec.mode == "advertise" else own[4]
            assert {address for address, _ in seen["passive"]} == {told}, str(client)


def check_ports(spec: ClusterSpec, daemon: str, client: Client, seen: dict[str, Any]) -> None:
    if not isinstance(seen["passive"], str):
        assert all(port in spec.passive for _, port in seen["passive"])
    expected = 20 if daemon == "pure-ftpd" else data_port(client.port)
    assert seen["active"][1] == expected
    assert expected in data_ports(spec)


def test_pure_ftpd_ends_quiet_sessions_in_time(tmp_path: Path) -> None:
    lines = list(snippet(guide(persistence_timeout=240), "pure-ftpd", "redhat").files[0].lines)
    assert "disconnected after 4 minutes" in happens("pure-ftpd", [lines], tmp_path)[0]["welcome"]


def agrees(said: FtpServer, seen: dict[str, Any]) -> None:
    """What the reader says is what a plain client sees over IPv4."""
    if said.passive_on:
        low, high = said.passive or (1024, 65535)
        assert all(low <= port <= high for _, port in seen["passive"])
        assert {address for address, _ in seen["passive"]} == {said.pasv_address or "127.0.0.1"}
    else:
        assert isinstance(seen["passive"], str)
    if not said.active_on:
        assert isinstance(seen["active"], str)
    elif said.data_port:
        assert seen["active"] == ["127.0.0.1", said.data_port]
    else:
        assert seen["active"][1] > 1023


READINGS: list[tuple[str, list[str]]] = [
    ("vsftpd", []),
    ("vsftpd", ["pasv_min_port=30000", "pasv_max_port=30003", "pasv_min_port=31000", "pasv_max_port=31003"]),
    ("vsftpd", ["  pasv_min_port=64000 and more", "pasv_max_port=50"]),
    ("vsftpd", ["pasv_min_port=0100000", "pasv_max_port=0100003", "#", "   "]),
    ("vsftpd", ["pasv_address=192.0.2.100", "connect_from_port_20=true", "ftp_data_port=22"]),
    ("vsftpd", ["pasv_address=192.0.2.100", "pasv_address="]),
    ("vsftpd", ["pasv_address=192.0.2.100", "pasv_addr_resolve=YES"]),
    ("vsftpd", ["pasv_enable=NO", "port_enable=0"]),
    ("vsftpd", ["listen=NO", "listen_ipv6=YES"]),
    ("vsftpd", ["listen=NO", "listen_ipv6=YES", "pasv_address=192.0.2.100"]),
    ("vsftpd", ["listen=NO", "listen_ipv6=YES", "pasv_address=192.0.2.100", "pasv_address="]),
    ("proftpd", []),
    ("proftpd", ["PassivePorts 30000 30003", "PassivePorts 31000 31003", "ROOTREVOKE off # kept"]),
    ("proftpd", ["passiveports 30000 \\", "30003", "RootRevoke on"]),
    ("proftpd", ["PassivePorts 30000 30003", "<Global>", "PassivePorts 31000 31003", "RootRevoke off", "</Global>"]),
    ("proftpd", ["<Global>", "PassivePorts 30000 30003", "PassivePorts 31000 31003", "</Global>"]),
    ("proftpd", ["<Global>", "PassivePorts 30000 30003", "</Global>", "<Global>", "PassivePorts 31000 31003", "</Global>"]),
    ("proftpd", ["<IfModule !mod_none.c>", "</IfModule>", "<IfModule mod_auth.c>", "PassivePorts 30000 30003", "</IfModule>"]),
    ("proftpd", ["<IfDefine NOT_DEFINED>", "PassivePorts 100 99", "</IfDefine>", "MasqueradeAddress 192.0.2.100"]),
    ("proftpd", ["# a comment does not go on \\", "PassivePorts 30000 30003", "Port 21", "Port 2121"]),
    ("pure-ftpd", []),
    ("pure-ftpd", ["PassivePortRange 30000 30003", "passiveportrange: 31000 31003"]),
    ("pure-ftpd", ["NATmode TRUE"]),
    ("pure-ftpd", ["ForcePassiveIP 192.0.2.100", "MaxIdleTime 0"]),
    ("pure-ftpd", ["Bind 2121", "Bind 21"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("daemon", "lines"), READINGS, ids=lambda value: "; ".join(value)[:50] if isinstance(value, list) else value
)
def test_a_daemon_does_what_its_reader_says(daemon: str, lines: list[str], tmp_path: Path) -> None:
    agrees(read(daemon, lines), happens(daemon, [lines], tmp_path)[0])


def tls_lines(daemon: str, certificate: tuple[str, str]) -> list[str]:
    """TLS with every default of the daemon."""
    names = {"vsftpd": "rsa_cert_file={}", "proftpd": "TLSRSACertificateFile {}", "pure-ftpd": ""}[daemon]
    keys = {"vsftpd": "rsa_private_key_file={}", "proftpd": "TLSRSACertificateKeyFile {}", "pure-ftpd": ""}[daemon]
    both = f'CertFileAndKey "{certificate[0]}" "{certificate[1]}"'
    named = [both] if daemon == "pure-ftpd" else [names.format(certificate[0]), keys.format(certificate[1])]
    return [{"vsftpd": "listen=YES\nssl_enable=YES", "proftpd": "TLSEngine on", "pure-ftpd": "TLS 1"}[daemon], *named]


TLS_READINGS: list[tuple[str, list[str]]] = [
    ("vsftpd", []),
    ("vsftpd", ["force_local_logins_ssl=NO"]),
    ("vsftpd", ["force_local_logins_ssl=NO", "force_local_data_ssl=NO"]),
    ("vsftpd", ["force_local_logins_ssl=NO", "force_local_data_ssl=NO", "require_ssl_reuse=NO"]),
    ("vsftpd", ["implicit_ssl=YES", "require_ssl_reuse=NO"]),
    ("vsftpd", ["implicit_ssl=YES", "ssl_enable=NO"]),
    ("proftpd", []),
    ("proftpd", ["TLSOptions NoSessionReuseRequired", "TLSRequired off"]),
    ("proftpd", ["TLSOptions NoSessionReuseRequired", "TLSOptions UseImplicitSSL"]),
    ("proftpd", ["TLSOptions NoSessionReuseRequired", "<Global>", "TLSOptions UseImplicitSSL", "</Global>"]),
    ("proftpd", ["TLSRequired ctrl", "<Global>", "TLSOptions NoSessionReuseRequired", "</Global>"]),
    ("pure-ftpd", []),
    ("pure-ftpd", ["TLS 2"]),
    ("pure-ftpd", ["TLS 0"]),
]


@pytest.mark.parametrize(
    ("daemon", "more"), TLS_READINGS, ids=lambda value: "; ".join(value)[:50] if isinstance(value, list) else value
)
def test_a_daemon_speaks_tls_as_its_reader_says(
    daemon: str, more: list[str], certificate: tuple[str, str], tmp_path: Path
) -> None:
    lines = [*tls_lines(daemon, certificate), *more]
    said = read(daemon, lines)
    secured = ask("implicit" if said.implicit else "explicit", reuse=True)
    asks = [secured, secured | {"reuse": False}] + ([] if said.implicit else [ask()])
    reused, fresh, *plain = happens(daemon, [lines], tmp_path, *asks)
    assert said.certificate == certificate[0]
    assert ("hello" in reused.get("transfer", "")) == said.tls
    assert ("hello" in fresh.get("transfer", "")) == (said.tls and not said.tls_reuse)
    for seen in plain:
        assert ("hello" in seen.get("transfer", "")) != said.tls_required


LISTENING: list[tuple[str, list[str]]] = [
    ("vsftpd", ["listen=YES"]),
    ("vsftpd", ["listen=NO", "listen_ipv6=YES"]),
    ("vsftpd", ["listen=NO", "listen_ipv6=YES", "listen_address6=fd00:50::11"]),
    ("vsftpd", ["listen=YES", "listen_address=10.0.50.11"]),
    ("vsftpd", ["listen=YES", "listen_port=2121"]),
    ("proftpd", ["DefaultAddress 10.0.50.11"]),
    ("proftpd", ["SocketBindTight on", "DefaultAddress 10.0.50.11"]),
    ("proftpd", ["UseIPv6 off"]),
    ("proftpd", ["Port 2121", "Port 21"]),
    ("proftpd", ["Port 0", "<VirtualHost 0.0.0.0>", "Port 2121", "</VirtualHost>"]),
    ("proftpd", ["<VirtualHost 10.0.50.11>", "Port 2121", "</VirtualHost>"]),
    ("pure-ftpd", []),
    ("pure-ftpd", ["IPV4Only yes"]),
    ("pure-ftpd", ["IPV6Only yes"]),
    ("pure-ftpd", ["Bind ,2121"]),
    ("pure-ftpd", ["Bind 2121"]),
    ("pure-ftpd", ["Bind 10.0.50.11,21"]),
    ("pure-ftpd", ["Bind fd00:50::11,2121"]),
]


@pytest.mark.parametrize(
    ("daemon", "lines"), LISTENING, ids=lambda value: "; ".join(value)[:50] if isinstance(value, list) else value
)
def test_a_daemon_listens_where_its_reader_says(daemon: str, lines: list[str], tmp_path: Path) -> None:
    said = proftpd("\n".join(lines))[-1] if daemon == "proftpd" else read(daemon, lines)
    own = {4: ("127.0.0.1", "10.0.50.11"), 6: ("::1", "fd00:50::11")}
    wanted = [(family, host) for family in said.families for host in own[family] if said.bound in {"", host}]
    every = [(family, host) for family in own for host in own[family]]
    asks = [ask(port=said.control_port, host=host) for _, host in wanted]
    asks += [
        ask(port=said.control_port, host=host) | {"listens": False} for f, host in every if (f, host) not in wanted
    ]
    seen = happens(daemon, [lines], tmp_path, *asks, addresses=("10.0.50.11/32", "fd00:50::11/128"))
    assert ["welcome" in one for one in seen] == [True] * len(wanted) + [False] * (len(every) - len(wanted))


def test_a_virtual_host_has_the_global_lines_and_not_the_main_server_s(tmp_path: Path) -> None:
    host = ["Port 2100", "<VirtualHost 127.0.0.1>", "</VirtualHost>"]
    for name, lines in {
        "main": ["PassivePorts 30000 30003", "RootRevoke off"],
        "common": ["<Global>", "PassivePorts 30000 30003", "RootRevoke off", "</Global>"],
    }.items():
        seen = happens("proftpd", [[*lines, *host]], tmp_path / name)[0]
        said = proftpd("\n".join([*lines, *host]))[1]
        assert (said.passive, said.data_port) == (None, 0) if name == "main" else ((30000, 30003), 20)
        agrees(said, seen)


@pytest.mark.parametrize(("daemon", "line"), [
    ("vsftpd", "pasv_min_port = 30000"), ("vsftpd", "pasv_min_port"), ("vsftpd", "pasv_min_port="),
    ("vsftpd", "connect_from_port_20=YES "), ("vsftpd", " # a comment"), ("vsftpd", "port_enable=maybe"),
    ("vsftpd", "listen=YES\nlisten_ipv6=YES"),
    ("proftpd", "PassivePorts 30000"), ("proftpd", "PassivePorts 30003 30000"), ("proftpd", "PassivePorts 30000 30000"), ("proftpd", "PassivePorts 1023 30000"), ("proftpd", "TimeoutIdle 5x"),
    ("proftpd", "<Global>"), ("proftpd", "PassivePorts low high"),
    ("pure-ftpd", "PassivePortRange 30000:30003"), ("pure-ftpd", "MaxIdleTime 5 # minutes"), ("pure-ftpd", "MaxIdleTime"),
    ("pure-ftpd", "IPV4Only yes\nIPV6Only yes"), ("pure-ftpd", "Bind 127.0.0.1"),
])  # fmt: skip
def test_what_a_reader_refuses_the_daemon_refuses_too(daemon: str, line: str, tmp_path: Path) -> None:
    with pytest.raises(ObserveError):
        read(daemon, [line])
    assert "refused" in happens(daemon, [[line]], tmp_path)[0]


@pytest.mark.parametrize("name", [name for name in SPECS if "proftpd" not in dict(unable(SPECS[name]))])
def test_proftpd_s_own_check_has_nothing_to_say(name: str, certificate: tuple[str, str], tmp_path: Path) -> None:
    path = tmp_path / "proftpd.conf"
    lines = instances(snippet(SPECS[name], "proftpd", "debian"), *certificate)[0]
    first = [f"ModulePath {UNPACK_INTO}/usr/lib/proftpd"]
    path.write_text("\n".join([*first, *lines, "ServerName t", "User nobody", ""]))
    libraries = ":".join(str(p) for part in ("lib", "usr/lib") for p in (UNPACK_INTO / part).glob("*-linux-*"))
    argv = [str(UNPACK_INTO / "usr/sbin/proftpd"), "-t", "-c", str(path)]
    done = subprocess.run(argv, env={"LD_LIBRARY_PATH": libraries}, capture_output=True, text=True, check=False)
    assert (done.returncode, "fatal" in done.stderr) == (0, False), done.stderr


@pytest.mark.parametrize("daemon", names())
def test_a_daemon_starts_with_the_lines_of_every_kind_of_cluster(
    daemon: str, certificate: tuple[str, str], tmp_path: Path
) -> None:
    """Kinds that differ in nothing that an FTP server has to know are tried once."""
    able = {n: s for n, s in EVERY_KIND.items() if daemon not in dict(unable(s))}
    cases = {json.dumps(instances(snippet(s, daemon, "redhat"), *certificate)): n for n, s in able.items()}
    assert len(able) > 40
    for number, (files, name) in enumerate(cases.items()):
        spec = EVERY_KIND[name]
        client = served(spec, daemon)[0]
        own = "10.0.50.11" if client.family == 4 else "fd00:50::11"
        addresses = ("10.0.50.11/32", "fd00:50::11/128", *(f"{s.vip}/{s.vip.max_prefixlen}" for s in spec.sides))
        seen = happens(
            daemon, json.loads(files), tmp_path / str(number), ask(client.tls, client.port, own, reuse=False),
            addresses=addresses,
        )  # fmt: skip
        assert "refused" not in seen[0], (name, seen)


def option_files(name: str) -> Iterator[tuple[str, str]]:
    spec = SPECS[name] if name != "short" else guide(persistence_timeout=200)
    for file in snippet(spec, "pure-ftpd", "debian").files:
        if "/conf/" in file.path:
            yield file.path, file.text


@pytest.mark.parametrize(("name", "wanted"), [
    ("short", {"-p 10000:20000", "-I 3"}),
    ("tls", {"-p 10000:20000", "-I 5", "-P 192.0.2.100", "-Y 1"}),
    ("odd-port", {"-S ,2121", "-p 10000:20000"}),
])  # fmt: skip
def test_debian_s_wrapper_makes_the_right_options_of_the_files(name: str, wanted: set[str], tmp_path: Path) -> None:
    for folder in ("conf", "auth"):
        (tmp_path / "pure-ftpd" / folder).mkdir(parents=True)
    files = dict(option_files(name))
    for path, text in files.items():
        (tmp_path / Path(path).relative_to("/etc")).write_text(text)
    wrapper = f"mount --bind {tmp_path} /etc && perl {UNPACK_INTO}/usr/sbin/pure-ftpd-wrapper --show-options"
    argv = ["unshare", "--map-root-user", "--mount", "sh", "-c", wrapper]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert wanted <= {f"-{word.strip()}" for word in f" {done.stdout}".split(" -")}
    read_back = pure_ftpd_files({Path(path).name: text for path, text in files.items()})
    assert read_back.passive == (10000, 20000)
