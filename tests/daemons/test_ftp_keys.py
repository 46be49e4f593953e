"""Keys of real FTP servers' own files, set over real SSH: on machines in namespaces, with the real daemons."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from lbftp.core.ftp.pure_ftpd.read import OPTIONS
from lbftp.core.ftp_keys import KIND, program
from lbftp.core.job import Access, Event, Job, Orders
from lbftp.core.spec import ClusterSpec, PortRange
from ops.bench.sshd import Target, private_sshd
from ops.bootstrap import UNPACK_INTO
from tests.core.cases import GUIDE
from tests.core.ftp_hosts import PROFTPD, PURE, VSFTPD
from tests.core.ftpd_cases import advertise
from workers.errors import Unreachable
from workers.kinds import KINDS
from workers.outcome import Outcome
from workers.remote import Limits, connect
from workers.report import Report

MACHINE: Final = Path(__file__).with_name("machine.py")
AS_ROOT: Final = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]
ALONE: Final = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
LIMITS: Final = Limits(connect=20, program=60)
# What clients are told in answer to PASV, three times.
_PASV: Final = """
import ftplib, json
ftp = ftplib.FTP()
ftp.connect("127.0.0.1", 21, 20)
ftp.login()
print(json.dumps([ftplib.parse227(ftp.sendcmd("PASV")) for _ in range(3)]))
"""

_VSFTPD: Final = """# The site's own file
listen=YES
background=NO
anonymous_enable=YES
seccomp_sandbox=NO
secure_chroot_dir=/var/lib/empty
# Ports that the firewall knows
pasv_min_port=30000
pasv_max_port=30999
connect_from_port_20=YES
"""
_PROFTPD: Final = """# The site's own file
ServerName "ours"
User root
Group root
DelayEngine off
UseReverseDNS off
PidFile {folder}/pid
ScoreboardFile {folder}/board
PassivePorts 30000 30999 # known to the firewall
TimeoutIdle 300
# db: hunter2
RootRevoke off
<Anonymous /var/lib/ftp>
  User ftp
  Group nogroup
  UserAlias anonymous ftp
  RequireValidShell off
</Anonymous>
"""
_PURE: Final = """# The site's own file
NoAnonymous no
DontResolve yes
PIDFile {folder}/pid
# Ports that the firewall knows
PassivePortRange 30000 30999
MaxIdleTime 5
"""


@dataclass
class Server:
    """One machine: `here` runs a command on it, `asked` is what its systemctl was asked."""

    name: str
    folder: Path
    access: Access
    enter: list[str]

    def here(self, *argv: str, text: str = "") -> str:
        done = subprocess.run([*self.enter, *argv], input=text, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def read(self, path: str) -> str:
        return self.here("cat", path)

    def write(self, path: str, text: str) -> None:
        self.here("sh", "-c", f"cat >{shlex.quote(path)}", text=text)

    def asked(self) -> list[str]:
        lines = (self.folder / "asked").read_text().splitlines()
        return [line for line in lines if line.startswith(("restart", "reload"))][1:]

    def told(self) -> set[tuple[str, int]]:
        """Addresses and ports of answers to PASV."""
        return {(host, port) for host, port in json.loads(self.here(sys.executable, "-c", _PASV))}

    def pid(self) -> str:
        return next((self.folder / "units").glob("*.pid")).read_text()

    def cut(self) -> list[str]:
        """Ends the SSH server's processes of the sessions that go on; which ones."""
        inside = next(word for word in self.enter if word.startswith("--target="))
        done = subprocess.run(["pgrep", "-f", f"^nsenter {inside} "], capture_output=True, text=True, check=True)
        parents = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1] for pid in done.stdout.split()]
        subprocess.run([*AS_ROOT, "kill", "-KILL", *parents], check=True)
        return parents

    def kept(self) -> dict[str, str]:
        """Folders with a way back, and what became of them."""
        with connect(self.access, LIMITS) as remote:
            return program.states(remote.run(program.ask_states("lbftp-run-")).out)


@dataclass
class Site:
    """Carries out changes of real servers as a worker does; `orders` are what people ask of the run."""

    servers: dict[str, Server]
    spec: ClusterSpec = GUIDE
    events: list[Event] = field(default_factory=list)
    orders: Callable[[], Orders | None] = lambda: None

    def job(self, kind: str) -> Job:
        servers = tuple(server.access for server in self.servers.values())
        return Job(7, kind, 1, spec=self.spec, change=KIND, params={"servers": sorted(self.servers)}, servers=servers)

    def do(self, kind: str, **changes: Any) -> Outcome:
        self.events = []
        job = dataclasses.replace(self.job(kind), **changes)
        return KINDS[kind](job, Report(self.events.append, self.orders), LIMITS)

    def plan(self) -> Outcome:
        return self.do("plan")

    def carry_out(self, **changes: Any) -> Outcome:
        """Plans, and does what was planned."""
        planned = self.plan()
        assert planned.plan is not None, planned.text
        return self.do(KIND, approved_digest=planned.plan.digest, **changes)

    def steps(self, state: str = "done") -> list[tuple[str, str]]:
        return [(e.router, e.data["id"]) for e in self.events if e.kind == "step" and e.data["state"] == state]

    def words(self) -> str:
        return json.dumps([e.data for e in self.events])


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with private_sshd(tmp_path_factory.mktemp("sshd") / "d") as target:
        yield target


Machines = Callable[..., Site]


@pytest.fixture
def machines(sshd: Target, tmp_path: Path) -> Iterator[Machines]:
    """Machines ftp1 and ftp2 (or as many as are asked for) with one daemon each."""
    with ExitStack() as stack:

        def start(daemon: str, files: Mapping[str, str], *, count: int = 1, command: str = "") -> Site:
            names = [f"ftp{number + 1}" for number in range(count)]
            found = {n: stack.enter_context(machine(sshd, tmp_path / n, daemon, files, command)) for n in names}
            return Site(found)

        yield start


@contextmanager
def machine(sshd: Target, folder: Path, daemon: str, files: Mapping[str, str], command: str) -> Iterator[Server]:
    folder.mkdir()
    placed = {path: text.replace("{folder}", str(folder)) for path, text in files.items()}
    config = next(iter(placed))
    starts = {
        "vsftpd": f"exec vsftpd {config}",
        "proftpd": f"exec proftpd -n -q -c {config}",
        "pure-ftpd": f"exec pure-ftpd {config}",
    }
    unit = (command or starts[daemon]).replace("{folder}", str(folder)) + "\n"
    case = {"folder": str(folder), "root": str(UNPACK_INTO), "files": placed}
    case["units"] = {f"{daemon}.service": [unit, daemon != "pure-ftpd"]}
    (folder / "case.json").write_text(json.dumps(case))
    argv = [*AS_ROOT, *ALONE, sys.executable, str(MACHINE), str(folder / "case.json")]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            yield login(sshd, folder, process.pid)
        finally:
            process.stdin.close()
            process.wait(20)


def login(sshd: Target, folder: Path, pid: int) -> Server:
    """A key of its own leads to the machine: what a session asks to be run is run there."""
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    inner = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=True).stdout.split()[0]
    enter = [*AS_ROOT, "nsenter", f"--target={inner}", "--net", "--mount", "--pid"]
    command = f'{shlex.join(enter)} sh -c \\"$SSH_ORIGINAL_COMMAND\\"'
    public = key.with_suffix(".pub").read_text()
    with (Path(sshd.key).parent / "authorized_keys").open("a") as keys:
        keys.write(f'command="{command}" {public}')
    access = Access(folder.name, "127.0.0.1", sshd.port, sshd.user, sshd.host_key, key=key.read_text())
    return Server(folder.name, folder, access, enter)


def only_those(before: str, after: str, *pairs: tuple[str, str]) -> None:
    for old, new in pairs:
        before = before.replace(old, new)
    assert after == before


CASES: Final = {
    "vsftpd": ({VSFTPD: _VSFTPD}, "", (("=30000", "=10000"), ("=30999", "=20000"))),
    "proftpd": ({PROFTPD: _PROFTPD}, "", (("30000 30999 #", "10000 20000 #"),)),
    "pure-ftpd": ({PURE: _PURE}, "", (("30000 30999", "10000 20000"),)),
}


@pytest.mark.parametrize("daemon", ["vsftpd", "proftpd", "pure-ftpd"])
def test_a_wrong_passive_range_is_put_right_and_nothing_else(machines: Machines, daemon: str) -> None:
    files, command, pairs = CASES[daemon]
    site = machines(daemon, files, command=command)
    server, path = site.servers["ftp1"], next(iter(files))
    assert all(30000 <= port <= 30999 for _, port in server.told())
    before, mode = server.read(path), server.here("stat", "-c", "%a %U", path)
    outcome = site.carry_out()
    assert outcome.state == "succeeded", (outcome.text, site.words())
    assert outcome.text == "ftp1 is set and listens; nothing of it is found any more."
    only_those(before, server.read(path), *pairs)
    assert server.here("stat", "-c", "%a %U", path) == mode
    assert all(10000 <= port <= 20000 for _, port in server.told())
    verb = "restart" if daemon == "pure-ftpd" else "reload"
    assert server.asked() == [f"{verb} {daemon}.service"]
    assert list(server.kept().values()) == ["set"]
    assert "hunter2" not in site.words() + json.dumps(outcome.result)
    # Once more there is nothing to do.
    again = site.plan()
    assert again.plan is not None
    assert again.plan.empty


def test_options_in_a_folder_of_their_own(machines: Machines) -> None:
    files = {
        f"{OPTIONS}/PassivePortRange": "# The firewall's\n30000 30999\n",
        f"{OPTIONS}/NoAnonymous": "no\n",
        f"{OPTIONS}/ForcePassiveIP": "# Why?\n192.0.2.9\n",
        f"{OPTIONS}/DontResolve": "yes\n",
        "/etc/pure-ftpd/auth/README": "Links lead to options of log-ins.\n",
    }
    start = "exec pure-ftpd $(pure-ftpd-wrapper --show-options) -g {folder}/pid"
    site = machines("pure-ftpd", files, command=start)
    server = site.servers["ftp1"]
    outcome = site.carry_out()
    assert outcome.state == "succeeded", (outcome.text, site.words())
    assert server.read(f"{OPTIONS}/PassivePortRange") == "# The firewall's\n10000 20000\n"
    assert server.read(f"{OPTIONS}/ForcePassiveIP") == "# Why?\n"
    assert server.read(f"{OPTIONS}/MaxIdleTime") == "5\n"
    assert server.read(f"{OPTIONS}/NoAnonymous") == "no\n"
    told = server.told()
    assert {host for host, _ in told} == {"127.0.0.1"}
    assert all(10000 <= port <= 20000 for _, port in told)


def test_what_is_taken_out_needs_a_restart_to_be_gone(machines: Machines) -> None:
    site = machines("vsftpd", {VSFTPD: f"{_VSFTPD}pasv_address=192.0.2.9\n"})
    server = site.servers["ftp1"]
    assert {host for host, _ in server.told()} == {"192.0.2.9"}
    assert site.carry_out().state == "succeeded"
    assert {host for host, _ in server.told()} == {"127.0.0.1"}
    assert server.asked() == ["restart vsftpd.service"]


def test_vsftpd_is_told_to_name_the_vip(machines: Machines) -> None:
    site = machines("vsftpd", {VSFTPD: _VSFTPD.replace("listen=YES", "listen_ipv6=YES")})
    site.spec = advertise()
    assert site.carry_out().state == "succeeded", site.words()
    assert {host for host, _ in site.servers["ftp1"].told()} == {str(site.spec.vip)}


BROKEN: Final = {
    "vsftpd": (VSFTPD, "no_such_option=1\n", "no_such_option"),
    "proftpd": (PROFTPD, "NoSuchDirective on\n", "NoSuchDirective"),
    "pure-ftpd": (PURE, "NoSuchOption yes\n", "does not start with the new text"),
}


@pytest.mark.parametrize("daemon", ["vsftpd", "proftpd", "pure-ftpd"])
def test_a_text_that_the_daemon_refuses_is_not_put_there(machines: Machines, daemon: str) -> None:
    """Somebody broke the file since the daemon started: setting keys in it would bring the daemon down."""
    site = machines(daemon, CASES[daemon][0])
    server, (path, more, said) = site.servers["ftp1"], BROKEN[daemon]
    server.write(path, server.read(path) + more)
    before, pid = server.read(path), server.pid()
    for tried in (site.carry_out(dry=True), site.carry_out()):
        assert tried.state == "failed"
        assert said in tried.text
        assert "hunter2" not in site.words()
        assert (server.read(path), server.pid(), server.asked(), server.kept()) == (before, pid, [], {})
    assert all(30000 <= port <= 30999 for _, port in server.told())


# The unit itself does not start with the new text, as under a security policy that nobody can ask.
_PICKY: Final = "grep -q 30000 /etc/{file} || exit 1\n"
PICKY: Final = {
    "vsftpd": f"{_PICKY.format(file='vsftpd.conf')}exec vsftpd {VSFTPD}",
    "proftpd": f"{_PICKY.format(file='proftpd/proftpd.conf')}exec proftpd -n -q -c {PROFTPD}",
    "pure-ftpd": f"{_PICKY.format(file='pure-ftpd/pure-ftpd.conf')}exec pure-ftpd {PURE}",
}


@pytest.mark.parametrize("daemon", ["vsftpd", "pure-ftpd"])
def test_a_daemon_that_does_not_start_again_gets_its_old_text_back(machines: Machines, daemon: str) -> None:
    files = dict(CASES[daemon][0])
    if daemon == "vsftpd":
        # Taking something out of it makes it a restart.
        files[VSFTPD] += "pasv_address=192.0.2.9\n"
    site = machines(daemon, files, command=PICKY[daemon])
    server, path = site.servers["ftp1"], next(iter(files))
    before = server.read(path)
    outcome = site.carry_out()
    assert outcome.state == "failed"
    assert f"{daemon} does not listen at port 21: {daemon}.service has ended" in outcome.text
    assert outcome.text.endswith("What was there before is back, and it listens. No other server was changed.")
    assert server.read(path) == before
    assert all(30000 <= port <= 30999 for _, port in server.told())
    assert list(server.kept().values()) == ["restored"]
    assert ("ftp1", program.RESTORE) in site.steps()
    assert server.asked() == [f"restart {daemon}.service"] * 2


def test_one_server_after_the_other_and_the_rest_is_left_when_one_fails(machines: Machines) -> None:
    site = machines("vsftpd", {VSFTPD: _VSFTPD}, count=2)
    first, second = site.servers.values()
    second.write(VSFTPD, second.read(VSFTPD) + "no_such_option=1\n")
    outcome = site.carry_out()
    assert outcome.state == "failed"
    assert outcome.text.endswith("Nothing was changed there. ftp1 is set and stays so.")
    assert all(10000 <= port <= 20000 for _, port in first.told())
    assert all(30000 <= port <= 30999 for _, port in second.told())


def test_a_file_that_changed_since_the_approval_is_not_touched(machines: Machines) -> None:
    site = machines("vsftpd", {VSFTPD: _VSFTPD})
    server, planned = site.servers["ftp1"], site.plan()
    assert planned.plan is not None
    server.write(VSFTPD, f"{_VSFTPD}# somebody was here\n")
    outcome = site.do(KIND, approved_digest=planned.plan.digest)
    assert outcome.stale is not None
    assert "FTP servers changed since this plan was approved" in outcome.text
    assert server.read(VSFTPD) == f"{_VSFTPD}# somebody was here\n"


def test_a_cancelled_run_puts_back_what_it_set(machines: Machines) -> None:
    site = machines("vsftpd", {VSFTPD: _VSFTPD}, count=2)

    def cancel() -> Orders | None:
        return Orders("Cancelled by bob.") if ("ftp1", "look-again") in site.steps() else None

    site.orders = cancel
    outcome = site.carry_out()
    assert (outcome.state, outcome.text) == ("cancelled", "Cancelled by bob. What was there before is back on ftp1.")
    for server in site.servers.values():
        assert server.read(VSFTPD) == _VSFTPD
        assert all(30000 <= port <= 30999 for _, port in server.told())


def test_a_cut_connection_does_not_stop_the_program(machines: Machines) -> None:
    site = machines("vsftpd", {VSFTPD: f"{_VSFTPD}pasv_address=192.0.2.9\n"})
    server, planned = site.servers["ftp1"], site.plan()
    assert planned.plan is not None
    cut: list[str] = []

    def emit(event: Event) -> None:
        site.events.append(event)
        if event.kind == "step" and event.data["id"] == "judge-0" and not cut:
            cut.extend(server.cut())

    job = dataclasses.replace(site.job(KIND), approved_digest=planned.plan.digest)
    outcome = KINDS[KIND](job, Report(emit, lambda: None), LIMITS)
    assert cut
    assert outcome.state == "succeeded", outcome.text
    assert any("Its program goes on by itself" in e.data["text"] for e in site.events if e.kind == "note")
    assert {host for host, _ in server.told()} == {"127.0.0.1"}


def test_the_program_goes_on_when_the_worker_is_gone_and_the_next_worker_sees_it(machines: Machines) -> None:
    """The first worker dies while the daemon is being restarted."""
    site = machines("vsftpd", {VSFTPD: f"{_VSFTPD}pasv_address=192.0.2.9\n"}, count=2)
    first, second = site.servers.values()

    class Gone(Exception):
        """The worker is not there any more."""

    planned = site.plan()
    assert planned.plan is not None
    job = dataclasses.replace(site.job(KIND), approved_digest=planned.plan.digest)

    def emit(event: Event) -> None:
        site.events.append(event)
        if event.kind == "step" and event.data["id"] == "judge-0" and event.data["state"] == "started":
            raise Gone

    with pytest.raises(Gone):
        KINDS[KIND](job, Report(emit, lambda: None), LIMITS)
    outcome = site.do(KIND, fence=2)
    assert outcome.state == "failed"
    assert (
        outcome.text
        == "A worker fell silent in this run. ftp2 is not changed. ftp1 is set and stays so. Plan it again."
    )
    assert {host for host, _ in first.told()} == {"127.0.0.1"}
    assert {host for host, _ in second.told()} == {"192.0.2.9"}
    assert list(first.kept().values()) == ["set"]


def test_what_a_boot_breaks_off_is_put_back(machines: Machines) -> None:
    """The new file is there and the daemon not yet started with it when the server's programs end, all at once."""
    site = machines("vsftpd", {VSFTPD: f"{_VSFTPD}pasv_address=192.0.2.9\n"})
    server, planned = site.servers["ftp1"], site.plan()
    assert planned.plan is not None
    before = server.read(VSFTPD)
    found: list[str] = []

    def emit(event: Event) -> None:
        site.events.append(event)
        if event.kind == "step" and event.data["id"].startswith("renew-") and not found:
            server.here("sh", "-c", "pkill -KILL -f 'tmp[.]|systemct[l]'; :")
            found.append(server.read(VSFTPD))

    job = dataclasses.replace(site.job(KIND), approved_digest=planned.plan.digest)
    outcome = KINDS[KIND](job, Report(emit, lambda: None), LIMITS)
    assert found
    assert outcome.state == "failed"
    assert outcome.text.startswith("ftp1: the program was killed there before it ended"), outcome.text
    assert "What was there before is back, and it listens. No other server was changed." in outcome.text
    assert list(server.kept().values()) == ["restored"]
    assert server.read(VSFTPD) == before
    assert {host for host, _ in server.told()} == {"192.0.2.9"}


def test_a_run_that_died_between_setting_and_looking_is_undone_if_it_is_still_found(machines: Machines) -> None:
    site = machines("vsftpd", {VSFTPD: _VSFTPD})
    server = site.servers["ftp1"]
    assert site.carry_out().state == "succeeded"
    assert site.do(KIND, fence=2).text == "A worker fell silent in this run when it was done: nothing is found on ftp1."
    # What it set is not what the cluster needs by now.
    site.spec = dataclasses.replace(GUIDE, passive=dataclasses.replace(GUIDE.passive, low=11000))
    outcome = site.do(KIND, fence=2)
    assert outcome.text == "A worker fell silent in this run. What was there before is back on ftp1. Plan it again."
    assert server.read(VSFTPD) == _VSFTPD
    assert all(30000 <= port <= 30999 for _, port in server.told())


def test_a_server_that_does_not_answer_is_not_planned(machines: Machines) -> None:
    site = machines("vsftpd", {VSFTPD: _VSFTPD})
    server = site.servers["ftp1"]
    server.access = dataclasses.replace(server.access, port=1)
    with pytest.raises(Unreachable, match="ftp1: no SSH connection"):
        site.plan()


def test_two_clusters_that_need_one_daemon_otherwise_are_not_set_by_turns(machines: Machines) -> None:
    site = machines("vsftpd", {VSFTPD: _VSFTPD})
    other = dataclasses.replace(GUIDE, name="other", mark=22, passive=PortRange(30000, 30999))
    outcome = site.do("plan", others=(other,))
    assert outcome.state == "failed"
    assert "FTP201" in {p.code for p in outcome.refused}
