"""What goes wrong while a change is brought to a pair of routers, and where: at the end of each step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import gcd
from typing import Final

from lbftp.core.job import Event
from lbftp.core.plan import plan
from tests.core.cases import GUIDE, pair
from tests.workers.conftest import Bench
from workers.errors import ClaimLost

# The backup goes first; '' is what is done with both at once.
_ORDER: Final = ("r2", "r1")
Place = tuple[str, str]


def places() -> list[Place]:
    """(router, step) of every boundary of the guide's first roll-out, in the order in which they come."""
    made = plan(GUIDE, pair("fresh"))
    found: list[Place] = [(r, "lock") for r in _ORDER]
    for router in _ORDER:
        found += [(router, "checkpoint"), (router, "guard")]
    for router in _ORDER:
        found += [(router, s.id) for s in made.router(router).phase("run")]
    found += [("", "settle"), ("", "sessions")]
    for router in _ORDER:
        found += [(router, s.id) for s in made.router(router).phase("persist")]
    return [*found, ("", "look-again"), ("r2", "confirm"), ("r1", "confirm")]


@dataclass(slots=True)
class Strike:
    """Does `fault` once, when the step at `place` is done."""

    place: Place
    fault: Callable[[Bench, str], None]
    bench: Bench
    struck: bool = False
    events: list[Event] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        here = event.kind == "step" and (event.router, event.data["id"]) == self.place and event.data["state"] == "done"
        if here and not self.struck:
            self.struck = True
            self.fault(self.bench, self.place[0] or "r1")


def manager_gone(_bench: Bench, _router: str) -> None:
    """As if the worker were killed (test_workers does it to a real one): its connections end, and it says no more."""
    raise ClaimLost("killed")


def _connection_cut(bench: Bench, router: str) -> None:
    bench.sh(router, "systemd-run -q sh -c 'sleep 0.3; pkill -KILL -f \"^sshd: [a-z]+@notty\"'")


def _reboot(bench: Bench, router: str) -> None:
    bench.sh(router, "systemd-run -q sh -c 'sleep 0.3; systemctl reboot --force --force'")


def _locked_out(bench: Bench, router: str) -> None:
    """Nobody gets a new connection to SSH for 80 s; those that are there live on."""
    rule = "INPUT -p tcp --dport 22 -m conntrack --ctstate NEW -j DROP"
    script = f"iptables -w 10 -I {rule.replace('INPUT', 'INPUT 1', 1)}; sleep 80; iptables -w 10 -D {rule}"
    bench.sh(router, f"systemd-run -q sh -c '{script}'; sleep 0.5")


FAULTS: Final[dict[str, Callable[[Bench, str], None]]] = {
    "connection cut": _connection_cut,
    "router reboots": _reboot,
    "locked out": _locked_out,
}
# Where a router may have kept the change and the manager does not know. Elsewhere: the worker killed half-way
# (test_workers), power cut on both (test_once), the manager locked out by its own change (tests/workers/test_guard.py).
SAMPLE: Final[tuple[tuple[Place, str], ...]] = ((("r2", "confirm"), "connection cut"),)


def everything() -> list[tuple[Place, str]]:
    return crossed(list(FAULTS))


def crossed(names: Sequence[str]) -> list[tuple[Place, str]]:
    """Every fault at every boundary; first each boundary once, with the faults in turn and the boundaries spread out, so
    that a series which ends early says most."""
    spread = _spread(places())
    return [(place, names[(i + turn) % len(names)]) for turn in range(len(names)) for i, place in enumerate(spread)]


def _spread(found: list[Place]) -> list[Place]:
    """The same in an order in which neighbours come late."""
    stride = next(n for n in range(round(len(found) * 0.382), len(found)) if gcd(n, len(found)) == 1)
    return [found[i * stride % len(found)] for i in range(len(found))]


def words(place: Place) -> str:
    """How a boundary is named in the table."""
    return f"after {place[0] or 'both'}: {place[1]}"
