"""The way of a connection: hops in order, and what comes out of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from lbftp.core.path.rules import CLIENT_PORTS, Packet
from lbftp.core.path.state import Redirect, State

# The truth table's words. unreachable: the client was handed an address that is not the VIP. 'unknown' is ours: the way
# goes on, as far as can be told, past something that could not be evaluated.
Outcome = Literal["ok", "unreachable", "refused", "timeout", "unknown"]
Hops = Iterator["Hop"]

CLIENT: Final = "client"
SERVER: Final = "real server"
MANGLE: Final = "router, mangle PREROUTING"
IPVS: Final = "router, IPVS"
NAT: Final = "router, nat POSTROUTING"
HELPER: Final = "router, ip_vs_ftp"
ROUTING: Final = "router, routing"


@dataclass(frozen=True, slots=True)
class Hop:
    """`what` happens here, as a sentence. `by` is what decides: a rule's text, a module, a sysctl, a setting.

    `outcome` is 'ok' where the way goes on. `carries`: the mode stands on it.
    """

    where: str
    what: str
    outcome: Outcome = "ok"
    carries: bool = False
    by: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"where": self.where, "what": self.what, "by": self.by, "ok": self.outcome == "ok"}


@dataclass(frozen=True, slots=True)
class Prediction:
    """What becomes of a client that uses one mode, the sentence that decides it, and the way up to there."""

    outcome: Outcome
    reason: str
    hops: tuple[Hop, ...]

    @property
    def works(self) -> bool:
        return self.outcome == "ok"

    def to_json(self) -> dict[str, Any]:
        return {"outcome": self.outcome, "reason": self.reason, "hops": [h.to_json() for h in self.hops]}


def walk(way: Iterable[Hop]) -> Prediction:
    """Goes along `way` until it stops; what would come afterwards is never asked."""
    hops: list[Hop] = []
    for hop in way:
        hops.append(hop)
        if hop.outcome not in {"ok", "unknown"}:
            return Prediction(hop.outcome, hop.what, tuple(hops))
    if doubts := [h.what for h in hops if h.outcome == "unknown"]:
        return Prediction("unknown", " ".join(doubts), tuple(hops))
    carrying = [h.what for h in hops if h.carries] or [h.what for h in hops[-1:]]
    return Prediction("ok", " ".join(carrying), tuple(hops))


def passes(state: State, chain: str, packet: Packet, name: str) -> Hops:
    """The filter's chains there. A rejected opening packet is answered at once; what else is lost is waited for."""
    for found in state.filters_of(chain):
        verdict, why = found.verdict(packet)
        where = f"router, {found.place}"
        by = why.removeprefix("rule `").removesuffix("`").removesuffix(", and no rule accepts it")
        if verdict == "ACCEPT":
            yield Hop(where, f"Lets {name} pass: {why.removesuffix(', and no rule accepts it')}.", by=by)
            continue
        word = "rejects" if verdict == "REJECT" else "drops"
        outcome: Outcome = "refused" if verdict == "REJECT" and packet.syn else "timeout"
        yield Hop(where, f"Filter chain {found.name} {word} {name}: {why}{_hint(packet)}.", outcome, by=by)


def _hint(packet: Packet) -> str:
    """What people overlook about the packet's state."""
    if packet.tracked == "INVALID":
        return (
            " (to connection tracking it is INVALID: IPVS leaves connections untracked that are not the helper's, "
            "unless net.ipv4.vs.conntrack=1)"
        )
    if packet.syn and packet.source == "server":
        return " (a new connection of the server's own: neither ESTABLISHED nor RELATED)"
    return ""


def request(state: State, dport: int, name: str, *, known: bool, opening: bool = True) -> Hops:
    """A client's packet through INPUT: the VIP is the router's own, so INPUT comes before IPVS (truth 8).

    `known`: an earlier packet of the connection is in connection tracking.
    """
    mark = state.mark if state.gets_mark(dport) else 0
    packet = Packet("client", CLIENT_PORTS[0], "vip", dport, "ESTABLISHED" if known else "NEW", opening, mark, "public")
    yield from passes(state, "INPUT", packet, name)


def to_server(state: State, dport: int, name: str, *, known: bool) -> Hops:
    """What IPVS sends on leaves through LOCAL_OUT, not through FORWARD (ip_vs_nat_send_or_cont in ip_vs_xmit.c)."""
    mark = state.mark if state.gets_mark(dport) else 0
    packet = Packet("client", CLIENT_PORTS[0], "server", dport, "ESTABLISHED" if known else "NEW", not known, mark)
    yield from passes(state, "OUTPUT", replace(packet, outward="internal"), name)


def answers(state: State, sport: int, name: str, *, tracked: bool) -> Hops:
    """The server's answers, with NAT through the router's FORWARD; else they go to the client directly.

    A connection that IPVS does not track (ip_vs_notrack in ip_vs_xmit.c) has no entry that its first answer, a SYN+ACK,
    could belong to: that is INVALID. Later packets look like new connections, picked up in the middle.
    """
    if not state.nat:
        by = f"forwarding {state.method}"
        yield Hop(SERVER, f"Answers the client directly, from the VIP ({state.method}).", by=by)
        return
    yield Hop(SERVER, "Answers by its default route, through the router.", by="default route")
    if not state.ip_forward:
        key = "net.ipv4.ip_forward" if state.ip == 4 else "net.ipv6.conf.all.forwarding"
        what = f"{key}=0: the router does not forward the real server's answers."
        yield Hop(ROUTING, what, "timeout", by=f"{key}=0")
    first = Packet("server", sport, "client", CLIENT_PORTS[0], "ESTABLISHED", False, 0, "internal", "public")
    yield from passes(state, "FORWARD", first if tracked else replace(first, tracked="INVALID"), f"answers of {name}")
    if not tracked:
        yield from passes(state, "FORWARD", replace(first, tracked="NEW"), f"data of {name}")


def redirected(state: State, past: Redirect, port: int, listens: int) -> Hops:
    """What a rule of nat PREROUTING makes of packets for VIP:`port`; the server would be listening on `listens`.

    Only a real server can answer as the cluster's FTP server, and only with NAT: its answers go back through the
    router's FORWARD, as the tracked connection's. Whether another machine has an FTP server is not the cluster's.
    """
    where, name = f"router, {past.where}", f"VIP:{port}"
    if past.to == "router":
        there = f"port {past.port} of the router itself" if past.port else "the router itself"
        what = f"A rule sends {name} to {there}, so that no real server gets it as it is: `{past.rule}`."
        yield Hop(where, what, "refused", by=past.rule)
    if past.to == "elsewhere" or not state.nat:
        what = f"A rule sends {name} to {past.address or 'another address'}, past IPVS: `{past.rule}`."
        yield Hop(where, what, "timeout", by=past.rule)
    if past.port and past.port != listens:
        what = f"A rule sends {name} to port {past.port} of a real server, which listens on {listens}: `{past.rule}`."
        yield Hop(where, what, "refused", by=past.rule)
    yield Hop(where, f"A rule sends {name} to the real server {past.address}, past IPVS.", by=past.rule)
    first = Packet("client", CLIENT_PORTS[0], "server", listens, "NEW", True, 0, "public", "internal")
    for hop in passes(state, "FORWARD", first, f"packets for {name}, which go to {past.address}"):
        # That they pass there at all is the rule's doing.
        lost = replace(hop, where=where, what=f"{hop.what} They go there because of `{past.rule}`.", by=past.rule)
        yield hop if hop.outcome == "ok" else lost
    yield from answers(state, listens, f"the connection to {name}", tracked=True)
    later = replace(first, tracked="ESTABLISHED", syn=False)
    yield from passes(state, "FORWARD", later, f"further packets for {name}")
