"""What goes on in a run's phase, in a sentence or two, for whoever opens its page in the middle of it."""

from __future__ import annotations

from typing import Final

from lbftp.changes.models import Run
from lbftp.core.job import AWAIT

_WORDS: Final = {
    "wait": "Another run works on these routers. This one has touched nothing, and goes on by itself when that ends.",
    "observe": "Both routers are looked at. Nothing is changed.",
    "compare": "The plan is made anew and compared with the one that people approved. Nothing is changed.",
    "rehearse": "The routers' own programs judge the new files. Nothing is changed on any router.",
    "checkpoint": "Each router gets the way back and a guard that takes it. Nothing is changed before all of them "
    "have both.",
    "apply": "The running routers are being changed, the backup first. A reboot would still undo it, and so do the "
    "guards if anything goes wrong.",
    "join": "The new address comes up where its VRRP group runs. The guards still wait.",
    "prove": "Over new connections: both routers are as planned, and real FTP sessions pass through the VIP. If not, "
    "both routers are put back.",
    "persist": "It was proven, and is now kept over a reboot. The guards still wait.",
    "look-again": "Both routers are looked at once more: nothing may be left to do.",
    AWAIT: "It was proven, and both routers hold it over a reboot. It stays if a person confirms it. If nobody does "
    "before the guards' time is over, both routers are put back.",
    "confirm": "The guards are let go on both routers. From here on the change stays.",
    "restore": "What was there before is put back on every router that was changed, and looked at.",
    "left": "Both routers are checked once more: what is left then is put right in another round, or told.",
    "repair": "What was found is being put right, as a change is: with a way back and a guard on each router.",
}
_ROLLBACK: Final = {
    "apply": "The running routers go back, the backup first. A reboot would still undo that, and so do the guards if "
    "anything goes wrong.",
    "prove": "Over new connections: both routers are as they were before that run.",
    AWAIT: "Both routers are back at the checkpoint, also over a reboot. That stays if a person confirms it. If nobody "
    "does before the guards' time is over, both routers return to what they held before the roll-back.",
}
_SERVERS: Final = {
    "observe": "The FTP servers' own files are read. Nothing is changed.",
    "rehearse": "The daemons judge the new text. Nothing is changed on any server.",
    "apply": "One server after the other: its daemon judges the new text, the old one is kept, keys are set, and "
    "it has to listen again. A server on which a step fails goes back by itself, also if this worker dies.",
    "restore": "What was there before is put back.",
}
_OTHERS: Final = {Run.Kind.ROLLBACK: _ROLLBACK, Run.Kind.SERVERS: _SERVERS}
_QUEUED: Final = "No worker has taken it yet. Nothing is changed."
_SILENT: Final = (
    "Nothing is heard of its worker, or the database does not take its words. Another worker takes the run over and "
    "looks at the machines first; guards that wait put routers back by themselves."
)


def words(run: Run, phase: str, *, silent: bool = False) -> str:
    """What a run that goes on does now; '' where nothing more is to be said than the phase's title. `silent`: its
    worker has not been heard of for a while."""
    if run.state == Run.State.QUEUED:
        return _QUEUED
    if run.state != Run.State.RUNNING:
        return ""
    if silent:
        return _SILENT
    special = _OTHERS.get(Run.Kind(run.kind), {}).get(phase, "")
    return special or _WORDS.get(phase, "")
