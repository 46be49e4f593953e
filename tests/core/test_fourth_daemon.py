"""A further FTP daemon is a folder and a line: this one is made up, and nothing else is touched for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import pytest

from lbftp.core.ftp import daemons
from lbftp.core.ftp.daemon import Asked, Daemon, Settings
from lbftp.core.ftp.daemon_findings import daemon_findings
from lbftp.core.ftp.editing import RANGE_CODES, Edit, Wanted, with_options
from lbftp.core.ftp.files import main_file, servers
from lbftp.core.ftp.host import ftp_host
from lbftp.core.ftp.host_findings import host_findings
from lbftp.core.ftp.host_program import program as looking
from lbftp.core.ftp.lines import snippets
from lbftp.core.ftp.parts import ConfigFile, Snippet, header
from lbftp.core.ftp.server import FtpServer, ports
from lbftp.core.ftp_keys import server_keys, servers_plan
from lbftp.core.ftp_keys.program import judge, set_keys
from lbftp.core.observe.observed import Platform
from lbftp.core.spec import ClusterSpec
from tests.core.cases import GUIDE
from tests.core.ftp_hosts import machine
from tests.core.test_ftp_host import PARTS, framed

CONFIG = "/etc/smallftpd.conf"
TEXT = "# the site's own\nrange 30000 30999\nsecret hunter2\n"


def read(config: str, files: Mapping[str, str]) -> tuple[FtpServer, ...]:
    options = dict(line.split(" ", 1) for line in files[config].splitlines() if line and line[0] != "#")
    return (FtpServer("smallftpd", ports("range", options["range"].split()), 300),)


def lines(spec: ClusterSpec, platform: Platform) -> Snippet:
    wanted = f"range {spec.passive.low:d} {spec.passive.high:d}"
    return Snippet("smallftpd", platform, (ConfigFile(CONFIG, (*header(spec), wanted)),), (), ("smallctl reload",), "")


def wanted(asked: Asked) -> Wanted:
    return {"range": f"{asked.spec.passive.low:d} {asked.spec.passive.high:d}"}


def spelled(_asked: Asked, need: Wanted) -> list[str]:
    return [f"{option} {value}" for option, value in need.items()]


def edited(asked: Asked, need: Wanted) -> dict[str, str]:
    text = asked.files[asked.config]
    return {asked.config: with_options(text, need, lambda line, option: line.startswith(f"{option} "), " ")}


def judged(_config: str, _edits: Sequence[Edit], _whole: str) -> str:
    return 'smallftpd --check "$work/new"'


SMALL = Daemon(
    name="smallftpd",
    title="SmallFTPd",
    main_files=(CONFIG,),
    found_by=(f"find {CONFIG} -type f",),
    read=read,
    lines=lines,
    settings=Settings(
        codes=RANGE_CODES,
        options=frozenset({"range"}),
        wanted=wanted,
        spelled=spelled,
        edited=edited,
        reloadable=lambda _need: True,
        judged_by="smallftpd --check reads it",
        judge=judged,
    ),
    words=dataclasses.replace(daemons.named("proftpd").words, passive_range="range"),
)


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    """The one line."""
    daemons.DAEMONS.append(SMALL)
    yield
    daemons.DAEMONS.remove(SMALL)


def test_its_machine_is_looked_at_and_understood() -> None:
    assert "for name in vsftpd proftpd pure-ftpd smallftpd; do" in looking()
    assert f"find {CONFIG} -type f" in looking()
    files = {CONFIG: TEXT}
    path = main_file("smallftpd", ["/usr/sbin/smallftpd"], files)
    assert servers("smallftpd", path, files)[0].passive == (30000, 30999)


def test_it_is_found_among_the_processes_of_a_machine() -> None:
    parts = {
        **PARTS,
        "contents": TEXT,
        "lengths": f"{len(TEXT)} {CONFIG}\n",
        "listening": 'LISTEN 0      32    *:21    *:*    users:(("smallftpd",pid=402,fd=3))\n',
        "processes": f"smallftpd 402 smallftpd.service enabled /usr/sbin/smallftpd {CONFIG}  \n",
    }
    (one,) = ftp_host("ftp1", framed(parts)).instances
    assert (one.daemon, one.config, one.ports, one.unread) == ("smallftpd", CONFIG, (21,), "")
    assert one.servers[0].passive == (30000, 30999)


def test_its_lines_stand_beside_the_others() -> None:
    found = [one for one in snippets(GUIDE) if one.daemon == "smallftpd"]
    assert [one.platform for one in found] == ["debian", "redhat"]
    assert "range 10000 20000" in found[0].files[0].text
    assert daemons.title("smallftpd") == "SmallFTPd"


def test_what_is_wrong_is_found_in_its_own_words() -> None:
    (found,) = daemon_findings(GUIDE, "ftp1", read(CONFIG, {CONFIG: TEXT}))
    assert (found.code, found.remedy) == ("ftpd-passive-range", "Set range to 10000-20000.")
    assert found.what.startswith("ftp1 (smallftpd): passive ports are 30000-30999")
    host = machine("smallftpd", {CONFIG: TEXT})
    assert "ftpd-passive-range" in {one.code for one in host_findings(GUIDE, {"ftp1": host})}


def test_another_daemon_is_told_from_all_that_are_known() -> None:
    host = dataclasses.replace(machine("smallftpd", {CONFIG: TEXT}), instances=())
    (found,) = [one for one in host_findings(GUIDE, {"ftp1": host}) if one.code == "ftpd-unknown"]
    assert "neither vsftpd, ProFTPD, Pure-FTPd nor SmallFTPd" in found.what


def test_its_keys_are_planned_shown_and_set() -> None:
    host = machine("smallftpd", {CONFIG: TEXT})
    found = server_keys(GUIDE, host)
    (keys,) = found.keys
    assert keys.edits[0].after == "# the site's own\nrange 10000 20000\nsecret hunter2\n"

    plan = servers_plan(GUIDE, {"ftp1": host})
    steps = {step.kind: step for step in plan.routers[0].steps}
    assert steps["ftp-judge"].title == "Have SmallFTPd judge the new text"
    assert steps["ftp-judge"].why == "smallftpd --check reads it"
    change = plan.routers[0].changes[0]
    assert "+range 10000 20000" in change.diff
    assert "hunter2" not in change.diff

    assert 'smallftpd --check "$work/new"' in judge(found, "token1234")
    assert "range 10000 20000" in set_keys(found, "run-1", "token1234")


def test_a_daemon_that_is_not_on_the_list_is_not_known() -> None:
    daemons.DAEMONS.remove(SMALL)
    try:
        with pytest.raises(KeyError):
            servers("smallftpd", CONFIG, {CONFIG: TEXT})
        assert "smallftpd" not in looking()
    finally:
        daemons.DAEMONS.append(SMALL)
