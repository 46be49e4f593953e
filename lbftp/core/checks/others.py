"""Rules of others that stand before ours and win, in what runs and in what a boot loads; and who else uses our mark."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from lbftp.core.checks.consequence import failing, kinds
from lbftp.core.findings import Finding, finding
from lbftp.core.observe.iptables import Ruleset
from lbftp.core.observe.observed import Observed
from lbftp.core.path import Explanation
from lbftp.core.path.known import names_of, nat_in, state_from_observed, usual_client
from lbftp.core.path.native import Native, Packets, native
from lbftp.core.path.redirects import takes
from lbftp.core.path.rules import CLIENT_PORTS, Line, Names, Packet, chain, ports_named, run, single
from lbftp.core.render import desired, iptables
from lbftp.core.render.accepts import marked_ports
from lbftp.core.spec import ClusterSpec, Family, Side

_FWMARK: Final = re.compile(r"\bfwmark (0x[0-9a-f]{1,8}|[0-9]{1,10})(?:/(0x[0-9a-f]{1,8}))?")
# So many ports are followed at most; rules rarely divide the range into more parts.
_PORTS: Final = 24


def check(spec: ClusterSpec, observed: Observed) -> Iterator[Finding]:
    for side in spec.sides:
        place = _running(spec, side, observed)
        if _ours_in_step(spec, observed, side.family, "mangle"):
            yield from place.marking()
        yield from place.redirecting()
        yield from place.untracking()
    yield from _dropping(spec, observed)
    yield from _source(spec, observed)
    if observed.firewall == "iptables":
        yield from _saved(spec, observed)
    yield from _routing(spec, observed)


def _ours_in_step(spec: ClusterSpec, observed: Observed, family: Family, table: str) -> bool:
    """Whether the running rules of that table are as wanted, so that whatever goes wrong there is others'."""
    wanted = [c for c in desired(spec, observed).chains_of(family) if c.table == table]
    return bool(wanted) and all(iptables.in_step(own, observed.rules(family)) for own in wanted)


def _accepts(spec: ClusterSpec, observed: Observed, family: Family) -> bool:
    """Whether all accepts of ours that this router needs are there."""
    wanted = [c for c in desired(spec, observed).chains_of(family) if c.table == "filter"]
    return all(iptables.in_step(own, observed.rules(family)) for own in wanted)


def _running(spec: ClusterSpec, side: Side, observed: Observed) -> _Place:
    rules, names = observed.rules(side.family), names_of(spec, side, observed)
    beside = native(observed.nft, rules, Packets(side.family, names, ()))
    return _Place(spec, side, observed.router, rules, names, beside)


@dataclass(frozen=True, slots=True)
class _Place:
    """One IP version of the cluster on one router, and its rules there; `beside` are nftables' own."""

    spec: ClusterSpec
    side: Side
    router: str
    rules: Ruleset
    names: Names
    beside: Native

    def marking(self) -> Iterator[Finding]:
        """Each rule because of which ports of the VIP leave mangle PREROUTING without the mark."""
        lines = chain(self.rules, "mangle", "PREROUTING", self.names)
        culprits: dict[tuple[str, str], list[int]] = {}
        for port in self._ports(lines):
            packet, end = run(lines, self._packet(port))
            if packet.mark != self.spec.mark and (blame := _culprit(lines, self._packet(port), packet, end)):
                culprits.setdefault(blame, []).append(port)
        for (code, text), ports in culprits.items():
            yield self._finding(code, "mangle PREROUTING", text, ports)

    def redirecting(self) -> Iterator[Finding]:
        chains = nat_in(self.rules, self.beside, self.names)
        culprits: dict[tuple[str, str], list[int]] = {}
        for port in self._ports([line for _, lines in chains for line in lines]):
            if found := takes(chains, replace(self._packet(port), mark=self.spec.mark)):
                culprits.setdefault((found[0], found[1].text), []).append(port)
        for (where, text), ports in culprits.items():
            yield self._finding("rule-redirects", where, text, ports)

    def untracking(self) -> Iterator[Finding]:
        found = self.rules.chain("raw", "PREROUTING")
        for rule in found.rules if found and self.spec.mode == "helper" else ():
            if rule.target == "NOTRACK" or (rule.target == "CT" and "--notrack" in rule.tokens):
                one = single(rule, self.names)
                if any(one.matches(self._packet(port)) for port in self.spec.ports):
                    yield self._finding("rule-untracks", "raw PREROUTING", rule.text, [])

    def _ports(self, lines: Sequence[Line]) -> list[int]:
        """Marked ports, and those where rules begin or end: what holds for these holds for all."""
        ends = [int(n) for text in marked_ports(self.spec) for n in text.split(":")]
        named = [n for p in ports_named(lines, "dport") for n in (p.low - 1, p.low, p.high, p.high + 1)]
        inside = [n for n in named if n in self.spec.passive]
        return sorted({*ends, *inside})[:_PORTS]

    def _packet(self, port: int) -> Packet:
        return Packet("client", CLIENT_PORTS[0], "vip", port, inward="public")

    def _finding(self, code: str, where: str, text: str, ports: list[int]) -> Finding:
        version = " (IPv6)" if self.side.family == 6 else ""
        told = f"port {', '.join(map(str, ports))}" if len(ports) < 4 else f"ports {ports[0]} to {ports[-1]}"
        return finding(code, self.router, "", text, where=f"{where}{version}", ports=told)


def _culprit(lines: tuple[Line, ...], packet: Packet, after: Packet, end: Line | None) -> tuple[str, str] | None:
    """(code, rule) of what kept the mark away, which is in nothing of ours."""
    if after.marker:
        return "rule-marks-over", after.marker
    if end is not None:
        return "rule-takes-first", end.text
    back = next((one.text for one in lines if one.target == "RETURN" and one.matches(packet)), "")
    return ("rule-takes-first", back) if back else None


def _blocking(found: list[Explanation]) -> Mapping[tuple[str, str], list[Explanation]]:
    """Predictions that end in a filter, by (the chain, what drops there)."""
    stopped: dict[tuple[str, str], list[Explanation]] = {}
    for one in found:
        last = one.prediction.hops[-1]
        if "Filter chain" in last.what:
            stopped.setdefault((last.where.removeprefix("router, "), last.by), []).append(one)
    return stopped


def _dropping(spec: ClusterSpec, observed: Observed) -> Iterator[Finding]:
    """Where our accepts are missing, a rule that drops what is left over is not to blame."""
    for (where, by), found in _blocking(failing(spec, observed)).items():
        if not by.startswith("policy") and all(_accepts(spec, observed, one.client.family) for one in found):
            yield finding("rule-drops", observed.router, "", by, where=where, kinds=kinds(spec, found))


def _source(spec: ClusterSpec, observed: Observed) -> Iterator[Finding]:
    """Ours is there, and another rule has the servers' own connections."""
    if not spec.nat or spec.active == "none":
        return
    for side in spec.sides:
        if not _ours_in_step(spec, observed, side.family, "nat"):
            continue
        client = replace(usual_client(spec), family=side.family)
        text = state_from_observed(spec, observed, client).texts.source_nat
        if iptables.own_name(spec.name) not in text:
            found = text or "a rule that ends the way there"
            yield finding("rule-takes-source", observed.router, "ours", found, where="nat POSTROUTING")


def _saved(spec: ClusterSpec, observed: Observed) -> Iterator[Finding]:
    """The same with the saved rules in place of those that run, where that makes a difference."""
    now = {e.client for e in failing(spec, observed)}
    running = {rule.tokens for family in (observed.running, observed.running6) for _, _, rule in family.rules()}
    later = replace(observed, running=observed.saved, running6=observed.saved6, nft=None)
    for side in spec.sides:
        path = observed.facts.saved_path(side.family)
        if not _saved_in_step(spec, later, side.family):
            continue
        place = _running(spec, side, later)
        for one in (*place.marking(), *place.redirecting()):
            if single_tokens(one.found, later.rules(side.family)) not in running:
                yield finding("saved-rule-wins", observed.router, "", one.found, path=path, kinds="all modes")
        lost = [e for e in failing(spec, later) if e.client.family == side.family and e.client not in now]
        for (_, by), found in _blocking(lost).items():
            yield finding("saved-rule-wins", observed.router, "", by, path=path, kinds=kinds(spec, found))


def _saved_in_step(spec: ClusterSpec, later: Observed, family: Family) -> bool:
    """Marks and way out are saved; accepts may be missing, which is the point where the saved policy drops."""
    names = {"mangle", "nat"}
    wanted = [c for c in desired(spec, later).chains_of(family) if c.table in names]
    return bool(wanted) and all(iptables.in_step(own, later.rules(family)) for own in wanted)


def single_tokens(text: str, ruleset: Ruleset) -> tuple[str, ...]:
    """The normal form of the rule that is printed so; () if there is none."""
    return next((rule.tokens for _, _, rule in ruleset.rules() if rule.text == text), ())


def _routing(spec: ClusterSpec, observed: Observed) -> Iterator[Finding]:
    for line in observed.beside.routing:
        found = _FWMARK.search(line)
        if found and int(found[1], 0) == spec.mark & int(found[2] or "0xffffffff", 16):
            yield finding("mark-routed", observed.router, "", line, mark=spec.mark)
