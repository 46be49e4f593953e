"""The laboratory for other Python code: up, reset, down, status, and commands on its hosts."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from lab import command, ports, ready, remote, report, running
from lab.command import Folders
from lab.places import LabError, SnapshotBrokenError, locked, run_folder
from lab.report import HostStatus, LabStatus
from lab.running import Running
from lab.state import State
from lab.topology import MACHINES, Machine, endpoints, host

__all__ = ["HostStatus", "LabError", "LabStatus", "down", "endpoint", "ensure_up", "reset", "run", "status"]

LOAD_PATIENCE = 120.0
# A guest that is just rebooting comes back within this time in software emulation.
REBOOT_PATIENCE = 120.0


def ensure_up() -> LabStatus:
    """Make every host answer, building image and snapshots first if need be. What runs well is left as it is.

    A lost or silent machine comes back in its `ready` state; after a lost switch, or with another recipe, all do.
    """
    return _start(_unwell)


def reset() -> LabStatus:
    """Bring all machines back to their `ready` state, whatever was done to them. Ports stay as they are."""
    return _start(lambda _: list(MACHINES))


def down() -> list[int]:
    """End everything that runs for this checkout; the cache stays. Returns the process ids that were ended."""
    folder = run_folder()
    with locked(folder / "lock"):
        state = State.load(folder)
        pids = running.stop_all(_folders(folder, state))
        for machine in MACHINES:
            (folder / f"{machine.name}.qcow2").unlink(missing_ok=True)
        if state:
            shutil.rmtree(state.sockets, ignore_errors=True)
    ready.clean_up()
    return pids


def status() -> LabStatus:
    """How the laboratory is; see report.status."""
    return report.status(run_folder())


def endpoint(name: str) -> remote.Endpoint:
    """How to reach a host (or the machine `net`) by SSH. LabError if the lab was never started."""
    folder = run_folder()
    state = State.load(folder)
    if state is None:
        raise LabError("the lab is down; `python -m lab up` starts it")
    if name not in endpoints():
        host(name)
    return state.running(folder).endpoint(name)


def run(
    name: str,
    script: str | Sequence[str],
    *,
    user: str = "root",
    input: str | None = None,  # noqa: A002 - named as in subprocess.run
    timeout: float = 60,
) -> subprocess.CompletedProcess[str]:
    """Run a command on a host; see remote.run. A sequence is quoted word for word, a string goes to the shell there."""
    return remote.run(endpoint(name), script, user=user, input=input, timeout=timeout)


def _start(choose: Callable[[Running], list[Machine]]) -> LabStatus:
    """Load the machines that `choose` names; all of them if the switches or the image are not the right ones."""
    folder = run_folder()
    with locked(folder / "lock"):
        try:
            _bring_up_twice(folder, choose)
        except KeyboardInterrupt:
            running.stop_all(_folders(folder, State.load(folder)))
            raise
        return report.status(folder, LOAD_PATIENCE)


def _bring_up_twice(folder: Path, choose: Callable[[Running], list[Machine]]) -> None:
    """Bring up; if a snapshot is of no use, once more with new ones."""
    try:
        _bring_up(folder, choose)
    except SnapshotBrokenError as error:
        print(f"lab: {error}; building the snapshots again", file=sys.stderr)
        running.stop_all(_folders(folder, State.load(folder)))
        ready.forget()
        _bring_up(folder, choose)


def _bring_up(folder: Path, choose: Callable[[Running], list[Machine]]) -> None:
    made = ready.ensure()
    state = State.load(folder)
    if state and state.identity == made.identity and _switches_run(state.running(folder)):
        machines = choose(state.running(folder))
    else:
        running.stop_all(_folders(folder, state))
        state, machines = _new_state(folder, state, made), list(MACHINES)
    for machine in machines:
        running.stop_machine(state.running(folder).folders, machine.name)
    names = [name for name, (owner, _) in endpoints().items() if owner in {machine.name for machine in machines}]
    state = replace(state, ports=ports.choose(names, state.ports))
    state.save(folder)
    lab = state.running(folder)
    running.start_switches(lab.folders)
    running.at_once(lambda machine: _load(lab, machine, made.snapshot), machines)


def _load(lab: Running, machine: Machine, snapshot: Path) -> None:
    """Load one machine, wait until its hosts answer, and set its clock."""
    running.load_machine(lab, machine, snapshot)
    for name in (machine.name, *(each.name for each in machine.hosts)):
        if not remote.wait(lab.endpoint(name), LOAD_PATIENCE):
            raise SnapshotBrokenError(f"{name} does not answer after its snapshot was loaded")
    remote.set_clock(lab.endpoint(machine.name))
    running.loaded_mark(lab.folders, machine.name).touch()


def _unwell(lab: Running) -> list[Machine]:
    """The machines that are lost, half loaded, or do not answer even after the time that a reboot takes."""
    return [machine for machine in MACHINES if not _is_well(lab, machine)]


def _is_well(lab: Running, machine: Machine) -> bool:
    if running.machine_pid(lab.folders, machine.name) is None:
        return False
    if not running.loaded_mark(lab.folders, machine.name).exists():
        return False
    return all(remote.wait(lab.endpoint(each.name), REBOOT_PATIENCE) for each in machine.hosts)


def _switches_run(lab: Running) -> bool:
    return all(running.switch_pid(lab.folders, network) is not None for network in command.networks())


def _new_state(folder: Path, old: State | None, made: ready.Ready) -> State:
    if old:
        shutil.rmtree(old.sockets, ignore_errors=True)
    sockets = folder / "sockets"
    if not running.short_enough(sockets):
        sockets = Path(tempfile.mkdtemp(prefix="lbftp-lab-", dir="/tmp"))
    sockets.mkdir(parents=True, exist_ok=True)
    return State(str(sockets), str(made.image), made.identity, made.acceleration, old.ports if old else {})


def _folders(folder: Path, state: State | None) -> Folders:
    return Folders(folder, Path(state.sockets) if state else folder / "sockets")
