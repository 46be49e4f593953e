"""Rounds of a repair, without routers: what each look shows is given, what follows from it is not."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from lbftp.core.checks.state import check
from lbftp.core.findings import Finding
from lbftp.core.job import Event, Job
from lbftp.core.observe import ipvs
from lbftp.core.observe.beside import Beside
from lbftp.core.observe.observed import Observed
from lbftp.core.render import desired
from tests.core.cases import GUIDE, pair
from workers import jobs, repairing
from workers.errors import Cancelled, WorkError
from workers.outcome import Outcome
from workers.remote import Limits
from workers.report import Report
from workers.rollout import Rollout

Pair = Mapping[str, Observed]


def whole() -> dict[str, Observed]:
    """Nothing is found on it; keepalived has told of its real servers since it started."""
    both = {name: dataclasses.replace(one, beside=Beside(told=True)) for name, one in pair("applied").items()}
    return {name: _untracked(one) for name, one in both.items()}


def _untracked(one: Observed) -> Observed:
    tracking = {"net.netfilter.nf_conntrack_count": "40", "net.netfilter.nf_conntrack_max": "1000"}
    return dataclasses.replace(one, sysctls={**one.sysctls, **tracking})


def without_ftp2(both: Pair) -> dict[str, Observed]:
    """Taken out of the kernel on r1, past keepalived."""
    lines = "-A -f 21 -s wlc -p 360\n-a -f 21 -r 10.0.50.11:0 -m -w 1"
    return {**both, "r1": dataclasses.replace(both["r1"], services=ipvs.parse(lines))}


def other_file(both: Pair) -> dict[str, Observed]:
    one = both["r1"]
    path = next(f.path for f in desired(GUIDE, one).of_keepalived() if f.kind == "keepalived")
    files = {**one.files, path: (one.files[path] or "").replace("weight 1", "weight 5")}
    return {**both, "r1": dataclasses.replace(one, files=files)}


def not_forwarding(both: Pair) -> dict[str, Observed]:
    one = both["r1"]
    return {**both, "r1": dataclasses.replace(one, sysctls={**one.sysctls, "net.ipv4.ip_forward": "0"})}


@dataclasses.dataclass
class Lab:
    """`looks` is what the routers hold at each look; roll-outs only say which steps they had."""

    looks: list[Pair]
    fails: dict[int, WorkError] = dataclasses.field(default_factory=dict)
    rolled: list[list[str]] = dataclasses.field(default_factory=list)
    events: list[Event] = dataclasses.field(default_factory=list)

    def roll_out(self, rollout: Rollout) -> None:
        if error := self.fails.get(len(self.rolled)):
            raise error
        self.rolled.append([s.kind for r in rollout.plan.routers for s in r.steps])
        rollout.after = self.looks[0]

    def comply(self, *, reapply: bool = True) -> Outcome:
        job = Job(1, "comply", 1, spec=GUIDE, reapply=reapply)
        return jobs.comply(job, Report(self.events.append, lambda: None), Limits())

    def steps(self, id_: str) -> list[str]:
        return [e.data["state"] for e in self.events if e.kind == "step" and e.data["id"] == id_]


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Lab:
    made = Lab([])

    @contextmanager
    def connected(*_: Any) -> Iterator[dict[str, Any]]:
        yield {}

    def look(_pair: object) -> Pair:
        return made.looks.pop(0) if len(made.looks) > 1 else made.looks[0]

    for module in (jobs, repairing):
        monkeypatch.setattr(module, "connected", connected)
        monkeypatch.setattr(module, "look", look)
    monkeypatch.setattr(repairing, "roll_out", made.roll_out)
    monkeypatch.setattr(repairing, "_PATIENCE_SECONDS", 0)
    return made


def test_what_a_reload_leaves_is_put_right_in_a_second_round(lab: Lab) -> None:
    lab.looks = [without_ftp2(other_file(whole())), without_ftp2(whole()), whole()]
    outcome = lab.comply()
    assert ["add-server" in kinds for kinds in lab.rolled] == [False, True]
    assert (outcome.state, [row["repaired"] for row in outcome.result["findings"]]) == ("succeeded", [True, True])
    assert outcome.text.startswith("2 findings fixed in ")
    assert outcome.text.endswith(" steps: nothing is left.")
    assert lab.steps("left") == ["started", "failed", "started", "done"]


def test_what_no_round_mends_is_named_and_there_is_no_endless_fight(lab: Lab) -> None:
    lab.looks = [without_ftp2(not_forwarding(whole())), without_ftp2(whole())]
    outcome = lab.comply()
    assert len(lab.rolled) == 2
    assert outcome.state == "failed"
    assert outcome.text.startswith("2 of 3 findings fixed, 1 left: r1: Real server 10.0.50.12 is not in rotation")
    assert {row["code"]: row["repaired"] for row in outcome.result["findings"]} == {
        "sysctl": True, "mode-fails": True, "destination-removed": False,
    }  # fmt: skip
    assert lab.steps("left")[-1] == "failed"


def test_what_comes_meanwhile_counts_as_left(lab: Lab) -> None:
    lab.looks = [not_forwarding(whole()), without_ftp2(whole())]
    outcome = lab.comply()
    assert outcome.state == "failed"
    assert "1 left (1 of them new)" in outcome.text


def test_a_second_round_that_fails_does_not_hide_what_the_first_did(lab: Lab) -> None:
    lab.looks = [without_ftp2(other_file(whole())), without_ftp2(whole())]
    lab.fails = {1: WorkError("r1: the disk is full.")}
    outcome = lab.comply()
    assert outcome.state == "failed"
    assert outcome.text.startswith("r1: the disk is full. 1 of 2 findings fixed, 1 left: ")


def test_a_cancelled_round_is_a_cancelled_run_that_says_what_stands(lab: Lab) -> None:
    lab.looks = [without_ftp2(other_file(whole())), without_ftp2(whole())]
    lab.fails = {1: Cancelled("Cancelled by carol.")}
    outcome = lab.comply()
    assert outcome.state == "cancelled"
    assert "1 of 2 findings fixed" in outcome.text


@pytest.mark.parametrize("reapply", [False, True])
def test_a_check_that_finds_nothing_is_green(lab: Lab, reapply: bool) -> None:
    lab.looks = [whole()]
    assert check(GUIDE, whole()) == []
    outcome = lab.comply(reapply=reapply)
    assert (outcome.state, lab.steps("compare")) == ("succeeded", ["started", "done"])


def test_a_check_that_finds_errors_has_failed_and_so_has_its_step(lab: Lab) -> None:
    lab.looks = [not_forwarding(without_ftp2(whole()))]
    outcome = lab.comply(reapply=False)
    assert outcome.state == "failed"
    assert outcome.text.startswith("2 errors and 1 warning: r1: ")
    assert lab.steps("compare") == ["started", "failed"]


def _codes(found: Sequence[Mapping[str, Any]]) -> list[str]:
    return [str(one["code"]) for one in found]


def test_a_check_that_finds_warnings_tells_them_beside_its_success(lab: Lab) -> None:
    lab.looks = [without_ftp2(whole())]
    outcome = lab.comply(reapply=False)
    assert (outcome.state, _codes(outcome.result["findings"])) == ("succeeded", ["destination-removed"])
    assert outcome.text.startswith("1 warning: r1: Real server 10.0.50.12")


def test_what_is_on_a_real_servers_own_machine_nobody_put_right(lab: Lab) -> None:
    """A re-apply changes routers, and nobody looked at the server again."""
    lab.looks = [not_forwarding(whole()), whole()]
    route = Finding("server-route", "error", "", "ftp2: no default route", "", "", "", repairable=False)
    found = [*check(GUIDE, lab.looks.pop(0)), route]
    job, report = Job(1, "comply", 1, spec=GUIDE, reapply=True), Report(lab.events.append, lambda: None)
    outcome = repairing.repaired(job, found, not_forwarding(whole()), report, Limits())
    assert outcome.state == "failed"
    assert outcome.text.endswith("1 left: the pair: ftp2: no default route.")
    assert [row["code"] for row in outcome.result["findings"] if not row["repaired"]] == ["server-route"]
