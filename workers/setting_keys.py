"""Setting keys of real servers' own files: one server after the other, each judged, set, seen to listen and looked at.

A server whose program fails takes its way back by itself; one that is set and still has what was found is put back from
here. Servers that were set before stay so: each is right for itself.
"""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from lbftp.core import ftp_keys, ours
from lbftp.core.ftp_keys import ServerKeys, program
from lbftp.core.ftp_keys.plan import JUDGE, LOOK
from lbftp.core.ftp_keys.server import amiss
from lbftp.core.job import Access, Job
from lbftp.core.lint import lint_others
from lbftp.core.observe.observed import Observed
from lbftp.core.plan import Plan
from lbftp.core.problem import Problem
from lbftp.core.spec import ClusterSpec
from lbftp.core.steps import Step
from workers.changing import Change
from workers.errors import Cancelled, ConnectionLost, PlanChanged, ProofFailed, StepFailed, TimedOut, WorkError
from workers.observe import Pair, connected
from workers.outcome import Outcome, spec_of
from workers.remote import Limits, Remote
from workers.report import Report
from workers.rollout import Rollout
from workers.servers import look_at
from workers.stepping import run_steps, titles

_RESTORE: Final = (program.RESTORE, "Put back what was there")
_LOCK: Final = {program.LOCK: "Take the server for this run"}
# How long a server is asked again that does not answer.
_PATIENCE_SECONDS: Final = 180
_BETWEEN_SECONDS: Final = 3
_BECAME: Final = {"": "Nothing was changed there.", "restored": "What was there before is back, and it listens."}
# Two clusters ask one daemon for different things (core.lint.shared_servers).
_ONE_DAEMON: Final = frozenset({"FTP200", "FTP201", "FTP202"})
_FINISHES: Final = (
    "What it began there it finishes or puts back by itself; look at the servers again (Comply now) when it answers."
)


def _chosen(job: Job) -> Sequence[Access]:
    """The servers that people chose. Raises WorkError where one may not be logged in to any more."""
    wanted = ftp_keys.chosen(job.params)
    found = tuple(access for access in job.servers if access.name in wanted)
    if gone := sorted(wanted - {access.name for access in found}):
        raise WorkError(f"There is no confirmed SSH access to {gone[0]} any more: give it, or propose without it.")
    return found


def _nothing(_pair: Pair) -> Mapping[str, Observed]:
    """No router is asked."""
    return {}


def _plan(job: Job, _observed: Mapping[str, Observed], pair: Pair) -> Plan:
    return ftp_keys.servers_plan(spec_of(job), {name: look_at(name, pair[name]) for name in sorted(pair)})


def _problems(job: Job, _observed: Mapping[str, Observed]) -> list[Problem]:
    """Other clusters that need the same daemon otherwise. The plan itself tells the rest."""
    return [p for p in lint_others(spec_of(job), job.others) if p.code in _ONE_DAEMON]


def _rehearse(rollout: Rollout) -> None:
    """The daemons judge the new text."""
    names = ftp_keys.concerned(rollout.plan)
    steps = {n: [s for s in rollout.plan.router(n).steps if s.kind == f"ftp-{JUDGE}"] for n in names}
    for name in names:
        rollout.report.declare_steps(name, steps[name])
    rollout.report.phase("rehearse", "Have the daemons judge the new text")
    for name in names:
        with _open(rollout, name) as pair:
            found, token = _again(rollout, name, pair[name]), secrets.token_hex(8)
            run_steps(rollout.report, pair[name], program.judge(found, token), token, titles(steps[name]))


def _carry_out(rollout: Rollout) -> Outcome:
    names, done = ftp_keys.concerned(rollout.plan), []
    for name in names:
        rollout.report.declare(name, [(id_, title, "run") for id_, title in _LOCK.items()])
        rollout.report.declare_steps(name, rollout.plan.router(name).steps)
    rollout.report.phase("apply", "Set the keys, one server after the other")
    try:
        for name in names:
            rollout.report.check()
            _set(rollout, name)
            done.append(name)
    except Cancelled as error:
        return Outcome("cancelled", f"{error} {_all_back(rollout, done)}")
    except WorkError as error:
        left = f"{_and(done)} {_stay(done)}." if done else "No other server was changed."
        return Outcome("failed", f"{error} {left}", _result(rollout, done))
    listen = f"{_and(names)} {_are(names)} set and {'listens' if len(names) == 1 else 'listen'}"
    return Outcome("succeeded", f"{listen}; nothing of it is found any more.", _result(rollout, done))


def _set(rollout: Rollout, name: str) -> None:
    """One server; raises WorkError with everything there as it was, or what has to be done by hand."""
    folder = f"{_prefix(rollout.job, name)}{rollout.name}"
    _run(rollout, name, folder)
    rollout.report.checkpoint(name, folder)
    try:
        _look_again(rollout, name)
    except WorkError as error:
        raise type(error)(f"{error} {_back(rollout, name, folder)}") from error


def _back(rollout: Rollout, name: str, folder: str) -> str:
    """What came of putting one server back, as a sentence."""
    rollout.report.cancellable = False
    try:
        with _open(rollout, name) as pair:
            _put_back(rollout.report, pair[name], folder)
    except WorkError as error:
        return f"It could not be put back ({error}): {_by_hand(folder)}"
    return _BECAME["restored"]


def _by_hand(folder: str) -> str:
    return f"run there as root: {ours.servers_restore_command(folder)}"


def _run(rollout: Rollout, name: str, folder: str) -> None:
    steps = [s for s in rollout.plan.router(name).steps if s.id != LOOK]
    try:
        with _open(rollout, name) as pair:
            found, token = _again(rollout, name, pair[name]), secrets.token_hex(8)
            text = program.set_keys(found, folder, token)
            run_steps(rollout.report, pair[name], text, token, _LOCK | titles(steps) | {_RESTORE[0]: _RESTORE[1]})
    except StepFailed as error:
        raise StepFailed(f"{error} {_became(rollout, name, folder)[1]}") from error
    except (ConnectionLost, TimedOut) as error:
        rollout.report.note("warning", f"{error} Its program goes on by itself: it is asked what came of it.")
        state, words = _became(rollout, name, folder)
        if state != "set":
            raise WorkError(f"{error} {words}") from error


def _became(rollout: Rollout, name: str, folder: str) -> tuple[str, str]:
    """What the server's own program left, once it has ended: its state, and that as a sentence. One that a boot broke
    off is put back."""
    try:
        state = _states(rollout.job.servers, name, folder, rollout.report, rollout.limits).get(folder, "")
    except WorkError as error:
        return "unknown", str(error)
    if state == "begun":
        return state, _back(rollout, name, folder)
    return state, _BECAME.get(state, f"To put it back {_by_hand(folder)}.")


def _look_again(rollout: Rollout, name: str) -> None:
    """Over a new connection."""
    step = next(s for s in rollout.plan.router(name).steps if s.id == LOOK)
    with rollout.report.doing(name, step.id, step.title), _open(rollout, name) as pair:
        if left := amiss(rollout.spec, look_at(name, pair[name])):
            raise ProofFailed(f"{name}: it is not as it should be: {left}.")


def _again(rollout: Rollout, name: str, remote: Remote) -> ServerKeys:
    """What is to be set, from the files as they are now: the plan holds only their digests. Raises PlanChanged."""
    found = ftp_keys.server_keys(rollout.spec, look_at(name, remote))
    if _words(ftp_keys.server_plan(found).steps) != _words(rollout.plan.router(name).steps):
        raise PlanChanged(f"{name} changed since the plan was approved: nothing was touched there. Plan it again.")
    return found


def _words(steps: Sequence[Step]) -> list[dict[str, Any]]:
    return [step.to_json() for step in steps]


def _put_back(report: Report, remote: Remote, folder: str) -> None:
    token = secrets.token_hex(8)
    run_steps(report, remote, program.put_back(folder, token), token, _LOCK | {_RESTORE[0]: _RESTORE[1]})


def _all_back(rollout: Rollout, done: Sequence[str]) -> str:
    """After a cancel; the last server first."""
    rollout.report.cancellable = False
    if not done:
        return "No server was changed."
    rollout.report.phase("restore", "Put back what was there")
    for name in reversed(done):
        with _open(rollout, name) as pair:
            _put_back(rollout.report, pair[name], f"{_prefix(rollout.job, name)}{rollout.name}")
    return f"What was there before is back on {_and(done)}."


def _take_over(job: Job, spec: ClusterSpec, report: Report, limits: Limits) -> Outcome:
    """An earlier worker went silent in this run. Its program ends by itself: a server that has what it should stays so,
    any other that was begun is put back, and the rest is not begun any more."""
    report.cancellable = False
    report.phase("restore", "A worker fell silent in this run: see what it left")
    kept: list[str] = []
    back: list[str] = []
    rest: list[str] = []
    for access in _chosen(job):
        states = _states(job.servers, access.name, _prefix(job, access.name), report, limits)
        with connected([access], _patient(limits)) as pair:
            left = amiss(spec, look_at(access.name, pair[access.name]))
            standing = [folder for folder, state in states.items() if state != "restored"]
            if left:
                for folder in standing:
                    _put_back(report, pair[access.name], folder)
            (back if left and states else rest if left else kept).append(access.name)
    if not back and not rest:
        text = f"A worker fell silent in this run when it was done: nothing is found on {_and(kept)}."
        return Outcome("succeeded", text)
    text = "A worker fell silent in this run."
    text += f" What was there before is back on {_and(back)}." if back else ""
    text += f" {_and(rest)} {_are(rest)} not changed." if rest else ""
    text += f" {_and(kept)} {_stay(kept)}." if kept else ""
    return Outcome("failed", f"{text} Plan it again.")


def _states(servers: Sequence[Access], name: str, prefix: str, report: Report, limits: Limits) -> dict[str, str]:
    """What became of the folders, once no program works on the server; it is asked again while it does not answer."""
    access, until = next(a for a in servers if a.name == name), time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            with connected([access], _patient(limits)) as pair:
                answer = pair[name].run(program.ask_states(prefix))
        except WorkError as error:
            if not error.retry or time.monotonic() > until:
                raise WorkError(f"{error} {_FINISHES}") from error
        else:
            if answer.code != 0:
                raise WorkError(f"{name}: {answer.err.strip()[-300:]} {_FINISHES}")
            return program.states(answer.out)
        report.check()
        time.sleep(_BETWEEN_SECONDS)


def _open(rollout: Rollout, name: str) -> Any:
    access = next(a for a in rollout.job.servers if a.name == name)
    return connected([access], _patient(rollout.limits))


def _patient(limits: Limits) -> Limits:
    """Restarts and waits may take longer than other programs."""
    return dataclasses.replace(limits, program=max(limits.program, program.SECONDS))


def _prefix(job: Job, name: str) -> str:
    """How the names of a run's folders on that server begin."""
    return f"{job.owner}-run-{job.run_id}-{name}-"


def _result(rollout: Rollout, done: Sequence[str]) -> dict[str, Any]:
    files = {n: [c.what for c in rollout.plan.router(n).changes] for n in done}
    return {"servers": files}


def _and(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _stay(names: Sequence[str]) -> str:
    return "is set and stays so" if len(names) == 1 else "are set and stay so"


def _are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


SERVERS: Final = Change(
    _plan,
    _problems,
    _carry_out,
    _take_over,
    machines=_chosen,
    observe=_nothing,
    rehearse=_rehearse,
    subject="FTP servers",
    title="Look at the FTP servers",
)
