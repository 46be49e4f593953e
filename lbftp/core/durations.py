"""How long a run may take: everything that it waits for by itself, counted in full, and beside that its work.

A run that takes longer ends by itself: nothing more is begun, what it changed is put back. Only then, if not even that
comes to an end, the task's own limits end it; and those stay below the time after which the broker gives a task to
another worker. All values are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lbftp.core.job import CHANGING, GUARD_SECONDS

# What other runs of the same routers may take. A run that a person has to confirm may keep its routers longer.
LEASES: Final = 600
# A change that waits for a person stands for at most so long, however often its guards are let start anew.
STANDSTILL: Final = 7200
# A guard may try several times to put things back.
GUARD_TRIES: Final = 90
# Until a pair is as it should be, with its health checks and VRRP; more where preemption waits as well.
SETTLE: Final = 90
LOOK_AGAIN: Final = 20
HAND_OVER: Final = 30
# A unit that never gets ready keeps systemd "starting" for longer than anybody wants to wait (systemctl(1)).
UNITS: Final = 180
# The failover drill: until sessions go on, until the next one works, until it is known which died, until they are back.
TRAFFIC_BEGINS: Final = 90
NEXT_SESSION: Final = 120
WATCH: Final = 15
COME_BACK: Final = 30
# Check and fix goes on for so many rounds.
ROUNDS: Final = 3
# One that works takes less; after one that does not, no others are made.
SESSION: Final = 5
# The program that sets an FTP server's keys, and how long a server that went silent is asked again.
SERVER: Final = 600 + 180
# A router that boots, or is away, is asked again after a worker has died.
AWAY: Final = 300
# What a step may take that is not broken off in the middle: a program on a machine, and a connection.
STEP: Final = 180
# Between the soft and the hard end of a task.
_LAST: Final = 60


@dataclass(frozen=True, slots=True)
class Need:
    """What a run has to wait for. `guard` seconds that routers wait for a confirmation, `patience` those within which
    each has to come back from a reboot, `sessions` so many FTP sessions in a row, `work` all that is no waiting."""

    kind: str
    work: int
    guard: int = GUARD_SECONDS
    routers: int = 2
    servers: int = 0
    patience: int = 0
    preempt_delay: int = 0
    sessions: int = 0
    by_hand: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """`own`: the run ends by itself. `soft`: it is broken off wherever it is, and puts back what it changed. `hard`:
    its process is killed; another worker takes the run over, and looks at the routers first."""

    own: int
    soft: int
    hard: int


def limits(need: Need) -> Limits:
    """Of a first claim and of one that takes over from a worker that died alike."""
    own = need.work + max(waits(need), taking_over(need))
    if need.kind not in CHANGING:
        return Limits(own, own, own + _LAST)
    soft = own + _unbroken(need)
    return Limits(own, soft, soft + putting_back(need) + _LAST)


def waits(need: Need) -> int:
    """What a run waits for at most by itself, beside its work."""
    sessions = need.sessions * SESSION
    if need.kind not in CHANGING:
        return sessions
    settle = SETTLE + need.preempt_delay
    # Sessions are made again where the VIP moved meanwhile.
    proof = 2 * (settle + sessions) + LOOK_AGAIN
    own = {
        "reboot": need.routers * (need.patience + UNITS + HAND_OVER + 2 * settle) + settle + sessions,
        "restart": (need.routers + 1) * settle + sessions,
        "failover": TRAFFIC_BEGINS + HAND_OVER + 2 * (NEXT_SESSION + WATCH) + COME_BACK + 2 * settle,
        "maintenance": HAND_OVER + settle + sessions,
        "servers": need.servers * SERVER,
        "comply": ROUNDS * (proof + LOOK_AGAIN),
    }.get(need.kind, proof)
    return LEASES + own + (STANDSTILL if need.by_hand else 0)


def taking_over(need: Need) -> int:
    """What a run waits for whose worker died: routers that are away, guards that put back, a person who confirms."""
    if need.kind not in CHANGING:
        return 0
    guard = need.guard + GUARD_TRIES
    drills = need.routers * (AWAY + guard) + SETTLE + AWAY
    rolled_out = 2 * guard + (STANDSTILL if need.by_hand else 0)
    return LEASES + max(drills, rolled_out, need.servers * SERVER)


def putting_back(need: Need) -> int:
    """Routers one after the other, each from afar or, where it cannot be reached, by its own guard."""
    return need.routers * (need.guard + GUARD_TRIES + STEP) + need.servers * SERVER


def traffic(preempt_delay: int) -> int:
    """How long sessions go on in a failover drill, if nobody ends them."""
    settle = SETTLE + preempt_delay
    return TRAFFIC_BEGINS + HAND_OVER + 2 * (NEXT_SESSION + WATCH) + COME_BACK + settle + 3 * STEP


def _unbroken(need: Need) -> int:
    """The longest that goes on without being asked whether the run's time is over."""
    if need.kind == "reboot":
        return need.patience + UNITS + SETTLE + need.preempt_delay + STEP
    return SERVER if need.kind == "servers" else STEP + need.sessions * SESSION
