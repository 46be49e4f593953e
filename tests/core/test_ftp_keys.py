"""Keys of a server's own files: only those in question change, everybody else's lines stay, and then nothing is found."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from lbftp.core import ftp_keys, plan
from lbftp.core.ftp.editing import Edit, Unsettable, Wanted
from lbftp.core.ftp.host import FtpHost
from lbftp.core.ftp.proftpd import settings as proftpd
from lbftp.core.ftp.pure_ftpd import settings as pure_ftpd
from lbftp.core.ftp.pure_ftpd.read import OPTIONS
from lbftp.core.ftp.vsftpd import settings as vsftpd
from lbftp.core.ftp_keys import ServerKeys, program, shown
from lbftp.core.ftp_keys.server import amiss, still
from lbftp.core.ftp_keys.shown import HIDDEN
from lbftp.core.observe.errors import ObserveError
from lbftp.core.spec import ClusterSpec, PortRange
from tests.core.cases import GUIDE, guide
from tests.core.ftp_hosts import PROFTPD, PURE, VSFTPD, machine
from tests.core.ftpd_cases import SPECS, advertise

CLUSTERS = (GUIDE, advertise(), SPECS["direct"], guide(active="none", persistence_timeout=240))
IN_STEP: Mapping[str, dict[str, str]] = {
    "vsftpd": {VSFTPD: "listen=YES\npasv_min_port=10000\npasv_max_port=20000\nconnect_from_port_20=YES\n"},
    "proftpd": {PROFTPD: "PassivePorts 10000 20000\nTimeoutIdle 300\nRootRevoke off\n"},
    "pure-ftpd": {PURE: "PassivePortRange 10000 20000\nMaxIdleTime 5\n"},
}

vsftpd_lines = st.sampled_from([
    "", "# pasv_min_port=1", "pasv_min_port=1", "pasv_max_port=30000", "pasv_max_port=20000", "pasv_address=192.0.2.9",
    "local_enable=YES", "idle_session_timeout=600", "xpasv=1", "listen=YES", "#comment\t", "banner=pasv_min_port=5",
    "pasv_enable=NO", "port_enable=NO", "connect_from_port_20=YES", "ftp_data_port=2020", "  pasv_min_port=2",
    "pasv_addr_resolve=YES", "pasv_address=ftp.example.org", "\udcff=bytes",
])  # fmt: skip
pure_lines = st.sampled_from([
    "", "# PassivePortRange 1 2", "PassivePortRange 30000 30001", "passiveportrange: 1 2", "ForcePassiveIP 192.0.2.9",
    "NATmode yes", "MaxIdleTime 15", "  MaxIdleTime\t600", "ChrootEveryone yes", "#x", "MySQLConfigFile /etc/mysql.conf",
])  # fmt: skip
proftpd_lines = st.sampled_from([
    "", "# PassivePorts 1024 2048", "PassivePorts 30000 30001", "passiveports 20000 30000 # mine", "TimeoutIdle 0",
    "MasqueradeAddress 192.0.2.9", "RootRevoke on", "RootRevoke off", "ServerName \"Ours # not a comment\"",
    "SQLConnectInfo db@host user hunter2", "  TimeoutIdle 600", "Umask 022",
])  # fmt: skip
vsftpd_texts = st.lists(vsftpd_lines, max_size=14).map("\n".join)
pure_texts = st.lists(pure_lines, max_size=10).map("\n".join)
blocks = st.sampled_from(["<Global>|</Global>", "<VirtualHost 0.0.0.0>|</VirtualHost>", "<Limit LOGIN>|</Limit>", "|"])


@st.composite
def proftpd_texts(draw: st.DrawFn) -> str:
    """Lines of the main server and of blocks, the virtual hosts at port 21 or 2121."""
    made = list(draw(st.lists(proftpd_lines, max_size=8)))
    for number in range(draw(st.integers(0, 3))):
        begin, _, end = draw(blocks).partition("|")
        inside = draw(st.lists(proftpd_lines, max_size=5))
        port = [f"  Port {draw(st.sampled_from([21, 2121]))}"] if "Virtual" in begin and number else []
        made += [begin, *port, *inside, end, *draw(st.lists(proftpd_lines, max_size=2))]
    return "\n".join(made) + "\n"


def answered(daemon: str, files: Mapping[str, str]) -> FtpHost:
    """The machine, if its daemon would start with these files."""
    try:
        return machine(daemon, files)
    except ObserveError:
        assume(False)
        raise


def after(host: FtpHost, found: ServerKeys) -> FtpHost:
    """The machine once all of that is set."""
    files = dict(host.files)
    for keys in found.keys:
        for edit in keys.edits:
            assert files.get(edit.path) == edit.before
            files[edit.path] = edit.after
    return machine(host.instances[0].daemon, files)


def holds(spec: ClusterSpec, host: FtpHost, options: set[str]) -> None:
    """Nothing is found any more, a second time changes nothing, and only lines of `options` come and go; where it is
    refused, nothing changes and the reason is told."""
    found = ftp_keys.server_keys(spec, host)
    assert found == ftp_keys.server_keys(spec, host)
    for unset in found.unset:
        assert unset.reason
        assert unset.lines or unset.findings[0].remedy
    now = after(host, found)
    if not found.unset:
        assert still(spec, now) == []
        again = ftp_keys.server_keys(spec, now)
        assert (again.keys, again.unset) == ((), ())
    for path, text in now.files.items():
        assert others(text, options) == others(host.files.get(path, ""), options), path


def others(text: str, options: set[str]) -> list[str]:
    """The lines that set none of these options, without empty ones at the end."""
    lines = [line for line in text.split("\n") if re.split(r"[=:\s]", line.strip().lower())[0] not in options]
    while lines and not lines[-1]:
        lines.pop()
    return lines


@given(vsftpd_texts, st.sampled_from(CLUSTERS))
def test_vsftpd(text: str, spec: ClusterSpec) -> None:
    options = {
        "pasv_min_port", "pasv_max_port", "pasv_address", "pasv_addr_resolve", "idle_session_timeout", "pasv_enable",
        "port_enable", "connect_from_port_20", "ftp_data_port", "listen", "listen_ipv6",
    }  # fmt: skip
    holds(spec, answered("vsftpd", {VSFTPD: text}), options)


@given(pure_texts, st.sampled_from(CLUSTERS))
def test_pure_ftpd_in_one_file(text: str, spec: ClusterSpec) -> None:
    holds(spec, answered("pure-ftpd", {PURE: text}), {"passiveportrange", "forcepassiveip", "maxidletime", "natmode"})


@given(
    st.dictionaries(
        st.sampled_from(["PassivePortRange", "ForcePassiveIP", "MaxIdleTime", "NATmode", "NoAnonymous"]),
        st.sampled_from(["1 2\n", "# why\n\n10\n", "yes\n", "192.0.2.9\n", "#\n", "", "10", "30000 30001"]),
    ),
    st.sampled_from(CLUSTERS),
)
def test_pure_ftpd_in_a_folder(options: dict[str, str], spec: ClusterSpec) -> None:
    """Comments of an option's file stay; other options' files are not touched."""
    files = {f"{OPTIONS}/{name}": text for name, text in options.items()} | {f"{OPTIONS}/MinUID": "1000\n"}
    host = answered("pure-ftpd", files)
    found = ftp_keys.server_keys(spec, host)
    assert found.unset == ()
    now = after(host, found)
    assert still(spec, now) == []
    assert ftp_keys.server_keys(spec, now).keys == ()
    for path in files:
        comments = [line for line in files[path].split("\n") if line.startswith("#")]
        assert [line for line in now.files[path].split("\n") if line.startswith("#")] == comments
    assert now.files[f"{OPTIONS}/MinUID"] == "1000\n"
    assert now.files.get(f"{OPTIONS}/NoAnonymous") == files.get(f"{OPTIONS}/NoAnonymous")


@given(proftpd_texts(), st.sampled_from(CLUSTERS))
def test_proftpd(text: str, spec: ClusterSpec) -> None:
    host = answered("proftpd", {PROFTPD: text})
    holds(spec, host, {"passiveports", "masqueradeaddress", "timeoutidle", "rootrevoke"})


@given(proftpd_texts())
def test_proftpd_s_comments_stay(text: str) -> None:
    host = answered("proftpd", {PROFTPD: text})
    now = after(host, ftp_keys.server_keys(GUIDE, host)).files[PROFTPD]
    assert [x for x in now.split("\n") if x.startswith("#")] == [x for x in text.split("\n") if x.startswith("#")]


@pytest.mark.parametrize(
    "value", ["1\npasv_enable=NO", "1\r2", "a;b", "", "x\0", "1 2 3", "\u2028", "<Global>", "$(id)", "`id`", "-"]
)
def test_no_value_adds_a_line(value: str) -> None:
    for edit in (vsftpd.edited, pure_ftpd.edited):
        with pytest.raises(ValueError, match="cannot be set"):
            edit("listen=YES\n", {"pasv_address": value})
    with pytest.raises(ValueError, match="cannot be set"):
        proftpd.edited(PROFTPD, {PROFTPD: ""}, proftpd.MAIN, {"PassivePorts": value})
    with pytest.raises(ValueError, match="cannot be set"):
        pure_ftpd.files_edited({}, {"PassivePortRange": value})
    with pytest.raises(ValueError, match="cannot be set"):
        vsftpd.edited("", {"a=b\nc": "1"})


def test_of_several_lines_the_last_counts_and_stays_where_it_is() -> None:
    text = "pasv_min_port=1\n# mine\npasv_min_port=2\nwrite_enable=YES"
    now = vsftpd.edited(text, {"pasv_min_port": "10000", "pasv_max_port": "20000"})
    assert now == "pasv_min_port=1\n# mine\npasv_min_port=10000\nwrite_enable=YES\npasv_max_port=20000\n"
    text = "passiveportrange: 1 2\nMaxIdleTime 15\nPassivePortRange 3 4\n"
    assert pure_ftpd.edited(text, {"PassivePortRange": "1 9", "MaxIdleTime": None}) == (
        "passiveportrange: 1 2\nPassivePortRange 1 9\n"
    )


def test_vsftpd_that_has_to_name_the_vip_listens_on_ipv4() -> None:
    host = machine("vsftpd", {VSFTPD: IN_STEP["vsftpd"][VSFTPD].replace("listen=YES", "listen_ipv6=YES")})
    assert ftp_keys.server_keys(GUIDE, host).keys == ()
    (keys,) = ftp_keys.server_keys(advertise(), host).keys
    assert keys.edits[0].after == (
        "listen_ipv6=NO\npasv_min_port=10000\npasv_max_port=20000\nconnect_from_port_20=YES\n"
        "listen=YES\npasv_address=192.0.2.100\n"
    )
    assert not keys.reload
    (unset,) = ftp_keys.server_keys(SPECS["tls-dual"], machine("vsftpd", dict(host.files))).unset
    assert "IPv6 needs an instance" in unset.reason


MULTIHOST = """# Ours
Include /etc/proftpd/conf.d/
ServerName "one"
PassivePorts 20000 30000   # ours
<Global>
  TimeoutIdle 300
  SQLConnectInfo db@host user hunter2
</Global>
<VirtualHost 0.0.0.0>
  Port 2121
  # of the second
  TimeoutIdle 900
</VirtualHost>
"""


def test_proftpd_s_virtual_host_of_that_port_gets_its_own_line() -> None:
    spec = guide(control_ports=(21, 2121))
    host = machine("proftpd", {PROFTPD: MULTIHOST, "/etc/proftpd/conf.d/a.conf": "RootRevoke off\n"})
    (keys,) = ftp_keys.server_keys(spec, host).keys
    assert [edit.path for edit in keys.edits] == [PROFTPD]
    assert keys.edits[0].after == MULTIHOST.replace(
        "PassivePorts 20000 30000   # ours", "PassivePorts 10000 20000   # ours"
    ).replace("  TimeoutIdle 900\n", "  TimeoutIdle 300\n  PassivePorts 10000 20000\n  RootRevoke off\n")
    assert keys.reload
    assert keys.candidate.startswith("# Ours\nRootRevoke off\nServerName")
    # A virtual host that is not the cluster's is left as it is.
    (keys,) = ftp_keys.server_keys(GUIDE, host).keys
    assert keys.edits[0].after == MULTIHOST.replace("20000 30000", "10000 20000")


def test_a_directive_in_an_included_file_is_set_there() -> None:
    files = {
        PROFTPD: "Include /etc/proftpd/conf.d/\nRootRevoke off\nTimeoutIdle 60\n",
        "/etc/proftpd/conf.d/a.conf": "PassivePorts 1024 2048\n",
    }
    (keys,) = ftp_keys.server_keys(GUIDE, machine("proftpd", files)).keys
    assert [(e.path, e.after) for e in keys.edits] == [("/etc/proftpd/conf.d/a.conf", "PassivePorts 10000 20000\n")]


BASE = "TimeoutIdle 60\nRootRevoke off\n"


@pytest.mark.parametrize(("files", "spec", "reason"), [
    ({PROFTPD: f"{BASE}<IfModule mod_x.c>\nPassivePorts 1024 2048\n</IfModule>\n"}, GUIDE, "depends on a module"),
    ({PROFTPD: f"{BASE}PassivePorts 1024 \\\n 2048\n"}, GUIDE, "over several lines"),
    ({PROFTPD: f"{BASE}PassivePorts 1024 2048\r\n"}, GUIDE, "carriage returns"),
    ({PROFTPD: BASE}, guide(passive=PortRange(30000, 30000)), "at least two passive ports"),
    ({PROFTPD: f"{BASE}PassivePorts 10000 20000\n<Global>\nMasqueradeAddress 192.0.2.9\n</Global>\n<VirtualHost 0.0.0.0>\nPort 9\n</VirtualHost>\n"}, GUIDE, "another server of it would change"),
    ({PROFTPD: f"{BASE}Include /etc/proftpd/a.d/x.conf\n<VirtualHost 0.0.0.0>\nTimeoutIdle 60\nRootRevoke off\nInclude /etc/proftpd/a.d/x.conf\n</VirtualHost>\n", "/etc/proftpd/a.d/x.conf": "PassivePorts 1024 2048\n"}, GUIDE, "more than once"),
    ({VSFTPD: "listen=YES\r\n"}, GUIDE, ""),
])  # fmt: skip
def test_what_cannot_be_told_is_refused_with_the_lines(files: dict[str, str], spec: ClusterSpec, reason: str) -> None:
    daemon: str = "proftpd" if PROFTPD in files else "vsftpd"
    if not reason:
        with pytest.raises(ObserveError):
            machine(daemon, files)
        return
    found = ftp_keys.server_keys(spec, machine(daemon, files))
    assert found.keys == ()
    assert reason in found.unset[0].reason
    (problem,) = ftp_keys.servers_plan(spec, {"ftp1": machine(daemon, files)}).warnings
    assert (problem.code, problem.severity, problem.router) == ("LBF028", "error", "ftp1")
    assert "PassivePorts" in problem.remedy or "MasqueradeAddress" in problem.remedy


def test_one_that_cannot_be_set_does_not_keep_others_from_it() -> None:
    host = machine("proftpd", {PROFTPD: f"{BASE}PassivePorts 1024 \\\n 2048\n"})
    other = machine("vsftpd", {VSFTPD: "listen=YES\n"}, name="ftp2")
    made = ftp_keys.servers_plan(GUIDE, {"ftp1": host, "ftp2": other})
    assert [(p.severity, p.router) for p in made.warnings] == [("warning", "ftp1")]
    assert ftp_keys.concerned(made) == ["ftp2"]
    blind = dataclasses.replace(host, root=False, instances=())
    (problem,) = ftp_keys.servers_plan(GUIDE, {"ftp1": blind}).warnings
    assert (problem.severity, "not root" in problem.reason) == ("error", True)


def test_pure_ftpd_with_an_include_and_a_daemon_without_a_unit_are_left_to_people() -> None:
    host = machine("pure-ftpd", {PURE: "!Include /etc/more.conf\nMaxIdleTime 5\n"})
    assert "may set the same" in ftp_keys.server_keys(GUIDE, host).unset[0].reason
    host = machine("vsftpd", {VSFTPD: "listen=YES\n"})
    bare = dataclasses.replace(host, instances=(dataclasses.replace(host.instances[0], unit=""),))
    (unset,) = ftp_keys.server_keys(GUIDE, bare).unset
    assert "no unit" in unset.reason
    assert unset.lines == ("pasv_min_port=10000", "pasv_max_port=20000", "connect_from_port_20=YES")


def test_a_daemon_that_nobody_can_read_is_not_as_it_should_be() -> None:
    host = machine("vsftpd", IN_STEP["vsftpd"])
    assert amiss(GUIDE, host) == ""
    assert amiss(GUIDE, dataclasses.replace(host, instances=())) == "no FTP daemon listens"
    unread = dataclasses.replace(host.instances[0], servers=(), unread="line 3 is not option=value")
    assert amiss(GUIDE, dataclasses.replace(host, instances=(unread,))) == unread.unread
    assert amiss(advertise(), host).startswith("ftp1 (vsftpd): it tells clients its own address")


def test_a_server_that_is_in_step_is_left_alone() -> None:
    for daemon, files in IN_STEP.items():
        found = ftp_keys.server_keys(GUIDE, machine(daemon, files))
        assert (found.keys, found.unset) == ((), ()), daemon
    made = ftp_keys.servers_plan(GUIDE, {"ftp1": machine("vsftpd", IN_STEP["vsftpd"])})
    assert made.empty
    assert ftp_keys.concerned(made) == []


SECRETS = """# password of the database: hunter2
SQLConnectInfo db@host user hunter2
PassivePorts 20000 30000
LDAPServer ldap://x/ hunter2
RootRevoke off
TimeoutIdle 60
"""


def test_the_plan_holds_no_more_of_a_file_than_the_lines_that_change() -> None:
    made = ftp_keys.servers_plan(GUIDE, {"ftp1": machine("proftpd", {PROFTPD: SECRETS})})
    stored = json.dumps(plan.to_json(made))
    assert "hunter2" not in stored + repr(made)
    assert HIDDEN in stored
    (difference,) = plan.to_json(made)["routers"][0]["differences"]
    assert (difference["before"], difference["after"]) == ("PassivePorts 20000 30000\n", "PassivePorts 10000 20000\n")
    assert [step.kind for step in made.routers[0].steps] == [
        "ftp-judge", "ftp-keep", "ftp-write", "ftp-renew", "ftp-listen", "ftp-look-again",
    ]  # fmt: skip


def test_another_byte_in_the_file_is_another_plan() -> None:
    def digest(text: str) -> str:
        return ftp_keys.servers_plan(GUIDE, {"ftp1": machine("vsftpd", {VSFTPD: text})}).digest

    assert digest("listen=YES\n") == digest("listen=YES\n") != digest("listen=YES\n#\n")


# difflib's own difference of this names the line with the password as one that goes and comes.
@example(
    "  TimeoutIdle 600\n\nPassivePorts 30000 30001\nRootRevoke on\nSQLConnectInfo db@host user hunter2\n"
    "  TimeoutIdle 600\nMasqueradeAddress 192.0.2.9\n\n"
)
@given(proftpd_texts())
def test_what_is_stored_of_a_proftpd_has_just_the_lines_that_change_and_no_password(text: str) -> None:
    host = answered("proftpd", {PROFTPD: text})
    stored = plan.to_json(ftp_keys.servers_plan(GUIDE, {"ftp1": host}))
    assert "hunter2" not in json.dumps(stored)
    options = {"passiveports", "masqueradeaddress", "timeoutidle", "rootrevoke"}
    for difference in stored["routers"][0]["differences"]:
        assert others(difference["before"] or "", options) == others(difference["after"], options) == []


@given(st.lists(vsftpd_lines, max_size=20), st.lists(vsftpd_lines, max_size=20))
def test_a_difference_leads_from_one_text_to_the_other(old: list[str], new: list[str]) -> None:
    """Also where texts have nothing to do with each other, and where lines are like those that a difference has."""
    old, new = [f"{x}\n" for x in [*old, "-1", "+2", "@@"]], [f"{x}\n" for x in ["@@", *new, "-1"]]
    rows = shown.difference("vsftpd", Edit("/x", "".join(old), "".join(new))).diff.split("\n")[2:]
    made: list[str] = []
    place = 0
    for row in rows:
        if row.startswith("@@ -"):
            begin = int(row.split(",")[0].removeprefix("@@ -")) - 1
            made += old[place:begin]
            place = begin
        elif row.startswith("+"):
            made.append(f"{row[1:]}\n")
        else:
            assert old[place] == f"{row[1:]}\n"
            made += [old[place]] if row.startswith(" ") else []
            place += 1
    assert [*made, *old[place:]] == new


def test_a_difference_shows_two_lines_around_each_change() -> None:
    old = "listen=YES\n" + "".join(f"#{n}\n" for n in range(30)) + "pasv_min_port=1\n#\n"
    new = vsftpd.edited(old, {"listen": "NO", "pasv_min_port": "10000", "pasv_max_port": "20000"})
    rows = shown.difference("vsftpd", Edit("/x", old, new)).diff.split("\n")
    assert rows == [
        "--- now", "+++ after", "@@ -1,3 +1,3 @@", "-listen=YES", "+listen=NO", " #0", " #1",
        "@@ -30,4 +30,5 @@", " #28", " #29", "-pasv_min_port=1", "+pasv_min_port=10000", " #", "+pasv_max_port=20000",
    ]  # fmt: skip


def test_the_difference_of_a_very_long_file_hides_what_it_may_not_show() -> None:
    many = "".join(f"# {number}\nSQLConnectInfo hunter{number}\n" for number in range(400))
    text = f"TimeoutIdle 900\n{many}PassivePorts 1024 2048\nRootRevoke off\n"
    made = ftp_keys.servers_plan(GUIDE, {"ftp1": machine("proftpd", {PROFTPD: text})})
    assert "hunter" not in json.dumps(plan.to_json(made))


def test_the_program_is_made_for_every_daemon_and_its_folder_has_a_name() -> None:
    wrong: Mapping[str, dict[str, str]] = {
        "vsftpd": {VSFTPD: "listen=YES\n"},
        "proftpd": {PROFTPD: ""},
        "pure-ftpd": {PURE: ""},
    }
    for daemon, files in wrong.items():
        found = ftp_keys.server_keys(GUIDE, machine(daemon, files))
        text = program.set_keys(found, "run-1-ftp1", "a" * 16)
        assert f"{daemon}.service" in text
        steps = ftp_keys.server_plan(found).steps
        assert all(step.id in text for step in steps if step.kind != "ftp-look-again")
    for name in ("", "../x", "a b", "a/b", "$(id)", "é"):
        with pytest.raises(ValueError, match="not a name"):
            program.put_back(name, "a" * 16)


def test_a_file_without_a_line_end_gets_one() -> None:
    wanted: Wanted = {"pasv_min_port": "10000"}
    assert vsftpd.edited("listen=YES", wanted) == "listen=YES\npasv_min_port=10000\n"
    assert vsftpd.edited("", wanted) == "pasv_min_port=10000\n"
    with pytest.raises(Unsettable):
        vsftpd.edited("a=b\x0b\n", wanted)
