"""What lbftp knows of a cluster -> State: what its spec promises, and what a router of it really has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final, Literal

from lbftp.core.ftp.server import FtpServer
from lbftp.core.observe.iptables import Ruleset
from lbftp.core.observe.ipvs import Service, fwmark
from lbftp.core.observe.observed import Observed
from lbftp.core.path.native import Native, Packets, native
from lbftp.core.path.redirects import Chains, Door, redirects, whose_address
from lbftp.core.path.rules import (
    CLIENT_PORTS,
    Filter,
    Line,
    Names,
    Packet,
    Ports,
    about,
    chain,
    ports_named,
    ports_of,
    run,
    tracking_rule,
)
from lbftp.core.path.servers import with_servers
from lbftp.core.path.state import CONTROL, State, Texts
from lbftp.core.promise import Client, data_port, data_ports, marked_data_ports
from lbftp.core.render import iptables, kernel
from lbftp.core.spec import ClusterSpec, Family, Side

_CHAINS: Final = ("INPUT", "FORWARD", "OUTPUT")


def usual_client(spec: ClusterSpec) -> Client:
    """A plain client of the cluster's first IP version at its usual port; of its TLS port if it has no other."""
    side = spec.sides[0]
    return Client("epsv", side.family, "none" if spec.control_ports else "implicit", spec.control_port)


def state_from_spec(spec: ClusterSpec, client: Client | None = None, servers: Sequence[FtpServer] = ()) -> State:
    """What every router of the cluster has once it is applied, with filters that let everything pass.

    `client` is the kind that comes (its mode does not matter; None: `usual_client`). `servers` are readings of the FTP
    servers' configurations; without any they are as the spec wants them. KeyError: the cluster lacks the IP version.
    """
    client = client or usual_client(spec)
    side = _side(spec, client.family)
    here = spec.servers(client.family)
    state = State(
        mark=spec.mark,
        method=spec.forwarding,
        servers=sum(s.weight > 0 for s in here),
        draining=sum(s.weight == 0 and not s.disabled for s in here),
        persistence=spec.persistence_timeout > 0,
        control_port=client.port,
        marked=_promised_marks(spec),
        passive=Ports(spec.passive.low, spec.passive.high),
        pasv_address="VIP" if spec.mode == "advertise" and spec.nat else None,
        data_port=data_port(client.port),
        helper=spec.mode == "helper",
        helper_ports=spec.control_ports,
        tls=client.tls,
        ip=client.family,
        pinned=client.pinned,
    )
    state = with_servers(state, servers, str(side.vip), _own(spec, side))
    rule = _promised_nat(spec)
    covered = state.data_port in data_ports(spec)
    return replace(
        state,
        source_nat=rule if covered else "",
        conntrack=bool(rule) and not covered,
        texts=_rendered(spec, client.family, state.from_port),
    )


def state_from_observed(
    spec: ClusterSpec, observed: Observed, client: Client | None = None, servers: Sequence[FtpServer] = ()
) -> State:
    """What `observed` has now for `spec`; `client` and `servers` as in `state_from_spec`.

    The state is that of the router as if it held the VIP, also on the backup. What could not be read
    (`observed.others`) counts as absent: look there first. Raises KeyError for a router that is not the cluster's, or
    an IP version that the cluster lacks.
    """
    client = client or usual_client(spec)
    side = _side(spec, client.family)
    names = names_of(spec, side, observed)
    state = state_from_spec(spec, client)
    forward = "net.ipv4.ip_forward" if client.family == 4 else "net.ipv6.conf.all.forwarding"
    state = replace(
        state,
        helper="ip_vs_ftp" in observed.modules,
        helper_ports=_helper_ports(observed),
        helper_extended=kernel.extended_helper(observed.facts.kernel),
        vs_conntrack=observed.sysctls.get("net.ipv4.vs.conntrack") == "1",
        expire_quiescent=observed.sysctls.get("net.ipv4.vs.expire_quiescent_template") == "1",
        ip_forward=observed.sysctls.get(forward) == "1",
    )
    state = with_servers(_with_service(state, side, observed), servers, str(side.vip), _own(spec, side))
    return _with_rules(state, observed, names, str(side.vip))


def _rendered(spec: ClusterSpec, family: Family, port: int) -> Texts:
    """The rules that a router of the cluster gets, in iptables' words; `port` is where active connections come from."""
    if not spec.routers:
        return Texts()
    rules = [r for own in iptables.chains(spec, spec.routers[0], Ruleset(), family) for r in own.rules]
    marks = [(p, r.text) for r in rules if r.target == "MARK" for p in ports_of(r, "--dport")]
    nat = (r.text for r in rules if r.target != "MARK" and any(port in p for p in ports_of(r, "--sport")))
    return Texts(tuple(marks), next(nat, ""))


def _side(spec: ClusterSpec, family: Family) -> Side:
    for side in spec.sides:
        if side.family == family:
            return side
    raise KeyError(family)


def _own(spec: ClusterSpec, side: Side) -> frozenset[str]:
    return frozenset(str(s.at(side.family)) for s in spec.servers(side.family))


def _promised_marks(spec: ClusterSpec) -> tuple[Ports, ...]:
    ports = (*spec.ports, *marked_data_ports(spec))
    return (*(Ports(port, port) for port in ports), Ports(spec.passive.low, spec.passive.high))


def _promised_nat(spec: ClusterSpec) -> Literal["", "MASQUERADE", "SNAT"]:
    if not spec.nat or spec.active == "none":
        return ""
    return "SNAT" if spec.active == "snat" else "MASQUERADE"


def _with_rules(state: State, observed: Observed, names: Names, vip: str) -> State:
    """The packet filter's part: iptables' rules of the IP version, and nftables' own tables beside them."""
    rules = observed.running if state.ip == 4 else observed.running6
    marking = chain(rules, "mangle", "PREROUTING", names)
    ours = _ours(state)
    beside = native(observed.nft, rules, Packets(state.ip, names, ours))
    nat, text, to = _source_nat(chain(rules, "nat", "POSTROUTING", names), beside, state.from_port)
    tracking = tracking_rule(rules) or beside.tracking
    marked = _marked((*marking, *beside.marking), state.mark)
    ports = tuple(ports for ports, _ in marked)
    concerned = (Ports(state.control_port, state.control_port), state.passive)
    door = Door(concerned, ports, state.mark, whose_address(names, observed.holds))
    return replace(
        state,
        marked=ports,
        redirects=redirects(nat_in(rules, beside, names), door),
        source_nat=nat,
        snat_to="VIP" if to in ("", vip) else to,
        conntrack=bool(tracking),
        filters=(*(_filter(rules, name, names, ours) for name in _CHAINS), *beside.filters),
        unread=beside.unread,
        texts=Texts(marked, text, tracking),
    )


def nat_in(rules: Ruleset, beside: Native, names: Names) -> Chains:
    """The nat chains that a client's first packet passes."""
    return (("nat PREROUTING", chain(rules, "nat", "PREROUTING", names)), *beside.prerouting)


def _ours(state: State) -> tuple[Ports, ...]:
    """The ports that occur in the packets that are followed."""
    single = (state.control_port, state.server_port, state.from_port, state.control_port - 1, *CLIENT_PORTS)
    return (*(Ports(p, p) for p in single), state.passive)


def _filter(rules: Ruleset, name: str, names: Names, ours: Sequence[Ports]) -> Filter:
    policy = "DROP" if rules.policy("filter", name) == "DROP" else "ACCEPT"
    return Filter(name, policy, about(chain(rules, "filter", name, names), ours))


def _with_service(state: State, side: Side, observed: Observed) -> State:
    """The mark's service goes before one for the VIP itself (ip_vs_service_find in ip_vs_ctl.c)."""
    if service := observed.services.get(fwmark(state.mark, side.family)):
        return _serving(replace(state, service="fwmark"), service)
    vip = str(side.vip) if side.family == 4 else f"[{side.vip}]"
    if service := observed.services.get(f"tcp {vip}:{state.control_port}"):
        return _serving(replace(state, service="port"), service)
    return replace(state, service="none")


def _serving(state: State, service: Service) -> State:
    used = [d for d in service.destinations if d.weight > 0]
    method = next((d.method for d in (*used, *service.destinations)), "NAT")
    return replace(
        state,
        servers=len(used),
        draining=len(service.destinations) - len(used),
        persistence=service.persistence > 0,
        method="DR" if method == "DR" else "TUN" if method == "TUN" else "NAT",
        real_port=next((d.port for d in used if d.port), 0) if method == "NAT" else 0,
    )


def names_of(spec: ClusterSpec, side: Side, observed: Observed) -> Names:
    router = spec.router(observed.router)
    own = (router.public(side.family), router.internal(side.family))
    servers = (s.at(side.family) for s in spec.servers(side.family))
    return Names(
        addresses={
            "vip": (side.vip,),
            "router": tuple(a.ip for a in own if a is not None),
            "server": tuple(a for a in servers if a is not None),
        },
        interfaces={"public": router.public_interface, "internal": router.internal_interface},
    )


def _helper_ports(observed: Observed) -> tuple[int, ...]:
    """The module's `ports=` as /sys/module/ip_vs_ftp/parameters/ports shows it; 21 where that is not known."""
    text = observed.module_parameters.get("ip_vs_ftp.ports", "")
    return tuple(int(p) for p in re.findall("[0-9]{1,5}", text) if int(p)) or (CONTROL,)


def _marked(lines: Sequence[Line], mark: int) -> tuple[tuple[Ports, str], ...]:
    """The VIP's ports that leave mangle PREROUTING with the cluster's mark, each with the rule that did it."""
    starts = sorted({0, 65536} | {n for p in ports_named(lines, "dport") for n in (p.low, p.high + 1) if n < 65536})
    found: list[tuple[Ports, str]] = []
    for low, following in pairwise(starts):
        packet, _ = run(lines, Packet("client", CLIENT_PORTS[0], "vip", low, inward="public"))
        if packet.mark != mark:
            continue
        joined = bool(found) and found[-1][0].high + 1 == low and found[-1][1] == packet.marker
        begin = found.pop()[0].low if joined else low
        found.append((Ports(begin, following - 1), packet.marker))
    return tuple(found)


def _source_nat(lines: Sequence[Line], beside: Native, port: int) -> tuple[Literal["", "MASQUERADE", "SNAT"], str, str]:
    """What nat POSTROUTING does to a server's own connection from `port`: (how, the rule, SNAT's address)."""
    packet = Packet("server", port, "client", CLIENT_PORTS[1], inward="", outward="public")
    for found in (lines, beside.postrouting):
        _, end = run(found, packet)
        if end is not None and end.target == "SNAT":
            return "SNAT", end.text, end.to
        if end is not None and end.target == "MASQUERADE":
            return "MASQUERADE", end.text, ""
    return "", "", ""
