"""One running laboratory: its switches and machines, started and ended."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from lab import command, processes, tools
from lab.command import Folders
from lab.places import LabError
from lab.qmp import Monitor
from lab.remote import Endpoint
from lab.topology import MACHINES, Machine, NetworkName


@dataclass(frozen=True, slots=True)
class Running:
    """What is needed to start the machines of one laboratory and to reach them."""

    folders: Folders
    image: Path
    acceleration: str
    ports: dict[str, int]

    def endpoint(self, name: str) -> Endpoint:
        """How to reach a host, or a machine by its own name."""
        return Endpoint(name, self.ports[name], self.image / "keys")


def loaded_mark(folders: Folders, name: str) -> Path:
    """A file that is there while a machine runs on from a snapshot that was loaded completely."""
    return folders.base / f"{name}.loaded"


def switch_pid(folders: Folders, network: NetworkName) -> int | None:
    """Process id of a network's switch, None if it does not run."""
    return processes.holding(folders.pidfile(f"switch-{network}"))


def machine_pid(folders: Folders, name: str) -> int | None:
    """Process id of a machine's QEMU, None if it does not run."""
    return processes.holding(folders.pidfile(name))


def start_switches(folders: Folders) -> None:
    """Start the switches that do not run. Machines do not find a restarted switch again: restart those too."""
    for network in command.networks():
        if switch_pid(folders, network) is None:
            # vde_switch ends at once, with status 0, if it finds what a killed one left behind.
            shutil.rmtree(folders.switch(network), ignore_errors=True)
            folders.pidfile(f"switch-{network}").unlink(missing_ok=True)
            tools.run_tool(command.switch(network, folders), timeout=20)
            _wait_for_switch(folders, network)


def _wait_for_switch(folders: Folders, network: NetworkName) -> None:
    deadline = time.monotonic() + 10
    while not (folders.switch(network) / "ctl").exists():
        if time.monotonic() > deadline or switch_pid(folders, network) is None:
            raise LabError(f"network {network}: vde_switch did not start in {folders.switch(network)}")
        time.sleep(0.02)


def start_machine(lab: Running, machine: Machine, extra: tuple[str, ...] = ()) -> None:
    """Start a machine on its disk; `extra` are further QEMU options. Returns when QEMU is in the background."""
    lab.folders.monitor(machine.name).unlink(missing_ok=True)
    argv = command.qemu(machine, lab.image, lab.folders, lab.acceleration, lab.ports)
    done = subprocess.run([*argv, *extra], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"{machine.name}: QEMU did not start: {done.stderr.strip()}")


def load_machine(lab: Running, machine: Machine, snapshot: Path) -> None:
    """Start a machine as it was when the snapshot was saved, on a new disk. Ends the one that runs, if any."""
    stop_machine(lab.folders, machine.name)
    create_disk(lab.folders.disk(machine.name), snapshot / f"{machine.name}.qcow2")
    start_machine(lab, machine, ("-incoming", "defer"))
    with Monitor(lab.folders.monitor(machine.name)) as monitor:
        monitor.load_from(f"cat {shlex.quote(str(snapshot / machine.name))}.state")


def save_machine(lab: Running, machine: Machine, state: Path) -> None:
    """Stream the machine's state to a file and end its QEMU; its disk and the file belong together from then on."""
    with Monitor(lab.folders.monitor(machine.name)) as monitor:
        monitor.save_to(f"cat > {shlex.quote(str(state))}")
        monitor.call("quit")
    pid = machine_pid(lab.folders, machine.name)
    if pid is not None:
        processes.wait_gone(pid, 30)


def create_disk(path: Path, backing: Path | str) -> None:
    """A new disk over another one; a relative `backing` is seen from the new disk's folder."""
    path.unlink(missing_ok=True)
    tools.run_tool(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(backing), str(path)])


def stop_machine(folders: Folders, name: str) -> None:
    """End a machine's QEMU if it runs."""
    loaded_mark(folders, name).unlink(missing_ok=True)
    pid = machine_pid(folders, name)
    if pid is not None:
        processes.stop(pid)


def stop_all(folders: Folders) -> list[int]:
    """End every machine and switch of this laboratory. Returns the process ids that were ended."""
    pids = processes.using(folders.base)
    for pid in pids:
        processes.stop(pid)
    for machine in MACHINES:
        loaded_mark(folders, machine.name).unlink(missing_ok=True)
    for name in (*(machine.name for machine in MACHINES), *(f"switch-{each}" for each in command.networks())):
        folders.pidfile(name).unlink(missing_ok=True)
    return pids


def short_enough(folder: Path) -> bool:
    """Whether sockets in the folder stay below the kernel's limit of 107 characters (the longest adds about 40)."""
    return len(os.fsencode(folder)) <= 60


def at_once(work: Callable[[Machine], None], machines: Iterable[Machine]) -> None:
    """Do the work for all machines at the same time; raises the first error when all have ended.

    The threads do not keep an interrupted program alive.
    """
    errors: list[Exception] = []

    def attempt(machine: Machine) -> None:
        try:
            work(machine)
        except Exception as error:  # noqa: BLE001 - handed to the caller below
            errors.append(error)

    threads = [threading.Thread(target=attempt, args=(machine,), daemon=True) for machine in machines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
