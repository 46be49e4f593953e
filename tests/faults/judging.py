"""Whether two routers hold wholly the old or wholly the new state, and what is foreign as it was."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import unified_diff
from itertools import islice
from typing import Final, Literal

from lbftp.core.diff import diff
from lbftp.core.observe.observed import Observed
from lbftp.core.render import desired
from ops.demo import foreign
from tests.core.cases import GUIDE
from tests.workers.conftest import LIMITS, Bench
from workers.errors import WorkError
from workers.guard import ask
from workers.observe import connected, look
from workers.outcome import Outcome

# Byte for byte and rule for rule what is ours or shared; read without lbftp's own readers, and the same after a boot.
_MANAGED: Final = r"""
cd /etc && find keepalived iptables sysconfig modules-load.d modprobe.d sysctl.d -type f | LC_ALL=C sort | xargs sha256sum
for save in iptables-save ip6tables-save; do $save | grep -e '-A LBFTP-' -e '-j LBFTP-' -e '^:LBFTP-' | sed 's/\[.*\]//'; done
cat /proc/sys/net/ipv4/ip_forward
if [ -e /proc/net/ip_vs ]; then ipvsadm -Sn | grep -e '-f 21 ' | LC_ALL=C sort; fi
find /etc/systemd/system/*.wants -name '*ip*tables*' -o -name 'keepalived*' -o -name 'netfilter*' | LC_ALL=C sort
"""
# What a boot takes from a router, with us or without: what others merely run.
_RUNNING: Final = ("rules4", "rules6")
_REST_SECONDS: Final = 400

Wishes = dict[str, frozenset[tuple[str, str]]]
Foreign = Mapping[str, foreign.Look]


@dataclass(frozen=True, slots=True)
class Held:
    """What both routers hold: what is missing for the guide's cluster, the managed text, and what is foreign. The module
    is apart: in use it stays, and no matter."""

    wishes: Wishes
    modules: Wishes
    managed: Mapping[str, str]
    foreign: Foreign

    @property
    def new(self) -> bool:
        return not any(self.wishes.values())


def held(bench: Bench, observed: Mapping[str, Observed] | None = None) -> Held:
    """Now, or with what was observed of the routers just now."""
    missing = _wishes(observed or seen(bench))
    modules = {name: frozenset(w for w in wishes if w[0] == "module") for name, wishes in missing.items()}
    wishes = {name: missing[name] - modules[name] for name in missing}
    # Both at once: to log in costs an emulated router more than to look.
    texts = bench.both(_MANAGED + foreign.SCRIPT)
    managed = {name: text.partition("[digests]\n")[0] for name, text in texts.items()}
    return Held(wishes, modules, managed, {name: foreign.read(text) for name, text in texts.items()})


def _wishes(observed: Mapping[str, Observed]) -> Wishes:
    """What is missing on each router."""
    return {
        name: frozenset((d.kind, d.key) for d in diff(desired(GUIDE, found), found)) for name, found in observed.items()
    }


def seen(bench: Bench) -> dict[str, Observed]:
    with connected(bench.job().routers, LIMITS) as pair:
        return look(pair)


def rest(bench: Bench) -> dict[str, Observed]:
    """What is seen of the routers once both can be asked and no guard waits any more."""
    end = time.monotonic() + _REST_SECONDS
    while (observed := _at_rest(bench)) is None:
        assert time.monotonic() < end, "a router did not come to rest"
        time.sleep(3)
    return observed


def _at_rest(bench: Bench) -> dict[str, Observed] | None:
    try:
        with connected(bench.job().routers, LIMITS) as pair:
            guards = [ask(remote) for remote in pair.values()]
            if any(g.armed or g.owner for g in guards):
                return None
            observed = look(pair)
    except WorkError:
        return None
    through_boot = all(found.unit("keepalived.service").active == "active" for found in observed.values())
    return observed if through_boot else None


def judge(
    bench: Bench, before: Held, observed: Mapping[str, Observed], *, booted: bool = False
) -> tuple[Literal["old", "new"], Held]:
    """What both routers wholly hold at rest. AssertionError for anything in between or foreign."""
    now = held(bench, observed)
    state: Literal["old", "new"]
    if now.new:
        state = "new"
    else:
        state = "old"
        assert now.wishes == before.wishes, {name: now.wishes[name] ^ before.wishes[name] for name in now.wishes}
        assert now.managed == before.managed, [*_lines(before.managed, now.managed)]
    return state, replace(now, foreign=_untouched(bench, before.foreign, now.foreign, booted=booted))


def _lines(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    """Where two looks differ."""
    for name, text in now.items():
        pairs = unified_diff(before[name].splitlines(), text.splitlines(), name, name, n=0, lineterm="")
        yield from islice(pairs, 20)


def _untouched(bench: Bench, before: Foreign, now: Foreign, *, booted: bool) -> Foreign:
    """What is foreign at last. Files stay always; what others merely run is lost by a boot, and may be late after a
    restart."""
    end = time.monotonic() + 80
    while left := _foreign_changes(before, now, booted=booted):
        assert time.monotonic() < end, left
        time.sleep(2)
        now = bench.foreign()
    return now


def _foreign_changes(before: Foreign, now: Foreign, *, booted: bool) -> list[str]:
    found = []
    for name, look_now in now.items():
        was = before[name]
        kept = replace(look_now, **{part: getattr(was, part) for part in _RUNNING}) if booted else look_now
        found += foreign.changes(was, kept)
    return found


def retried(bench: Bench) -> Outcome:
    """The next apply, as soon as SSH lets anybody in; that FTP works then is shown elsewhere, and takes its time."""
    end = time.monotonic() + 240
    while True:
        try:
            return bench.apply(probe=None)
        except (WorkError, AssertionError):
            if time.monotonic() > end:
                raise
            time.sleep(3)
