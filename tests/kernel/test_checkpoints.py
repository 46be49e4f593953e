"""Checkpoints, guards and the console's roll-back as the shell programs that they are, with real files and iptables."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from lbftp.core import program
from lbftp.core.job import Job
from lbftp.core.observe.checkpoints import listed
from lbftp.core.observe.program import program as look
from lbftp.core.program import guard, records
from lbftp.core.rollback import record_of, record_text
from lbftp.core.steps import Step
from tests.core.cases import GUIDE, guide
from tests.kernel.namespace import Namespace, namespace

TOKEN = "token123"
FILE = "/etc/lbftp-test.conf"
ROLL_BACK = "/var/lib/lbftp/roll-back"


def write(before: str | None, after: str) -> list[Step]:
    """A file and a chain, as a change has them."""
    params = {"path": FILE, "before": before, "after": after, "mode": 0o644}
    file = Step("file", "write-file", "Write", "run", "", params)
    old, new = (None if t is None else t.strip() for t in (before, after))
    chain = "*mangle\n:LBFTP-ftp - [0:0]\n-F LBFTP-ftp\n-A LBFTP-ftp -m mark --mark {} -j RETURN\nCOMMIT\n"
    rules = {
        "program": "iptables",
        "text": chain.format(new),
        "undo_jumps": [] if old else [["mangle", "PREROUTING", "LBFTP-ftp"]],
        "undo_text": chain.format(old) if old else "",
    }
    return [file, Step("rules", "load-rules", "Rules", "run", "", rules)]


class Router:
    """What stands for a router: folders and a network of its own."""

    def __init__(self, space: Namespace) -> None:
        self.space = space
        space.run("mount", "-t", "tmpfs", "var", "/var/lib")
        space.run("mkdir", "-p", "/var/lib/lbftp")

    def do(self, text: str) -> str:
        return self.space.run("sh", "-s", given=text)

    def begin(self, run: int, steps: list[Step], cluster: str = "ftp", seconds: int = 120) -> program.Hold:
        """Up to the confirmation."""
        hold = program.Hold("site", str(run), f"run-{run}-x", seconds)
        spec = GUIDE if cluster == "ftp" else guide(name=cluster)
        record = record_text(Job(run, "apply", 1, spec=spec, owner="site"), steps)
        self.do(program.take(hold, TOKEN))
        self.do(program.checkpoint(hold.checkpoint, steps, TOKEN, hold, record))
        self.do(program.apply(steps, TOKEN, hold))
        return hold

    def change(self, run: int, steps: list[Step], cluster: str = "ftp") -> None:
        self.do(guard.confirm(self.begin(run, steps, cluster), TOKEN))

    def roll_back(self, name: str) -> str:
        return self.space.run("sh", ROLL_BACK, name)

    def refused(self, name: str) -> str:
        return self.space.run("sh", "-c", f"sh {ROLL_BACK} {name}; [ $? -eq 1 ]")

    def file(self) -> str:
        return self.space.run("sh", "-c", f"cat {FILE} 2>/dev/null || echo none").strip()

    def mark(self) -> str:
        text = self.space.run("iptables-save", "-t", "mangle")
        return next((line.split()[5] for line in text.splitlines() if "-A LBFTP-ftp" in line), "none")

    def states(self) -> dict[str, str]:
        answer = self.space.run("sh", "-s", given=look().replace("cat -- *", "cat checkpoints"))
        return {c.name: c.state for c in listed(answer)}


@pytest.fixture
def router() -> Iterator[Router]:
    with namespace(own_etc=True) as space:
        yield Router(space)


def test_past_every_later_change_the_newest_first_and_twice_is_the_same(router: Router) -> None:
    router.change(1, write(None, "1\n"))
    router.change(2, write("1\n", "2\n"))
    assert (router.file(), router.mark()) == ("2", "0x2")
    assert router.states() == {"run-1-x": "applied", "run-2-x": "applied"}
    said = router.roll_back("run-1-x")
    assert said.index("before run-2-x") < said.index("before run-1-x")
    assert (router.file(), router.mark()) == ("none", "none")
    assert router.states() == {"run-1-x": "restored", "run-2-x": "restored"}
    assert "is back already" in router.roll_back("run-1-x")
    router.space.run("sh", "/var/lib/lbftp/checkpoints/run-1-x/restore")
    assert (router.file(), router.mark()) == ("none", "none")


def test_only_past_the_chosen_one(router: Router) -> None:
    router.change(1, write(None, "1\n"))
    router.change(2, write("1\n", "2\n"))
    router.roll_back("run-2-x")
    assert (router.file(), router.mark()) == ("1", "0x1")
    assert router.states() == {"run-1-x": "applied", "run-2-x": "restored"}
    # A change after it, and back past what was put back already.
    router.change(3, write("1\n", "3\n"))
    router.roll_back("run-1-x")
    assert (router.file(), router.mark()) == ("none", "none")


def test_what_somebody_changed_since_is_refused_and_nothing_is_touched(router: Router) -> None:
    router.change(1, write(None, "1\n"))
    router.change(2, write("1\n", "2\n"))
    router.do(f"echo mine >{FILE}")
    assert f"{FILE} was changed by somebody since run-2-x" in router.refused("run-1-x")
    assert (router.file(), router.mark()) == ("mine", "0x2")


def test_a_later_change_of_another_cluster_is_in_the_way(router: Router) -> None:
    router.change(1, write(None, "1\n"))
    router.change(2, [], cluster="media")
    assert "run-2-x of cluster media changed this router later" in router.refused("run-1-x")
    assert router.file() == "1"


def test_what_waits_for_its_confirmation_is_put_back_at_once(router: Router) -> None:
    router.change(1, write(None, "1\n"))
    router.begin(2, write("1\n", "2\n"))
    assert router.states()["run-2-x"] == "waits"
    assert "put that back first" in router.refused("run-1-x")
    assert "is back" in router.roll_back("run-2-x")
    assert (router.file(), router.mark()) == ("1", "0x1")
    assert router.states() == {"run-1-x": "applied", "run-2-x": "restored"}
    router.roll_back("run-1-x")
    assert router.file() == "none"


def test_without_a_name_it_lists_what_there_is(router: Router) -> None:
    router.change(1, write(None, "1\n"))
    said = router.space.run("sh", "-c", f"sh {ROLL_BACK}; [ $? -eq 2 ]")
    assert "applied run-1-x (cluster ftp, " in said
    assert "usage" in router.space.run("sh", "-c", f"sh {ROLL_BACK} '../../etc; reboot'; [ $? -eq 2 ]")


def test_a_confirmation_that_comes_after_it_was_put_back_is_refused(router: Router) -> None:
    hold = router.begin(1, write(None, "1\n"))
    router.roll_back("run-1-x")
    said = router.space.run("sh", "-c", "sh -s; [ $? -eq 3 ]", given=guard.confirm(hold, TOKEN))
    assert "has been put back" in said or "has put back" in said
    assert router.states() == {"run-1-x": "restored"}


def test_twenty_are_kept_and_their_records_read_back(router: Router) -> None:
    steps = write(None, "1\n")
    for run in range(1, 23):
        spec = dataclasses.replace(GUIDE)
        record = record_text(Job(run, "apply", 1, spec=spec, owner="site"), steps)
        router.do(program.checkpoint(f"run-{run}-x", steps, TOKEN, None, record))
    names = list(router.states())
    assert names == [f"run-{run}-x" for run in range(3, 23)]
    answer = router.do(records.read_program(names)).encode()
    texts = records.records(answer)
    assert list(texts) == names
    found = record_of(next(iter(listed("22 applied run-22-x"))), texts["run-22-x"])
    assert found is not None
    assert (found.run, [s.kind for s in found.steps]) == (22, ["write-file", "load-rules"])
