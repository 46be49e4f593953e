"""From recipe to snapshots: builds what the cache lacks, boots each machine once and saves it running."""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab import accel, cache, image, manifest, ports, remote, running, tools
from lab.command import Folders
from lab.places import LabError, cache_root, locked
from lab.running import Running
from lab.topology import MACHINES, Machine, endpoints

BOOT_PATIENCE = 600.0
BUILDING = ".building-"


@dataclass(frozen=True, slots=True)
class Ready:
    """What `up` needs: `image` has kernel, initrd, base disk and keys; `snapshot` the saved machines."""

    image: Path
    snapshot: Path
    acceleration: str

    @property
    def identity(self) -> str:
        """Differs between two builds, even of the same recipe: each has keys of its own."""
        return hashlib.sha256((self.snapshot / manifest.NAME).read_bytes()).hexdigest()[:16]


def ensure(say: Callable[[str], None] = lambda text: print(text, file=sys.stderr, flush=True)) -> Ready:
    """The image and snapshots of the present recipe, built if they are missing or broken. One builder at a time."""
    tools.ensure()
    root = cache_root()
    folder = root / cache.digest()
    with locked(root / "lock", on_wait=lambda: say("lab: waiting for another build to end …")):
        _sweep(root)
        if not cache.complete(folder):
            say("lab: building the image (about a minute) …")
            _build(folder, image.build)
        acceleration = accel.choose(folder, root / "acceleration.json")
        snapshot = _snapshot_folder(folder, acceleration)
        if not cache.complete(snapshot):
            say(f"lab: first boot of the machines with {acceleration} (one to three minutes) …")
            _build(snapshot, lambda building: save_machines(building, folder, acceleration))
        cache.prune(root, folder)
    return Ready(folder, snapshot, acceleration)


def forget() -> None:
    """Remove the snapshots of the present recipe: they turned out to be of no use."""
    root = cache_root()
    with locked(root / "lock"):
        for snapshot in (root / cache.digest()).glob("ready-*"):
            cache.discard(snapshot)


def clean_up() -> None:
    """End and remove what a killed build left behind; a build that is under way is not touched."""
    root = cache_root()
    with locked(root / "lock", wait=False) as mine:
        if mine:
            _sweep(root)


def _sweep(root: Path) -> None:
    """End and remove what killed builds left. Only for the holder of the lock: nobody builds meanwhile."""
    for building in [*root.glob(f"{BUILDING}*"), *root.glob(f"*/{BUILDING}*")]:
        cache.discard(building)


def _snapshot_folder(folder: Path, acceleration: str) -> Path:
    return folder / f"ready-{acceleration}-{accel.computer()}"


def _build(final: Path, build: Callable[[Path], None]) -> None:
    """Run `build` on a new folder beside `final`, and rename it when it is finished."""
    building = final.parent / f"{BUILDING}{final.name}"
    building.mkdir(parents=True)
    try:
        build(building)
    except BaseException:
        cache.discard(building)
        raise
    cache.publish(building, final)


def save_machines(building: Path, folder: Path, acceleration: str) -> None:
    """Boot all machines from the base image and save each to NAME.qcow2 and NAME.state in `building`."""
    sockets = Path(tempfile.mkdtemp(prefix="lbftp-lab-", dir="/tmp"))
    (building / cache.SOCKETS).symlink_to(sockets)
    lab = Running(Folders(building, sockets), folder, acceleration, ports.choose(endpoints(), {}))
    try:
        running.start_switches(lab.folders)
        for machine in MACHINES:
            running.create_disk(lab.folders.disk(machine.name), "../base.qcow2")
            running.start_machine(lab, machine)
        running.at_once(lambda machine: _settle(lab, machine), MACHINES)
        for machine in MACHINES:
            running.save_machine(lab, machine, building / f"{machine.name}.state")
    finally:
        running.stop_all(lab.folders)
        shutil.rmtree(sockets, ignore_errors=True)
        (building / cache.SOCKETS).unlink()


def _settle(lab: Running, machine: Machine) -> None:
    """Wait until everything on the machine has started; then let its disk and memory come to rest."""
    for name in (machine.name, *(host.name for host in machine.hosts)):
        if not remote.wait(lab.endpoint(name), BOOT_PATIENCE):
            raise LabError(f"{name}: no SSH after {BOOT_PATIENCE:.0f} s. Its last words:\n{_last_words(lab, machine)}")
    state = "systemctl is-system-running --wait || { systemctl --failed --no-legend; exit 1; }"
    rest = "journalctl --rotate -q; sync; echo 3 > /proc/sys/vm/drop_caches"
    done = remote.run(lab.endpoint(machine.name), f"{state}; {rest}", timeout=BOOT_PATIENCE)
    if done.returncode != 0:
        raise LabError(f"{machine.name}: not everything started: {done.stdout}{done.stderr}")


def _last_words(lab: Running, machine: Machine) -> str:
    return lab.folders.log(machine.name).read_text(errors="replace")[-2000:]
