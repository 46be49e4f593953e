"""Plans of proofs and maintenance, what speaks against them, and the programs that a real shell runs here."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from typing import Any

import pytest

from lbftp.core import program, proofs
from lbftp.core.observe import iptables
from lbftp.core.observe.observed import Observed
from lbftp.core.plan import Plan
from lbftp.core.program import disturbing
from lbftp.core.program.guard import Hold
from tests.core.cases import GUIDE, guide, pair

SHELLS = [shell for shell in ("dash", "bash", "sh") if shutil.which(shell)]
MADE = {
    "restart": lambda observed, **params: proofs.restart_plan(GUIDE, observed, params),
    "reboot": lambda observed, **params: proofs.reboot_plan(GUIDE, observed, params),
    "failover": lambda observed, **params: proofs.failover_plan(GUIDE, observed, params),
    "maintenance": lambda observed, **params: proofs.maintenance_plan(GUIDE, observed, params),
}


def kinds(made: Plan) -> dict[str, list[str]]:
    return {r.router: [s.kind for s in r.steps] for r in made.routers}


def running(found: Observed, change: Any) -> Observed:
    """`found` with the text of its running rules changed."""
    lines = []
    for table, chains in found.running.tables.items():
        lines += [f"*{table}", *(f":{c.name} {c.policy}" for c in chains.values())]
        lines += [r.text for c in chains.values() for r in c.rules] + ["COMMIT"]
    return dataclasses.replace(found, running=iptables.parse(change("\n".join(lines))))


def test_a_restart_writes_down_what_runs_first_and_puts_back_only_what_is_there() -> None:
    observed = pair("applied")
    made = kinds(MADE["restart"](observed, foreign=proofs.PUT_BACK))
    # r1 has a container engine, whose rules nobody saved.
    assert made["r1"] == ["keep-rules", "restart-units", "put-back-rules", "restart-keepalived"]
    units = {r.router: r.steps[1].params["units"] for r in MADE["restart"](observed).routers}
    assert units["r1"] == ["netfilter-persistent.service"]
    assert units["r2"][0] == "iptables.service"


def test_an_approval_of_letting_rules_go_covers_those_rules_and_no_others() -> None:
    observed = pair("applied")
    more = {
        **observed,
        "r1": running(
            observed["r1"], lambda text: text.replace("COMMIT", "-A INPUT -s 203.0.113.5 -j DROP\nCOMMIT", 1)
        ),
    }
    digests = [MADE["restart"](o, foreign=proofs.LET_GO).digest for o in (observed, more)]
    assert digests[0] != digests[1]
    assert "put-back-rules" not in kinds(MADE["restart"](observed, foreign=proofs.LET_GO))["r1"]


@pytest.mark.parametrize(
    ("choice", "code", "severity"),
    [(proofs.REFUSE, "LBF022", "error"), (proofs.PUT_BACK, "LBF023", "warning"), (proofs.LET_GO, "LBF024", "warning")],
)
def test_rules_that_a_restart_loses_are_told_before(choice: str, code: str, severity: str) -> None:
    found = proofs.problems(GUIDE, pair("applied"), "restart", {"foreign": choice})
    mine = [p for p in found if p.router == "r1"]
    assert [(p.code, p.severity) for p in mine] == [(code, severity)]
    assert "rules of others run and are not saved" in mine[0].reason


def test_only_whoever_holds_the_vip_hands_it_over() -> None:
    made = kinds(MADE["reboot"](pair("applied"), routers=["r1", "r2"]))
    assert made == {"r1": ["stop-keepalived", "reboot"], "r2": ["reboot"]}
    assert kinds(MADE["reboot"](pair("applied"), routers=["r2"])) == {"r1": [], "r2": ["reboot"]}
    assert kinds(MADE["failover"](pair("applied"))) == {"r1": ["stop-keepalived", "start-keepalived"], "r2": []}


def test_a_pair_that_is_not_well_is_not_disturbed() -> None:
    observed = pair("applied")
    unwell = {**observed, "r2": dataclasses.replace(observed["r2"], sysctls={"net.ipv4.ip_forward": "0"})}
    for kind in ("restart", "reboot", "failover"):
        found = proofs.problems(GUIDE, unwell, kind, {})
        assert ("LBF021", "error", "r2") in {(p.code, p.severity, p.router) for p in found}


def test_a_router_goes_only_while_the_other_one_is_well() -> None:
    observed = pair("applied")
    unwell = {**observed, "r2": dataclasses.replace(observed["r2"], sysctls={"net.ipv4.ip_forward": "0"})}

    def stops(name: str, *, out: bool) -> set[str]:
        return {p.code for p in proofs.problems(GUIDE, unwell, "maintenance", {"router": name, "out": out})}

    assert stops("r1", out=True) == {"LBF027"}
    # The unwell one may go, and whoever is out may always come back.
    assert stops("r2", out=True) == set()
    assert stops("r1", out=False) == set()
    assert stops("r9", out=True) == {"LBF026"}


def test_sessions_that_will_be_lost_are_told_before() -> None:
    for sync, severity in ((True, "info"), (False, "warning")):
        spec = guide(sync_connections=sync)
        found = [p for p in proofs.problems(spec, pair("applied"), "failover", {}) if p.code == "LBF025"]
        assert [p.severity for p in found] == [severity]


def test_what_others_lost_and_what_came_meanwhile() -> None:
    before = pair("applied")["r1"]
    without = running(before, lambda text: "\n".join(x for x in text.splitlines() if "DOCKER" not in x))
    gone = proofs.missing(before, without)
    assert gone
    assert all("DOCKER" in line for line in gone)
    assert set(gone) <= set(proofs.only_running(before))
    assert proofs.missing(before, before) == []
    more = running(before, lambda text: text.replace("COMMIT", "-A INPUT -s 203.0.113.5 -j DROP\nCOMMIT", 1))
    assert len(proofs.come(before, more)) == 1
    assert proofs.come(before, before) == []


@pytest.mark.parametrize("shell", SHELLS)
def test_every_program_is_good_shell(shell: str) -> None:
    hold = Hold("site-1", "1", "run-1-a", 120)
    texts = [disturbing.reboot("boot", "a" * 16, hold), disturbing.reboot("boot", "a" * 16, None), disturbing.RESTS]
    for kind, params in (
        ("restart", {"foreign": proofs.PUT_BACK}),
        ("reboot", {}),
        ("failover", {}),
        ("maintenance", {"router": "r1", "out": True}),
        ("maintenance", {"router": "r1", "out": False}),
    ):
        for router in MADE[kind](pair("applied"), **params).routers:
            steps = [s for s in router.steps if s.kind != "reboot"]
            texts += [program.apply(steps, "a" * 16), program.restore(steps)]
            texts.append(program.checkpoint("run-1-a", router.steps, "a" * 16, hold))
    for text in texts:
        done = subprocess.run([shell, "-n"], input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_a_router_that_booted_anew_already_is_not_rebooted_again() -> None:
    """Here it has another boot id: the program ends before it does anything."""
    done = subprocess.run(
        ["sh", "-x"], input=disturbing.reboot("another", "a" * 16, None), capture_output=True, text=True, check=True
    )
    assert "sync" not in done.stderr
    assert "reboot" not in done.stderr
