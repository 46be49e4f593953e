"""Bringing a plan to a pair of routers: checkpoint, apply (backup first), prove, persist, confirm; or put back.

Nothing is changed before every router has the way back on its own disk and a guard that runs it when nobody confirms in
time. Every phase lets the guards start anew, over a connection that works; only the last one ends them.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from lbftp.core import ours, program
from lbftp.core.checks.pair import awaited
from lbftp.core.diff import diff
from lbftp.core.durations import LOOK_AGAIN
from lbftp.core.findings import Finding, findings, master
from lbftp.core.job import Job
from lbftp.core.observe.observed import Observed
from lbftp.core.plan import Plan
from lbftp.core.program.guard import Hold
from lbftp.core.render import desired
from lbftp.core.rollback import SAVED, record_text, remains
from lbftp.core.spec import ClusterSpec
from workers import guard
from workers.by_hand import Standstill, await_person
from workers.errors import Cancelled, ClaimLost, ProofFailed, WorkError
from workers.observe import Pair, connected, each, look
from workers.probe import Proof, in_words, prove
from workers.remote import Limits, Remote
from workers.report import PAIR, Report
from workers.restore import restore_one
from workers.stepping import follow_steps, run_steps, titles

# VRRP needs three advertisements and a skew to settle (RFC 5798, 6.1), and keepalived a moment; health checks a round.
SETTLE_SECONDS: Final = 60
VRRP_INTERVALS: Final = 5
LOOK_AGAIN_SECONDS: Final = LOOK_AGAIN
PERSIST_CODES: Final = frozenset(
    {"saved-rules", "module-file", "sysctl-file", "nft-file", "nft-include-file", "unit-disabled", "unit-masked", SAVED}
)

_LOCK: Final = ("lock", "Take the router for this run", "checkpoint")
_CHECKPOINT: Final = ("checkpoint", "Write down the way back", "checkpoint")
_GUARD: Final = ("guard", "Arm the guard", "checkpoint")
_PAIR_STEPS: Final = (
    ("settle", "See that the pair is as planned", "prove"),
    ("sessions", "Make FTP sessions through the VIP", "prove"),
    ("look-again", "Look again: nothing left to do", "look-again"),
)


@dataclass(slots=True)
class Rollout:
    """One plan on its way. `taken` are the routers that are ours for this run, `touched` those that may be changed.
    `extended`: when proofs let the guards start anew for the last time (time.monotonic). `gone`: the cluster leaves the
    routers, and nothing of it may be left."""

    job: Job
    spec: ClusterSpec
    plan: Plan
    before: Mapping[str, Observed]
    report: Report
    limits: Limits
    gone: bool = False
    name: str = field(default_factory=lambda: secrets.token_hex(4))
    taken: list[str] = field(default_factory=list)
    touched: list[str] = field(default_factory=list)
    proof: Proof = field(default_factory=Proof)
    after: Mapping[str, Observed] = field(default_factory=dict)
    extended: float = 0.0

    @property
    def checkpoint(self) -> str:
        """The checkpoint's folder name on the routers."""
        return f"run-{self.job.run_id}-{self.name}"

    @property
    def hold(self) -> Hold:
        """What the routers are told of who changes them."""
        return Hold(self.job.owner, str(self.job.run_id), self.checkpoint, self.job.guard)

    def found(self, observed: Mapping[str, Observed]) -> list[Finding]:
        """What is not yet as it has to be in the end."""
        return remains(self.spec, observed) if self.gone else findings(self.spec, observed)

    def order(self) -> list[str]:
        """Routers with steps, the backup before whoever holds the VIP; by priority while nobody does.

        For a cluster that joins a group without preemption it is the other way round: its new address has to come up
        where the group is, because nothing would move it there afterwards.
        """
        holder = master(self.spec, self.before)
        names = [r.router for r in self.plan.routers if r.steps]
        waiting = not self.spec.vrrp.preempt or self.spec.vrrp.preempt_delay > 0
        turned = waiting and any(r.phase("join") for r in self.plan.routers)
        return sorted(names, key=lambda n: (n == holder, self.spec.router(n).priority, n), reverse=turned)


def roll_out(rollout: Rollout) -> None:
    """Applies the plan for good, or raises WorkError with every touched router put back."""
    _declare(rollout)
    try:
        with connected(rollout.job.routers, rollout.limits) as pair:
            _checkpoint(rollout, pair)
            # By whichever connections are open when somebody asks: `pair` is another one below.
            rollout.report.on_extend = lambda: guard.extend(rollout.report, pair, rollout.hold, rollout.touched)
            _phase(rollout, pair, "run", "apply", "Apply, the backup router first")
            _phase(rollout, pair, "join", "join", "Join the VRRP group that runs already")
        # Proven over fresh connections: the old ones would live on behind a rule that locks everybody else out.
        with connected(rollout.job.routers, rollout.limits) as pair:
            _prove(rollout, pair)
            _phase(rollout, pair, "persist", "persist", "Keep it over a reboot")
            _look_again(rollout, pair)
            if rollout.job.by_hand:
                guard.extend(rollout.report, pair, rollout.hold, rollout.touched)
            else:
                _confirm(rollout, pair)
        if rollout.job.by_hand:
            _confirm_by_hand(rollout)
    except ClaimLost:
        # Another worker has this run now, and puts back what it finds.
        raise
    except Exception as error:
        _give_up(rollout)
        if not rollout.touched:
            raise
        raise _put_back(rollout, error) from error


def _confirm(rollout: Rollout, pair: Pair) -> None:
    rollout.report.phase("confirm", "Confirm")
    guard.extend(rollout.report, pair, rollout.hold, rollout.touched)
    # From here on the change stays on both: a cancelling hand in between would leave it on one of them.
    rollout.report.cancellable = False
    guard.confirm(rollout.report, pair, rollout.hold, rollout.touched)


def _confirm_by_hand(rollout: Rollout) -> None:
    job, hold = rollout.job, rollout.hold
    await_person(Standstill(job, hold, rollout.touched, hold.seconds), rollout.report, rollout.limits)
    with connected(job.routers, rollout.limits) as pair:
        _confirm(rollout, pair)


def _give_up(rollout: Rollout) -> None:
    """Lets go of routers that were taken and on which nothing was begun. One that cannot be reached forgets us."""
    idle = [a for a in rollout.job.routers if a.name in set(rollout.taken) - set(rollout.touched)]
    for access in idle:
        try:
            with connected([access], rollout.limits) as pair:
                pair[access.name].run(program.guard.give_up(rollout.hold, secrets.token_hex(8)))
        except WorkError as error:
            rollout.report.note("warning", f"{access.name} was not let go of: {error}")


def rehearse(rollout: Rollout) -> None:
    """What a roll-out does before its first change. Raises WorkError."""
    names = rollout.order()
    checks = {n: [s for s in rollout.plan.router(n).steps if s.kind == "check-keepalived"] for n in names}
    for name in names:
        rollout.report.declare_steps(name, checks[name])
    rollout.report.phase("rehearse", "Have the routers judge the new files")
    with connected(rollout.job.routers, rollout.limits) as pair:
        for name in names:
            token = secrets.token_hex(8)
            text = program.apply(checks[name], token)
            run_steps(rollout.report, pair[name], text, token, titles(checks[name]))


def _declare(rollout: Rollout) -> None:
    for name in rollout.order():
        rollout.report.declare(name, [_LOCK, _CHECKPOINT, _GUARD])
        rollout.report.declare_steps(name, rollout.plan.router(name).steps)
        rollout.report.declare(name, [guard.CONFIRM])
    rollout.report.declare(PAIR, _PAIR_STEPS)


def _checkpoint(rollout: Rollout, pair: Pair) -> None:
    rollout.report.phase("checkpoint", "Write down the way back on each router")
    for name in rollout.order():
        token = secrets.token_hex(8)
        run_steps(rollout.report, pair[name], program.take(rollout.hold, token), token, {_LOCK[0]: _LOCK[1]})
        rollout.taken.append(name)
    rollout.report.check()
    rollout.touched += rollout.order()

    def write(name: str, remote: Remote) -> None:
        token = secrets.token_hex(8)
        steps, names = rollout.plan.router(name).steps, {s[0]: s[1] for s in (_CHECKPOINT, _GUARD)}
        text = program.checkpoint(rollout.checkpoint, steps, token, rollout.hold, record_text(rollout.job, steps))
        follow_steps(rollout.report, remote, text, token, names)
        rollout.report.checkpoint(name, rollout.checkpoint)
        rollout.report.guard(name, "armed", rollout.hold.seconds)

    each({name: pair[name] for name in rollout.touched}, write)


def _phase(rollout: Rollout, pair: Pair, phase: str, name: str, title: str) -> None:
    if not any(r.phase(phase) for r in rollout.plan.routers):
        return
    rollout.report.phase(name, title)
    for router in rollout.order():
        steps = rollout.plan.router(router).phase(phase)
        if steps:
            # Before each router: on slow ones a phase takes longer than a guard waits.
            guard.extend(rollout.report, pair, rollout.hold, rollout.touched)
            token = secrets.token_hex(8)
            text = program.apply(steps, token, rollout.hold)
            run_steps(rollout.report, pair[router], text, token, titles(steps))


def _prove(rollout: Rollout, pair: Pair) -> None:
    rollout.report.phase("prove", "Prove it over fresh connections")
    guard.extend(rollout.report, pair, rollout.hold, rollout.touched)
    with rollout.report.doing(PAIR, *_PAIR_STEPS[0][:2]):
        rollout.after = settle(rollout, pair)
    id_, title = _PAIR_STEPS[1][:2]
    if rollout.gone:
        rollout.report.step(PAIR, (id_, title), "skipped")
        rollout.report.note("info", f"Nothing of {rollout.spec.name} is to be left, so no FTP session is made.")
        return
    if not rollout.job.probes:
        rollout.report.step(PAIR, (id_, title), "skipped")
        rollout.report.note("warning", "No probe host is set for this cluster, so no FTP session proved the change.")
        return
    with rollout.report.doing(PAIR, id_, title):
        if _sessions(rollout, pair):
            text = "The VIP moved while sessions were made, which ends them. They are made again where it stays."
            rollout.report.note("warning", text)
            guard.extend(rollout.report, pair, rollout.hold, rollout.touched)
            rollout.after = settle(rollout, pair)
            _sessions(rollout, pair)
        if rollout.proof.failures or not rollout.proof.rows:
            raise ProofFailed(in_words(rollout.proof))
    if rollout.proof.missing:
        rollout.report.note("warning", in_words(rollout.proof))


def _sessions(rollout: Rollout, pair: Pair) -> bool:
    """FTP sessions, kept in the rollout. Whether the VIP was elsewhere when the first of them failed, or after all."""
    guard.extend(rollout.report, pair, rollout.hold, rollout.touched)
    home, holders = master(rollout.spec, rollout.after), list[str]()

    def ask_holder() -> None:
        if not holders:
            holders.append(master(rollout.spec, look(pair)))

    rollout.proof = prove(
        rollout.spec,
        rollout.job.probes,
        pair,
        rollout.report,
        rollout.limits,
        look=lambda: rollout.after,
        run_id=rollout.job.run_id,
        failing=ask_holder,
    )
    if rollout.proof.failures:
        holders.append(master(rollout.spec, look(pair)))
    return any(holder != home for holder in holders)


def settle(rollout: Rollout, pair: Pair) -> Mapping[str, Observed]:
    """What both routers hold once only what is persisted later is missing. Raises ProofFailed."""
    return _as_planned(rollout, pair, SETTLE_SECONDS, later=PERSIST_CODES)


def _look_again(rollout: Rollout, pair: Pair) -> None:
    rollout.report.phase("look-again", "Look again")
    guard.extend(rollout.report, pair, rollout.hold, rollout.touched)
    with rollout.report.doing(PAIR, *_PAIR_STEPS[2][:2]):
        # A real server or the VIP that is away for a moment is no reason to put back what was proven.
        rollout.after = _as_planned(rollout, pair, LOOK_AGAIN_SECONDS)


def _as_planned(
    rollout: Rollout, pair: Pair, seconds: int, *, later: frozenset[str] = frozenset()
) -> Mapping[str, Observed]:
    """Looks until nothing is missing but what `later` names, and the VIP is where it stays: no session outlives a move.

    Raises ProofFailed with the first finding that stays for `seconds`.
    """
    begin = time.monotonic()
    end, at_rest = begin + seconds, begin + VRRP_INTERVALS * rollout.spec.vrrp.advert_int
    while True:
        rollout.report.check()
        seen = look(pair)
        left = [f for f in rollout.found(seen) if f.severity == "error" and f.code not in later]
        now = time.monotonic()
        # Who does not take over by then will not, and compliance says so.
        if not left and (now > min(at_rest, end) or not awaited(rollout.spec, seen)):
            return seen
        if left and now > end:
            raise ProofFailed(f"{left[0].router or 'The pair'}: {left[0].what} (expected: {left[0].expected[:200]}).")
        time.sleep(1)


def _put_back(rollout: Rollout, cause: Exception) -> WorkError:
    """Every touched router goes back to its checkpoint, the last one first. The error says what came of it."""
    rollout.report.cancellable = False
    rollout.report.phase("restore", "Put back what was there")
    rollout.report.note("error", str(cause))
    until = guard.patience(rollout.hold)
    failed = [name for name in reversed(rollout.touched) if not _restored(rollout, name, until)]
    if not failed:
        kind = Cancelled if isinstance(cause, Cancelled) else WorkError
        again = " Apply the change again." if isinstance(cause, WorkError) and cause.retry else ""
        return kind(f"{cause} What was there before was put back on {', '.join(rollout.touched)}.{again}")
    command = ours.restore_command(rollout.checkpoint)
    return WorkError(
        f"{cause} Not known to be as before: {', '.join(failed)}. Guards put routers back by themselves and say so in "
        f"`journalctl -t {ours.JOURNAL_TAG}` there; if this one did not, run there as root: {command}"
    )


def _restored(rollout: Rollout, name: str, until: float) -> bool:
    """Whether `name` is as it was: the same differences from what the plan wanted."""
    access = next(a for a in rollout.job.routers if a.name == name)
    now = restore_one(access, rollout.hold, rollout.report, rollout.limits, until)
    if now is None:
        return False
    changed = _wishes(rollout.spec, rollout.before[name]) ^ _wishes(rollout.spec, now)
    if changed:
        rollout.report.note("error", f"{name} is not as before: {', '.join(sorted(map(' '.join, changed)))}")
    return not changed


def _wishes(spec: ClusterSpec, observed: Observed) -> set[tuple[str, str]]:
    """What is missing for the spec. Left out are what a reload gets over, and the helper module: in use it can neither
    be unloaded nor loaded again with the ports of before, and no matter: it watches more than it has to."""
    out = {"module", "module-ports", "keepalived-late"}
    return {(d.kind, d.key) for d in diff(desired(spec, observed), observed) if d.kind not in out}
