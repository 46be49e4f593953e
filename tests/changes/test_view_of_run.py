from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lbftp.changes.view_of_run import fold
from lbftp.core.job import Event


def step(router: str, step_id: str, state: str, **data: Any) -> Event:
    return Event("step", router, {"id": step_id, "title": step_id.upper(), "state": state, **data})


def session(mode: str, server: str, *, ok: bool = True, message: str = "") -> Event:
    return Event("session", "", {"mode": mode, "real_server": server, "ok": ok, "message": message, "seconds": 0.2})


STEPS = Event(
    "steps",
    "",
    {"steps": [{"router": r, "id": i, "title": i.upper(), "phase": "run"} for r in ("r2", "r1") for i in ("a", "b")]},
)
STORY = [
    Event("phase", "", {"name": "apply", "title": "Apply"}),
    STEPS,
    step("r2", "a", "started"),
    Event("output", "r2", {"step": "a", "text": "one\ntwo"}),
    step("r2", "a", "done", seconds=1.5),
    step("r2", "b", "failed", message="no such module"),
    Event("note", "", {"level": "warning", "text": "slow"}),
    session("PORT", "ftp2"),
    session("PASV", "ftp1"),
    session("PASV", "ftp2", ok=False, message="227 with 10.0.50.12"),
    session("EPSV", "", ok=False, message="refused"),
    Event("finding", "r1", {"code": "MOD1", "severity": "error", "what": "ip_vs_ftp"}),
    Event("finding", "r1", {"code": "MOD1", "severity": "error", "what": "ip_vs_ftp", "repaired": True}),
    Event("end", "", {"state": "failed", "outcome": "r2 put back"}),
]


def test_lanes_hold_steps_in_the_order_announced() -> None:
    view = fold(STORY)
    assert [lane.router for lane in view.lanes] == ["r2", "r1"]
    assert [(s.id, s.state) for s in view.lanes[0].steps] == [("a", "done"), ("b", "failed")]
    assert [(s.id, s.state) for s in view.lanes[1].steps] == [("a", "waiting"), ("b", "waiting")]
    assert view.lanes[0].steps[0].output == ["one", "two"]
    assert view.lanes[0].steps[0].seconds == 1.5
    assert [(r, s.message) for r, s in view.failed_steps] == [("r2", "no such module")]


def test_the_table_is_mode_by_real_server() -> None:
    view = fold(STORY)
    assert view.real_servers == ["ftp1", "ftp2"]
    assert [(row.kind, [[s.ok for s in c.sessions] for c in row.cells]) for row in view.table] == [
        ("PASV", [[True], [False]]),
        ("EPSV", [[], []]),
        ("PORT", [[], [True]]),
    ]
    assert [s.row["message"] for s in view.table[1].failed] == ["refused"]


def test_kinds_of_one_mode_are_rows_of_their_own_in_their_usual_order() -> None:
    rows = [
        {"mode": "EPSV", "tls": "none", "ip": 6, "port": 21},
        {"mode": "PASV", "tls": "explicit", "ip": 4, "port": 21, "control": "192.0.2.50:4 > 192.0.2.100:21"},
        {"mode": "PASV", "tls": "none", "ip": 4, "port": 21},
    ]
    view = fold([Event("session", "", {**row, "real_server": "ftp1", "ok": True}) for row in rows])
    assert [row.kind for row in view.table] == ["PASV", "PASV TLS", "EPSV IPv6"]
    assert [s.row.get("control", "") for s in view.sessions] == ["", "192.0.2.50:4 > 192.0.2.100:21", ""]


def test_the_bar() -> None:
    assert fold([]).percent == 0
    assert fold(STORY[:2]).percent == 0
    assert fold(STORY[:5]).percent == 25
    assert fold(STORY).percent == 50
    done = [step(r, i, "done") for r in ("r1", "r2") for i in ("a", "b")]
    assert fold([STEPS, *done]).percent == 99
    assert fold([STEPS, *done, Event("end", "", {"state": "succeeded", "outcome": ""})]).percent == 100


def test_a_finding_told_again_is_one_finding() -> None:
    view = fold(STORY)
    assert view.findings == [
        {"code": "MOD1", "severity": "error", "what": "ip_vs_ftp", "repaired": True, "router": "r1"}
    ]
    assert view.notes == [{"level": "warning", "text": "slow", "router": ""}]
    assert view.end == {"state": "failed", "outcome": "r2 put back"}
    assert view.phase is not None
    assert view.phase.title == "Apply"


def test_steps_announced_later_or_never_are_added() -> None:
    view = fold([STEPS, step("r1", "z", "started"), STEPS])
    assert [s.id for s in view.lane("r1").steps] == ["a", "b", "z"]
    assert [s.id for s in view.lane("r2").steps] == ["a", "b"]


def test_a_second_worker_starts_a_step_anew() -> None:
    view = fold([STEPS, step("r1", "a", "failed", message="gone"), STEPS, step("r1", "a", "started")])
    assert (view.lane("r1").steps[0].state, view.lane("r1").steps[0].message) == ("started", "")


def _guard(state: str, seconds: int, until: str | None) -> Event:
    return Event("guard", "r1", {"state": state, "seconds": seconds, "until": until})


def test_each_router_has_its_guard_and_its_way_back() -> None:
    armed = _guard("armed", 120, "2030-01-02T03:04:05+00:00")
    view = fold([STEPS, Event("checkpoint", "r1", {"name": "run-7-ab12"}), armed])
    guard = view.lane("r1").guard
    assert guard is not None
    assert (guard.state, guard.waits, guard.until) == ("armed", True, datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert (view.lane("r1").checkpoint, view.lane("r2").checkpoint, view.lane("r2").guard) == ("run-7-ab12", "", None)
    for state in ("confirmed", "restored"):
        after = fold([_guard(state, 0, None)], view).lane("r1").guard
        assert after is not None
        assert (after.state, after.waits) == (state, False)


def test_unknown_kinds_are_passed_over() -> None:
    assert fold([Event("fanfare", "", {"x": 1})]).lanes == []


@given(st.integers(0, len(STORY)))
def test_a_page_opened_late_shows_the_same(cut: int) -> None:
    assert fold(STORY[cut:], fold(STORY[:cut])) == fold(STORY)
