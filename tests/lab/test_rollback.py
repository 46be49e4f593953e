"""Going back on two real routers: by a person who does not confirm, by a change from the site, by one command on a
router's own console. A long transfer goes on through the apply and the way back of another cluster.

These tests go on from each other's state, in this order.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
from typing import Any

import pytest

from lbftp.core import ours, program
from lbftp.core.job import Event, Orders
from lbftp.core.spec import ClusterSpec, PortRange, to_json
from ops.demo import foreign
from tests.core.cases import guide
from tests.lab.conftest import Kinds, neighbour
from tests.workers.conftest import LIMITS, Seen
from workers.kinds import KINDS
from workers.outcome import Outcome
from workers.remote import connect
from workers.report import Report

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

FIRST = guide(group="pair")
WIDER = dataclasses.replace(FIRST, passive=PortRange(9000, 20000), scheduler="rr")
# A daemon of its own on each real server, at a port of its own.
OTHER = neighbour(FIRST, "other", 101, mode="advertise", control_ports=(2121,), passive=PortRange(30000, 31000))

# Small buffers: a stall of the network is not hidden by what lies in them. "late" is how late the client's machine was for
# its own clock: it is emulated, and no stall of the routers.
_LONG = """
import ftplib, json, os, socket, threading, time
late = 0.0
def clock():
    global late
    while True:
        before = time.monotonic()
        time.sleep(0.05)
        late = max(late, time.monotonic() - before - 0.05)
threading.Thread(target=clock, daemon=True).start()
ftp = ftplib.FTP()
ftp.connect("192.0.2.100", 21, timeout=20)
ftp.login("ftpuser", "lab-ftp-password")
ftp.voidcmd("TYPE I")
host, port = ftplib.parse227(ftp.sendcmd("PASV"))
data = socket.socket()
data.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
data.settimeout(60)
data.connect((host, port))
ftp.sendcmd("RETR long.bin")
last, longest, total, ended = time.monotonic(), 0.0, 0, False
while not os.path.exists("/run/long.stop"):
    got = len(data.recv(8192))
    now = time.monotonic()
    longest, last, total = max(longest, now - last), now, total + got
    if not got:
        ended = True
        break
    open("/run/long.going", "w").close()
    time.sleep(0.05)
    last = time.monotonic()
data.close()
said = []
for ask in (ftp.getresp, lambda: ftp.sendcmd("NOOP")):
    try:
        said.append(ask())
    except ftplib.Error as error:
        said.append(str(error))
print(json.dumps({"longest": longest, "late": late, "bytes": total, "ended": ended, "noop": said[-1]}))
"""


class Long:
    """A rate-limited transfer through the VIP, on the lab's client."""

    def __init__(self, kinds: Kinds) -> None:
        self._sh = kinds.bench.sh
        for name in ("ftp1", "ftp2"):
            self._sh(name, "truncate -s 256M ~ftpuser/long.bin && chmod 644 ~ftpuser/long.bin")
        self._sh("client", f"rm -f /run/long.*; printf %s {shlex.quote(_LONG)} >/run/long.py\n"
                           "setsid sh -c 'python3 /run/long.py >/run/long.out 2>/run/long.err; : >/run/long.over' "
                           "</dev/null >/dev/null 2>&1 &\n"
                           "for i in $(seq 50); do [ -e /run/long.going ] && exit 0; sleep 0.2; done\n"
                           "cat /run/long.err >&2; exit 1")  # fmt: skip

    def end(self) -> dict[str, Any]:
        text = self._sh("client", ": >/run/long.stop; while [ ! -e /run/long.over ]; do sleep 0.2; done\n"
                                  "cat /run/long.out /run/long.err")  # fmt: skip
        found: dict[str, Any] = json.loads(text)
        return found


class Person:
    """Answers a run that asks what people say: in its phase that waits for them, and in no other, with `says`."""

    def __init__(self, says: Orders) -> None:
        self.says, self.seen, self.asked = says, Seen(), 0

    def emit(self, event: Event) -> None:
        self.seen.events.append(event)

    def ask(self) -> Orders | None:
        phases = [e.data["name"] for e in self.seen.events if e.kind == "phase"]
        if phases[-1:] != ["await"]:
            return None
        self.asked += 1
        return self.says


def by_hand(kinds: Kinds, says: Orders, **changes: Any) -> tuple[Outcome, Person]:
    """Plans and applies, with a cluster whose changes a person confirms."""
    planned = kinds.bench.do("plan", **changes)
    assert planned.plan is not None, planned.text
    person = Person(says)
    job = kinds.bench.job(kind="apply", by_hand=True, approved_digest=planned.plan.digest, **changes)
    return KINDS["apply"](job, Report(person.emit, person.ask), LIMITS), person


def back(kinds: Kinds, run: int, to: ClusterSpec | None, names: dict[str, str], **changes: Any) -> Outcome:
    """A roll-back to before `run`, planned, and carried out as that plan."""
    params = {"run": run, "checkpoints": names, "to": {"spec": to_json(to)} if to else None}
    given = {"change": "rollback", "params": params, "probe": kinds.probe(), **changes}
    planned = kinds.bench.do("plan", **given)
    assert planned.plan is not None, planned.text
    assert [p.reason for p in planned.plan.warnings if p.severity == "error"] == []
    return kinds.bench.do("rollback", approved_digest=planned.plan.digest, **given)


def checkpoints(kinds: Kinds, run: int) -> dict[str, str]:
    look = kinds.look()
    found = {n: [c.name for c in o.checkpoints if c.name.startswith(f"run-{run}-")] for n, o in look.items()}
    return {name: names[0] for name, names in found.items()}


@pytest.fixture(scope="module")
def before(kinds: Kinds) -> tuple[dict[str, foreign.Look], dict[str, list[str]]]:
    return kinds.bench.foreign(), kinds.bench.look()


@pytest.mark.usefixtures("before")
def test_a_person_confirms(kinds: Kinds) -> None:
    outcome, person = by_hand(kinds, Orders(confirm="carol"), spec=FIRST, probe=kinds.probe(), run_id=1)
    assert outcome.state == "succeeded", outcome.text
    assert person.asked
    phases = [e.data["name"] for e in person.seen.events if e.kind == "phase"]
    assert phases[-2:] == ["await", "confirm"]
    assert {c.state for o in kinds.look().values() for c in o.checkpoints} == {"applied"}


def test_nobody_confirms_and_both_are_put_back_under_a_long_transfer(kinds: Kinds) -> None:
    """The transfer is of the first cluster's; the second comes and goes beside it."""
    kinds.serve(OTHER, main=False)
    held, transfer = kinds.bench.look(), Long(kinds)
    try:
        outcome, person = by_hand(kinds, Orders(), spec=OTHER, others=(FIRST,), probe=kinds.probe(), run_id=2, guard=60)
    finally:
        found = transfer.end()
    assert outcome.state == "failed"
    assert outcome.text.startswith("Nobody confirmed the change before its guards' time was over.")
    assert "put back on" in outcome.text
    assert person.asked > 5
    now = kinds.bench.look()
    for name, lines in held.items():
        assert sorted(lines) == sorted(line for line in now[name] if "lbftp-guard" not in line or line in lines)
    print("long transfer:", found)
    assert not found["ended"]
    assert found["noop"].startswith("200")
    assert found["bytes"] > 100_000
    assert found["longest"] <= 1.0 + found["late"], found


def test_a_change_is_rolled_back_from_the_site(kinds: Kinds) -> None:
    kinds.serve(WIDER)
    outcome = kinds.bench.apply(spec=WIDER, previous=FIRST, probe=kinds.probe(), run_id=3)
    assert outcome.state == "succeeded", outcome.text
    kinds.serve(FIRST)
    outcome = back(kinds, 3, FIRST, checkpoints(kinds, 3), spec=WIDER, previous=WIDER, run_id=4)
    assert outcome.state == "succeeded", outcome.text
    assert outcome.text.startswith("Both routers are as they were before run 3.")
    kinds.proven(FIRST)
    plan = kinds.bench.do("plan", spec=FIRST).plan
    assert plan is not None
    assert plan.empty


def test_one_command_on_the_console_goes_back_and_twice_is_the_same(kinds: Kinds) -> None:
    """First past the roll-back itself, then past the change that it had undone; the router's journal tells of both."""
    rolled, names = checkpoints(kinds, 4), checkpoints(kinds, 3)
    for wanted, chosen in ((WIDER, rolled), (FIRST, names)):
        for _ in range(2):
            for router, name in chosen.items():
                said = kinds.bench.sh(router, f"sh /var/lib/lbftp/roll-back {name}")
                assert name in said
        plan = kinds.bench.do("plan", spec=wanted).plan
        assert plan is not None
        assert plan.empty, [[s.id for s in r.steps] for r in plan.routers]
    held = kinds.bench.look()
    kinds.bench.sh("r1", ours.restore_command(names["r1"]))
    assert kinds.bench.look() == held
    journal = kinds.bench.sh("r1", "journalctl -t lbftp --no-pager -o cat")
    assert f"{names['r1']}: what was there before is back" in journal
    refused = kinds.bench.do(
        "plan", change="rollback", spec=FIRST, previous=FIRST,
        params={"run": 3, "checkpoints": names, "to": {"spec": to_json(FIRST)}},
    )  # fmt: skip
    assert refused.state == "failed"
    assert "was put back already" in refused.text


def test_back_to_nothing(kinds: Kinds, before: tuple[dict[str, foreign.Look], dict[str, list[str]]]) -> None:
    outcome = back(kinds, 1, None, checkpoints(kinds, 1), spec=FIRST, previous=FIRST, run_id=5)
    assert outcome.state == "succeeded", outcome.text
    assert "Nothing of ftp is left" in outcome.text
    for name, now in kinds.bench.foreign().items():
        assert foreign.changes(before[0][name], now) == []
    for name, lines in kinds.bench.look().items():
        assert [line for line in lines if "LBFTP" in line or "lbftp.d" in line] == []
        assert [line for line in before[1][name] if line not in lines] == []


def test_twenty_are_kept_and_the_oldest_go(kinds: Kinds) -> None:
    with connect(kinds.bench.access("r1"), LIMITS) as remote:
        for number in range(22):
            assert remote.run(program.checkpoint(f"run-{100 + number}-x", [], "token123")).code == 0
    names = [c.name for c in kinds.look()["r1"].checkpoints]
    assert names == [f"run-{number}-x" for number in range(102, 122)]
