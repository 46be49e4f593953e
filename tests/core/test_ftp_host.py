"""What an FTP server's machine answers, and what is found in it."""

from __future__ import annotations

import dataclasses
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbftp.core.ftp.files import main_file, servers
from lbftp.core.ftp.host import FtpHost, ftp_host
from lbftp.core.ftp.host_findings import host_findings
from lbftp.core.ftp.host_program import program
from lbftp.core.ftp.pure_ftpd.read import OPTIONS
from lbftp.core.observe.errors import ObserveError
from lbftp.core.observe.program import MAGIC
from lbftp.core.spec import ClusterSpec
from tests.core.cases import GUIDE
from tests.core.ftpd_cases import SPECS

VSFTPD = """listen=NO
listen_ipv6=YES
local_enable=YES
write_enable=YES
connect_from_port_20=YES
pasv_min_port=10000
pasv_max_port=20000
idle_session_timeout=300
"""
PARTS = {
    "addr": "1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever\n"
    "3: int0    inet 10.0.50.11/24 scope global int0\\       valid_lft forever preferred_lft forever\n",
    "disk": "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda 10000 4000 6000      40% /\n",
    "contents": VSFTPD,
    "host": "ftp1\n",
    "listening": 'LISTEN 0      32                 *:21               *:*    users:(("vsftpd",pid=402,fd=3))\n'
    'LISTEN 0      128          0.0.0.0:22         0.0.0.0:*    users:(("sshd",pid=1,fd=3))\n',
    "lengths": f"{len(VSFTPD)} /etc/vsftpd.conf\n",
    "os": 'ID=debian\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
    "processes": "vsftpd 402 vsftpd.service enabled /usr/sbin/vsftpd /etc/vsftpd.conf  \n",
    "route": "default via 10.0.50.1 dev int0 \n",
    "sysctl": "all.arp_ignore 0\nint0.arp_ignore 0\n",
    "status": "addr 0\nlistening 0\n",
    "uid": "0\n",
    "units": "vsftpd active\nproftpd inactive\npure-ftpd inactive\n",
}


def framed(parts: dict[str, str]) -> bytes:
    lengths = "".join(f"{len(text)} {name}\n" for name, text in parts.items())
    return f"{MAGIC}\n{lengths}\n{''.join(parts.values())}".encode()


ANSWER = framed(PARTS)
HOST = ftp_host("ftp1", ANSWER)
DIRECT = SPECS["direct"]


def _codes(host: FtpHost, spec: ClusterSpec = GUIDE) -> list[str]:
    return [f.code for f in host_findings(spec, {host.name: host})]


def test_a_real_server_is_understood() -> None:
    (one,) = HOST.instances
    assert (one.daemon, one.config, one.ports, one.unread) == ("vsftpd", "/etc/vsftpd.conf", (21,), "")
    assert one.unit.startswith("vsftpd")
    assert HOST.servers[0].passive == (10000, 20000)
    assert HOST.root
    assert HOST.gateways == (ip_address("10.0.50.1"), *HOST.gateways[1:])
    assert HOST.holds(ip_address("10.0.50.11")) == ("int0",)
    assert HOST.sysctls["all.arp_ignore"] == "0"
    assert "/" in HOST.full


def test_it_is_as_the_guides_cluster_needs_it() -> None:
    assert _codes(HOST) == []


@pytest.mark.parametrize(("changes", "code"), [
    ({"gateways": ()}, "server-route"),
    ({"gateways": (ip_address("10.0.50.99"),)}, "server-route"),
    ({"full": {"/": 40, "/srv": 99}}, "server-disk"),
    ({"instances": (), "listening": frozenset({22})}, "ftpd-stopped"),
    ({"instances": (), "listening": frozenset({21, 22})}, "ftpd-unknown"),
    ({"instances": (dataclasses.replace(HOST.instances[0], enabled="disabled"),)}, "ftpd-disabled"),
    ({"instances": (dataclasses.replace(HOST.instances[0], servers=(), unread="no"),)}, "ftpd-unread"),
])  # fmt: skip
def test_each_thing_is_found_by_itself(changes: dict[str, object], code: str) -> None:
    assert _codes(dataclasses.replace(HOST, **changes)) == [code]  # type: ignore[arg-type]


def test_without_nat_the_server_needs_the_vip_and_silence() -> None:
    assert "server-vip" in _codes(HOST, DIRECT)
    assert DIRECT.vip is not None
    has = dataclasses.replace(HOST, interfaces={**HOST.interfaces, "lo": (DIRECT.vip,)})
    assert "server-vip" not in _codes(has, DIRECT)
    assert "server-arp" in _codes(has, DIRECT)
    quiet = dataclasses.replace(has, sysctls={**HOST.sysctls, "all.arp_ignore": "1"})
    assert {"server-arp", "server-vip", "server-route"} & set(_codes(quiet, DIRECT)) == set()


def test_passwords_in_files_are_not_shown() -> None:
    assert "pasv_min_port" in HOST.files["/etc/vsftpd.conf"]
    assert "pasv_min_port" not in repr(HOST)


def test_includes_stand_where_they_are_named() -> None:
    files = {
        "/etc/proftpd/proftpd.conf": "Include /etc/proftpd/conf.d/\nPassivePorts 1024 2048\n",
        "/etc/proftpd/conf.d/b.conf": "PassivePorts 3000 4000\n",
        "/etc/proftpd/conf.d/a.conf": "TimeoutIdle 60\nPassivePorts 10000 20000\n",
    }
    path = main_file("proftpd", ["proftpd:", "(accepting", "connections)"], files)
    found = servers("proftpd", path, files)[0]
    assert (found.passive, found.idle_timeout) == ((10000, 20000), 60)


def test_an_include_that_goes_in_circles_is_an_error() -> None:
    files = {"/etc/proftpd/proftpd.conf": "Include /etc/proftpd/proftpd.conf\n"}
    with pytest.raises(ObserveError, match="included by itself"):
        servers("proftpd", "/etc/proftpd/proftpd.conf", files)


def test_the_file_that_the_unit_names_beats_the_usual_one() -> None:
    files = {"/etc/vsftpd.conf": "", "/etc/vsftpd/inside.conf": "listen_port=2121\n"}
    path = main_file("vsftpd", ["/usr/sbin/vsftpd", "/etc/vsftpd/inside.conf"], files)
    assert servers("vsftpd", path, files)[0].control_port == 2121


def test_options_in_a_folder() -> None:
    files = {f"{OPTIONS}/PassivePortRange": "10000 20000\n", f"{OPTIONS}/MaxIdleTime": "5\n"}
    path = main_file("pure-ftpd", ["pure-ftpd"], files)
    assert path == OPTIONS
    assert servers("pure-ftpd", path, files)[0].passive == (10000, 20000)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(ANSWER)), st.binary(max_size=8))
def test_any_answer_is_understood_or_refused(at: int, more: bytes) -> None:
    for answer in (ANSWER[:at] + more, ANSWER[:at] + more + ANSWER[at + len(more) :]):
        try:
            found = ftp_host("ftp1", answer)
        except ObserveError:
            continue
        host_findings(GUIDE, {"ftp1": found})


def test_an_answer_that_names_a_part_and_lacks_it_is_refused() -> None:
    """A byte of a part's name was lost on the way: its exit code is there, its content is not."""
    name = ANSWER.index(b" addr") + 1
    with pytest.raises(ObserveError, match="lacks addresses"):
        ftp_host("ftp1", ANSWER[:name] + b"b" + ANSWER[name + 1 :])


def test_the_program_writes_nothing_outside_its_own_folder() -> None:
    assert not [w for w in ("rm -rf /", "sed -i", "systemctl restart", "mv ") if w in program()]


def test_a_machine_where_nothing_listens_has_no_daemon() -> None:
    """SSH may be started for each connection by somebody else's socket."""
    host = ftp_host("ftp1", framed(PARTS | {"listening": "", "processes": ""}))
    assert "ftpd-stopped" in _codes(host)


@pytest.mark.parametrize("part", ["addr", "listening"])
def test_a_machine_without_iproute_is_told_so(part: str) -> None:
    status = PARTS["status"].replace(f"{part} 0", f"{part} 127")
    with pytest.raises(ObserveError, match="iproute2"):
        ftp_host("ftp1", framed(PARTS | {part: "", "status": status}))
