"""One router as an import looks at it, and the services on it that look like FTP clusters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from lbftp.core.importing import nft_rules, rules
from lbftp.core.importing.rules import Marking, WayOut
from lbftp.core.importing.values import Leftover
from lbftp.core.observe.errors import ObserveError
from lbftp.core.observe.ipvs import Service, fwmark
from lbftp.core.observe.keepalived import MAIN
from lbftp.core.observe.keepalived.records import Meaning, VirtualServer
from lbftp.core.observe.keepalived.tree import Config, read
from lbftp.core.observe.keepalived.typed import meaning
from lbftp.core.observe.observed import Observed
from lbftp.core.ours import INCLUDE_DIR

# RFC 959 and RFC 4217; ports of the helper module join them.
FTP_PORTS: Final = frozenset({21, 990})
_OWN_FILE: Final = re.compile(re.escape(INCLUDE_DIR) + r"/([a-z][a-z0-9-]{0,15})\.conf")
_OPTION: Final = re.compile(r"^\s*options\s+ip_vs_ftp\s.*\bports=([0-9,]{1,60})", re.MULTILINE)
# A mark for a few well-known ports at a time (`--dport 20:21`) means single ports, not a passive range.
_UNPRIVILEGED: Final = 1024


@dataclass(frozen=True, slots=True)
class Seen:
    """A router's parts. `left` is what could not be read at all."""

    observed: Observed
    config: Config
    meaning: Meaning
    markings: list[Marking]
    ways_out: list[WayOut]
    helper_ports: frozenset[int]
    left: list[Leftover] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A service that looks like FTP: by mark, or (mark None) by address and port.

    `markings` are the rules that count, `saved` those that merely say the same. `own` is its name if lbftp rendered it.
    """

    mark: int | None
    services: tuple[VirtualServer, ...]
    kernel: tuple[Service, ...]
    markings: tuple[Marking, ...]
    own: str = ""
    saved: tuple[Marking, ...] = ()

    @property
    def singles(self) -> tuple[int, ...]:
        """Ports marked one by one, in the order of the rules."""
        ranges = (r for m in self.markings for r in m.ports)
        ports = [p for low, high in ranges if low == high or high < _UNPRIVILEGED for p in range(low, high + 1)]
        return tuple(dict.fromkeys(ports))

    @property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        found = [r for m in self.markings for r in m.ports if r[0] != r[1] and r[1] >= _UNPRIVILEGED]
        return tuple(dict.fromkeys(found))


def see(observed: Observed) -> Seen:
    """Raises nothing: a configuration that cannot be read counts as empty, and is left over."""
    config_id = observed.facts.hostname.partition(".")[0]
    left: list[Leftover] = []
    config = Config(())
    try:
        config = read(observed.files, MAIN, config_id)
        left += [
            Leftover(
                r.text,
                "what it decides here was read for this router's host name: compare",
                observed.router,
                r.file,
                r.line,
            )
            for r in config.remarks
        ]
    except ObserveError as error:
        left.append(Leftover("keepalived's configuration", f"cannot be read: {error}", observed.router, error.part))
    marked = [*rules.markings(observed), *nft_rules.markings(observed)]
    out = [*rules.ways_out(observed), *nft_rules.ways_out(observed)]
    return Seen(observed, config, meaning(config), marked, out, _helper_ports(observed), left)


def _helper_ports(observed: Observed) -> frozenset[int]:
    """What ip_vs_ftp watches: as it is loaded, else as its options say, else 21 (the module's default)."""
    texts = [observed.module_parameters.get("ip_vs_ftp.ports", "")]
    files = (text for path, text in observed.files.items() if text and "modprobe" in path)
    texts += [found for text in files for found in _OPTION.findall(text)]
    given = next((text for text in texts if text.strip(", ")), "21")
    return frozenset(int(word) for word in given.split(",") if word.strip().isascii() and word.strip().isdigit())


def candidates(seen: Seen) -> list[Candidate]:
    """FTP services of the router, those with marks first, by mark."""
    by_mark = _services_by_mark(seen)
    kernel = {m for m in (_kernel_mark(key) for key in seen.observed.services) if m is not None}
    marks = sorted({*by_mark, *kernel, *(m.mark for m in seen.markings)})
    found = [_candidate(seen, mark, by_mark.get(mark, ())) for mark in marks]
    marked = [c for c in found if _is_ftp(seen, c)]
    covered: set[object] = {m.address for c in marked for m in c.markings}
    return [*marked, *_by_port(seen, covered)]


def _services_by_mark(seen: Seen) -> dict[int, tuple[VirtualServer, ...]]:
    found: dict[int, tuple[VirtualServer, ...]] = {}
    for server in seen.meaning.virtual_servers:
        in_group = seen.meaning.mark_groups.get(server.group, ()) if server.kind == "group" else ()
        for mark in (server.mark,) if server.mark is not None else in_group:
            found[mark] = (*found.get(mark, ()), server)
    return found


def _kernel_mark(key: str) -> int | None:
    words = key.split()
    return int(words[1]) if words[0] == "fwmark" and words[1].isascii() and words[1].isdigit() else None


def _candidate(seen: Seen, mark: int, services: tuple[VirtualServer, ...]) -> Candidate:
    marked = tuple(m for m in seen.markings if m.mark == mark)
    running = tuple(m for m in marked if m.origin == "running")
    kernel = tuple(s for f in (4, 6) if (s := seen.observed.services.get(fwmark(mark, 6 if f == 6 else 4))))
    saved = tuple(m for m in marked if m.origin == "saved") if running else ()
    return Candidate(mark, services, kernel, running or marked, _own_name(services, marked), saved)


def _own_name(services: tuple[VirtualServer, ...], marked: tuple[Marking, ...]) -> str:
    """The cluster that lbftp made this for, '' if a person did."""
    files = (_OWN_FILE.fullmatch(s.block.file) for s in services)
    names = [m[1] for m in files if m] + [m.own for m in marked if m.own and not services]
    return names[0] if names else ""


def _is_ftp(seen: Seen, candidate: Candidate) -> bool:
    """By a marked control port; where nothing is marked, by the port that is checked."""
    if candidate.own:
        return True
    known = FTP_PORTS | seen.helper_ports
    if candidate.markings:
        return any(p in known for p in candidate.singles)
    checks = (c for s in candidate.services for r in s.real_servers for c in r.checks)
    ports = {c.connect_port for c in checks} | {r.port for s in candidate.services for r in s.real_servers}
    return bool(ports & known)


def _by_port(seen: Seen, covered: set[object]) -> Iterator[Candidate]:
    """Services by address and control port that no marked cluster has already."""
    known = FTP_PORTS | seen.helper_ports
    for server in seen.meaning.virtual_servers:
        other = any(o.name == "protocol" and o.words[1:] and o.words[1].upper() != "TCP" for o in server.others)
        if server.kind == "address" and server.port in known and server.address not in covered and not other:
            yield Candidate(None, (server,), (), ())
