"""The plan of a way back, from what a run wrote down and from what routers hold now."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from lbftp.core.job import Job
from lbftp.core.observe.checkpoints import Checkpoint, listed
from lbftp.core.observe.observed import Observed
from lbftp.core.plan import Plan, plan
from lbftp.core.problem import errors
from lbftp.core.program import records
from lbftp.core.rollback import Record, Request, record_of, record_text, remains, roll_back
from lbftp.core.spec import ClusterSpec
from tests.core.cases import GUIDE, guide, pair

NAME = "run-7-ab"
RULES = "/etc/iptables/rules.v4"


def written(kind: str = "apply", number: int = 1, name: str = NAME, run: int = 7) -> Record:
    """What run 7, which brought GUIDE to fresh routers, wrote down on r1."""
    steps = plan(GUIDE, pair("fresh")).router("r1").steps
    text = record_text(Job(run, kind, 1, spec=GUIDE, owner="site"), steps)
    found = record_of(Checkpoint(number, "applied", name), text)
    assert found is not None
    return found


def after(record: Record, **files: str | None) -> Observed:
    """r1 once that was applied: files as the steps left them."""
    found = pair("applied")["r1"]
    left = {s.params["path"]: s.params.get("after") for s in record.steps if s.kind in {"write-file", "remove-file"}}
    return dataclasses.replace(
        found, files={**pair("fresh")["r1"].files, **left, **files},
        checkpoints=(Checkpoint(1, "applied", NAME),),
    )  # fmt: skip


def back(observed: Observed, *found: Record, to: ClusterSpec | None = None, **changes: Any) -> Plan:
    given = {"spec": GUIDE, "to": to, "run": 7, "owner": "site", "chosen": {"r1": NAME}, **changes}
    return roll_back(Request(**given), {"r1": observed}, {"r1": found})


def reasons(made: Plan) -> list[tuple[str, str]]:
    return [(p.code, p.reason) for p in errors(made.warnings)]


def test_a_record_says_again_what_was_written() -> None:
    found = written()
    assert (found.cluster, found.run, found.owner, found.kind, found.before) == ("ftp", 7, "site", "apply", 0)
    steps = plan(GUIDE, pair("fresh")).router("r1").steps
    assert json.dumps([s.to_json() for s in found.steps]) == json.dumps([s.to_json() for s in steps])
    for text in ("", "{}", "[]", '{"cluster": 1}', "\0"):
        assert record_of(Checkpoint(1, "applied", "x"), text) is None


def test_back_to_nothing_is_every_change_turned_round() -> None:
    first, fresh = written(), pair("fresh")["r1"]
    made = back(after(first), first)
    assert reasons(made) == []
    assert (made.kind, made.cluster, made.revision) == ("rollback", "ftp", "")
    steps = made.router("r1").steps
    targets = {s.params["path"]: s.params.get("after") for s in steps if "path" in s.params}
    assert targets
    assert targets == {path: fresh.files.get(path) for path in targets}
    assert {s.params["path"] for s in first.steps if s.kind == "write-file"} == set(targets)
    kinds = [s.kind for s in steps]
    # Nobody is sent where no rule helps any more: keepalived lets go of the addresses before the rules go.
    assert kinds.index("reload-keepalived") < kinds.index("load-rules")
    assert "check-keepalived" in kinds[: kinds.index("reload-keepalived")]
    assert [s.phase for s in steps] == sorted((s.phase for s in steps), key=["run", "persist"].index)
    assert back(after(first), first).digest == made.digest


def test_what_somebody_changed_since_is_not_overwritten() -> None:
    first = written()
    made = back(after(first, **{RULES: "somebody's"}), first)
    assert [code for code, _ in reasons(made)] == ["LBF080"]
    assert f"r1: {RULES} was changed by somebody since {NAME}." in reasons(made)[0][1]
    assert RULES not in [s.params.get("path") for s in made.router("r1").steps]


def test_what_is_back_already_needs_no_step() -> None:
    first, fresh = written(), pair("fresh")["r1"]
    path = "/etc/sysctl.d/90-lbftp.conf"
    made = back(after(first, **{path: fresh.files.get(path)}), first)
    assert reasons(made) == []
    assert path not in [s.params.get("path") for s in made.router("r1").steps]


@pytest.mark.parametrize(
    ("lying", "code", "words"),
    [
        ("", "LBF082", "is not on this router any more"),
        ("restored", "LBF083", "was put back already"),
        ("left", "LBF083", "was never confirmed"),
    ],
)
def test_a_checkpoint_that_is_no_way_back(lying: str, code: str, words: str) -> None:
    there = (Checkpoint(1, lying, NAME),) if lying else ()  # type: ignore[arg-type]
    made = back(dataclasses.replace(after(written()), checkpoints=there))
    assert [found for found, _ in reasons(made)] == [code]
    assert words in reasons(made)[0][1]
    assert made.empty


def test_a_router_that_the_run_did_not_change_stays_as_it_is() -> None:
    made = back(after(written()), chosen={})
    assert reasons(made) == []
    assert made.empty
    assert "changed nothing here" in made.warnings[0].reason


def test_what_a_repair_put_right_is_not_made_wrong_again() -> None:
    first = written()
    repair = dataclasses.replace(written("comply", 2, "run-8-cd", 8), steps=first.steps)
    assert repair.repair
    assert back(after(first), first, repair).digest == back(after(first), first).digest


def test_another_managers_run_of_the_same_number_is_not_ours() -> None:
    first = dataclasses.replace(written(), owner="elsewhere")
    assert [code for code, _ in reasons(back(after(first), first))] == ["LBF083"]


def test_other_routers_than_now_are_refused() -> None:
    moved = guide(routers=tuple(dataclasses.replace(r, name=f"{r.name}x") for r in GUIDE.routers))
    made = back(after(written()), written(), to=moved)
    assert ("LBF086", "What was applied before run 7 was for other routers: r1x, r2x.") in reasons(made)


def test_what_is_left_of_a_cluster_is_found_on_applied_routers_and_not_on_fresh_ones() -> None:
    assert remains(GUIDE, pair("fresh")) == []
    found = {(f.code, f.router) for f in remains(GUIDE, pair("applied"))}
    assert found == {("left-behind", "r1"), ("left-behind", "r2"), ("left-saved", "r1"), ("left-saved", "r2")}


def test_checkpoints_are_read_the_oldest_first_and_nonsense_is_passed_over() -> None:
    text = "12 applied run-9-a\n2 restored run-3-b\nx applied run-1\n3 gone run-2\n4 waits ../../etc\n5 left run-4-c\n"
    assert [(c.number, c.state, c.name) for c in listed(text)] == [
        (2, "restored", "run-3-b"), (5, "left", "run-4-c"), (12, "applied", "run-9-a"),
    ]  # fmt: skip


def test_records_are_read_in_one_answer_and_a_cut_one_ends_with_the_last_whole() -> None:
    assert records.records(b"3 a\n4 b\n\nxyz1234") == {"a": "xyz", "b": "1234"}
    assert records.records(b"3 a\n4 b\n\nxyz12") == {"a": "xyz"}
    assert records.records(b"") == {}
    with pytest.raises(ValueError, match="is not a name"):
        records.read_program(["a; reboot"])
