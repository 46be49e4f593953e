"""The reboot proof: a router boots anew and comes back complete, the backup first, then whoever held the VIP."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any, Final

from lbftp.core import proofs
from lbftp.core.durations import UNITS
from lbftp.core.findings import master
from lbftp.core.job import Job
from lbftp.core.observe.observed import Observed
from lbftp.core.plan import Plan
from lbftp.core.problem import Problem
from lbftp.core.program import disturbing
from lbftp.core.program.guard import Hold
from workers.changing import Change, state_of
from workers.errors import ProofFailed, WorkError
from workers.observe import Pair, connected
from workers.outcome import Outcome, seen, spec_of
from workers.probe import in_words
from workers.proofs import guarded as g
from workers.proofs.guarded import await_holder, do, guarded, sessions, settled, taken
from workers.rollout import Rollout

_BETWEEN_SECONDS: Final = 3
_REBOOT: Final = "reboot"
_BACK: Final = ("back", "It answers with another boot id", "run")
_UNITS: Final = ("units", "Its units have started", "run")
_COMPLETE: Final = ("complete", "It is complete: no findings, what others persisted is as it was", "run")


def _plan(job: Job, observed: Mapping[str, Observed], _pair: Pair) -> Plan:
    return proofs.reboot_plan(spec_of(job), observed, job.params)


def _problems(job: Job, observed: Mapping[str, Observed]) -> list[Problem]:
    return proofs.problems(spec_of(job), observed, "reboot", job.params)


def _carry_out(rollout: Rollout) -> Outcome:
    told: dict[str, dict[str, Any]] = {}
    names = rollout.order()
    _declare(rollout, names)
    try:
        with taken(rollout):
            for name in names:
                rollout.report.phase("apply", f"Reboot {name}")
                told[name] = _one(rollout, name)
            rollout.report.phase("prove", "Prove it by FTP sessions")
            sessions(rollout)
            rollout.after = settled(rollout)
    except WorkError as error:
        return Outcome(state_of(error), str(error), {"reboot": told, "sessions": rollout.proof.rows})
    result = {**seen(rollout.spec, rollout.after), "reboot": told, "sessions": rollout.proof.rows}
    took = ", ".join(f"{name} after {one['seconds']:.0f} s" for name, one in told.items())
    proved = in_words(rollout.proof) if rollout.proof.rows else "No FTP session was made."
    return Outcome("succeeded", f"Came back complete: {took}. {proved}", result)


def _declare(rollout: Rollout, names: list[str]) -> None:
    handing = [n for n in names if _hands_over(rollout, n)]
    g.declare(rollout, names, handing, [g.SESSIONS])
    for name in names:
        rollout.report.declare(name, [_BACK, _UNITS, _COMPLETE])


def _hands_over(rollout: Rollout, name: str) -> bool:
    return any(s.kind == "stop-keepalived" for s in rollout.plan.router(name).steps)


def _one(rollout: Rollout, name: str) -> dict[str, Any]:
    """One router from here to complete; the other one is well by then, or nothing is begun."""
    holder = master(rollout.spec, rollout.before)
    before = settled(rollout)
    with connected([g.access_of(rollout, name)], rollout.limits) as pair:
        boot, failed = _said(pair, name, disturbing.BOOT_ID), _said(pair, name, disturbing.FAILED_UNITS).split()
    start = time.monotonic()
    moved = _down(rollout, name, boot)
    # From here to its return there is nothing that cancelling could put back.
    rollout.report.cancellable = False
    with rollout.report.doing(name, *_BACK[:2]):
        new = _await_boot(rollout, name, boot)
    with rollout.report.doing(name, *_UNITS[:2]):
        state, broken = _await_units(rollout, name)
    with rollout.report.doing(name, *_COMPLETE[:2]):
        now = settled(rollout, proofs.home(rollout.spec, holder))[name]
        gone = _foreign(rollout, name, before[name], now)
    rollout.report.cancellable = True
    seconds = round(time.monotonic() - start, 1)
    if fresh := sorted(set(broken) - set(failed)):
        rollout.report.note("warning", f"{name}: failed since the boot: {', '.join(fresh)}")
    return {
        "seconds": seconds, "boot_before": boot, "boot": new, "state": state, "failed_units": fresh,
        "moved_in": moved, "gone": gone,
    }  # fmt: skip


def _down(rollout: Rollout, name: str, boot: str) -> float | None:
    """The router goes down; if it held the VIP, seconds until the other one holds everything, before that."""
    if not _hands_over(rollout, name):
        _reboot(rollout, name, boot, None)
        return None
    other = next(r.name for r in rollout.spec.routers if r.name != name)
    with guarded(rollout, [name]):
        with connected(rollout.job.routers, rollout.limits) as pair:
            do(rollout, pair, name, "stop-keepalived")
            moved = await_holder(rollout, pair, other)
        _reboot(rollout, name, boot, rollout.hold)
        rollout.touched.clear()
    return moved


def _reboot(rollout: Rollout, name: str, boot: str, hold: Hold | None) -> None:
    """`hold`: its guard starts keepalived again should nobody come as far as this."""
    step = next(s for s in rollout.plan.router(name).steps if s.kind == _REBOOT)
    text = disturbing.reboot(boot, secrets.token_hex(8), hold)
    with (
        rollout.report.doing(name, step.id, step.title),
        connected([g.access_of(rollout, name)], rollout.limits) as pair,
    ):
        answer = pair[name].run(text)
        if answer.code != 0:
            raise WorkError(f"{name}: it does not reboot: {answer.err.strip()[-300:] or answer.out[-300:].decode()}")


def _await_boot(rollout: Rollout, name: str, boot: str) -> str:
    """The new boot id. Raises ProofFailed if the router does not answer with one in the time that was approved."""
    patience = int(rollout.job.params.get("patience", 600))
    end, told = time.monotonic() + patience, ""
    while time.monotonic() < end:
        time.sleep(_BETWEEN_SECONDS)
        rollout.report.check()
        try:
            with connected([g.access_of(rollout, name)], rollout.limits) as pair:
                new = _said(pair, name, disturbing.BOOT_ID)
        except WorkError as error:
            new, words = "", "it does not answer"
            if not error.retry:
                raise
        else:
            words = "it has not gone down yet"
        if new and new != boot:
            rollout.report.output(name, _BACK[0], f"it answers; boot id {boot} is now {new}")
            return new
        if words != told:
            rollout.report.output(name, _BACK[0], words)
            told = words
    raise ProofFailed(f"{name} did not come back from its reboot within {patience} s: look at its console.")


def _await_units(rollout: Rollout, name: str) -> tuple[str, list[str]]:
    """(systemd's state, failed units) once no unit is starting any more, or after a while."""
    end, told = time.monotonic() + UNITS, ""
    while True:
        rollout.report.check()
        with connected([g.access_of(rollout, name)], rollout.limits) as pair:
            state = _said(pair, name, disturbing.BOOT_STATE).split("\n")[0]
            broken = _said(pair, name, disturbing.FAILED_UNITS).split()
        if state != told:
            rollout.report.output(name, _UNITS[0], f"systemd is {state}")
            told = state
        if state not in {"initializing", "starting"} or time.monotonic() > end:
            return state, broken
        time.sleep(_BETWEEN_SECONDS)


def _foreign(rollout: Rollout, name: str, before: Observed, now: Observed) -> list[str]:
    """Rules of others that only ran and did not come back. Raises ProofFailed if something saved is not as before."""
    changed = sorted(p for p in before.files.keys() | now.files.keys() if before.files.get(p) != now.files.get(p))
    if changed:
        raise ProofFailed(f"{name}: {', '.join(changed)} changed with the reboot.")
    only = set(proofs.only_running(before))
    gone = proofs.missing(before, now)
    lost = [line for line in gone if line not in only and not line.startswith("nftables table")]
    if lost:
        raise ProofFailed(f"{name}: a saved rule of others does not run after the reboot: {lost[0][:150]}")
    if gone:
        rollout.report.note(
            "warning", f"{name}: {len(gone)} rules of others only ran, and did not come back by themselves"
        )
    return gone


def _said(pair: Pair, name: str, text: str) -> str:
    return pair[name].run(text).out.decode(errors="replace").strip()


REBOOT: Final = Change(_plan, _problems, _carry_out, g.take_over)
