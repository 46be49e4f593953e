"""State -> what becomes of each kind of client, by following its packets through a model of the kernel.

Names of kernel sources are those of Linux 6.1, under net/netfilter/ipvs; truths are the measured ones in docs/why.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final, Literal

from lbftp.core.path.hops import (
    CLIENT,
    HELPER,
    IPVS,
    MANGLE,
    NAT,
    SERVER,
    Hop,
    Hops,
    Prediction,
    answers,
    passes,
    redirected,
    request,
    to_server,
    walk,
)
from lbftp.core.path.rules import CLIENT_PORTS, Packet
from lbftp.core.path.state import CONTROL, DATA, Redirect, State
from lbftp.core.promise import PASSIVE, Mode

# Ports below are not for data (inet_port_requires_bind_service; net.ipv4.ip_unprivileged_port_start).
_UNPRIVILEGED: Final = 1024
# So many ports of the passive range are followed at most; marks and rules rarely have more edges.
_PORTS: Final = 24


@dataclass(frozen=True, slots=True)
class Landing:
    """Where IPVS sends a connection that nothing has prepared. `where` 'router': IPVS leaves it to the router."""

    where: Literal["same", "other", "router", "nobody"]
    port: int
    why: str
    by: str = ""


def predict(state: State) -> Mapping[Mode, Prediction]:
    """For each mode that exists over the IP version. The VIP is taken to be held by this router."""
    return {mode: predict_mode(state, mode) for mode in state.modes}


def predict_mode(state: State, mode: Mode) -> Prediction:
    """For one mode. Raises KeyError for one that does not exist over the IP version."""
    if mode not in state.modes:
        raise KeyError(mode)
    return _passive(state, mode) if mode in PASSIVE else walk(_active(state, mode))


def _passive(state: State, mode: Mode) -> Prediction:
    """The worst of the passive range: a mode works if it works on every port that a server may choose."""
    control = walk(_control(state))
    if control.outcome not in {"ok", "unknown"}:
        return control
    edges = state.edges()
    ports = [*edges[: _PORTS - 1], edges[-1]]
    found = [walk(chain(control.hops, _passive_by(state, mode, port))) for port in ports]
    return next((p for p in found if not p.works), found[0])


def _control(state: State) -> Hops:
    """The control connection, there and back."""
    port, name = state.control_port, f"VIP:{state.control_port}"
    yield Hop(CLIENT, f"Connects to {name}.")
    yield from (Hop(where, what, "unknown") for where, what in state.unread)
    yield from _marked(state, port)
    if past := state.redirect(port):
        yield from redirected(state, past, port, state.server_port)
    else:
        yield from _balanced(state, port, name)
    yield from _greeted(state)


def _balanced(state: State, port: int, name: str) -> Hops:
    """The control connection through IPVS."""
    tracked = _tracks_control(state)
    yield from request(state, port, f"packets for {name}", known=False)
    landing = _lands(state, port)
    yield from _landed(landing, name)
    if landing.port != state.server_port:
        what = f"IPVS sends {name} to port {landing.port} of a real server, which listens on {state.server_port}."
        yield Hop(IPVS, what, "refused", by=f"real server port {landing.port}")
    yield Hop(IPVS, landing.why, by=landing.by)
    yield from to_server(state, landing.port, f"the connection to port {landing.port} of the real server", known=False)
    if state.deaf:
        yield Hop(SERVER, f"{state.deaf}.", "refused", by=state.deaf)
    yield from answers(state, landing.port, "the control connection", tracked=tracked)
    yield from request(state, port, f"further packets for {name}", known=tracked, opening=False)


def _greeted(state: State) -> Hops:
    """Whether client and server agree on encryption."""
    if state.refusal:
        yield Hop(SERVER, f"The FTP server refuses the session: {state.refusal}.", "refused", by=state.refusal)
    if state.tls != "none":
        how = "AUTH TLS" if state.tls == "explicit" else "TLS from the first byte"
        yield Hop(SERVER, f"Takes {how}: from here on only client and server can read the control connection.")


def _marked(state: State, port: int) -> Hops:
    if state.service != "fwmark":
        return
    if state.gets_mark(port):
        yield Hop(MANGLE, f"A rule gives VIP:{port} the mark {state.mark}.", by=state.texts.mark(port))
    else:
        yield Hop(MANGLE, f"No rule gives VIP:{port} the mark {state.mark}.")


def _lands(state: State, port: int) -> Landing:
    """ip_vs_service_find (ip_vs_ctl.c), then ip_vs_schedule and ip_vs_sched_persist (ip_vs_core.c)."""
    if why := _unserved(state, port):
        return Landing("router", port, why)
    if not state.servers and not state.stays:
        return Landing("nobody", port, _nobody(state), "weight 0" if state.draining else "")
    own = state.service == "port" and port == state.control_port
    # With a mark svc->port is 0, so persistence keeps the port whatever the real server's is (truth 7).
    kept = (state.real_port or port) if own else port
    if not state.servers:
        why = f"An earlier session holds the client to a real server with weight 0, which takes VIP:{port} still."
        return Landing("same", kept, why, "persistence, net.ipv4.vs.expire_quiescent_template=0")
    if state.persistence:
        why = f"The service keeps VIP:{port} on the client's real server (persistence)."
        return Landing("same", kept, why, "persistence")
    first = port == state.control_port
    why = f"The service gives VIP:{port} to a real server" + ("." if first else ", without persistence to any.")
    where: Literal["same", "other"] = "same" if first or state.servers == 1 else "other"
    return Landing(where, state.real_port or port, why, "" if first else "no persistence")


def _nobody(state: State) -> str:
    why = "The virtual service has no real server in rotation"
    if not state.draining:
        return f"{why}."
    if state.pinned and state.persistence:
        return f"{why}, and net.ipv4.vs.expire_quiescent_template=1 takes clients off those with weight 0."
    return f"{why}: each has weight 0, and only clients that persistence holds there already get one."


def _unserved(state: State, port: int) -> str:
    """Why IPVS has no service for VIP:`port`; '' if it has one."""
    if state.service == "none":
        return "There is no virtual service for FTP in IPVS"
    if state.service == "fwmark":
        missing = (
            f"No rule in mangle PREROUTING gives VIP:{port} the mark {state.mark}, so the service does not take it"
        )
        return "" if state.gets_mark(port) else missing
    if port == state.control_port:
        return ""
    if state.control_port != CONTROL or (port != DATA and port < _UNPRIVILEGED):
        return f"The service takes VIP:{state.control_port} only, not VIP:{port}"
    # An FTP service on port 21 also takes VIP:20 and high ports, but schedules them only with persistence.
    return "" if state.persistence else f"The service for VIP:21 without persistence does not schedule VIP:{port}"


def _landed(landing: Landing, name: str) -> Hops:
    """ip_vs_leave: what IPVS does not want goes on to the router's own sockets, and none listens there."""
    if landing.where == "router":
        what = f"{landing.why}: the router itself answers for {name}, and nothing listens there."
        yield Hop(IPVS, what, "refused", by=landing.by)
    elif landing.where == "nobody":
        yield Hop(IPVS, f"{landing.why[:-1]}; {name} is answered with an ICMP error.", "refused", by=landing.by)


def _tracks_control(state: State) -> bool:
    """ip_vs_ftp_init_conn: "We use connection tracking for the command connection"; other connections are tracked
    with net.ipv4.vs.conntrack=1 only."""
    return state.helper_bound or state.vs_conntrack


def _reads(state: State, mode: Mode) -> str:
    """Why the helper cannot read the commands and replies of `mode`; '' if it can."""
    if past := state.redirect(state.control_port):
        return f"rule `{past.rule}` takes the control connection past IPVS, so that ip_vs_ftp does not see it"
    if not state.helper:
        return "ip_vs_ftp is not loaded"
    if not state.nat:
        return f"ip_vs_ftp works with NAT only, not with {state.method}"
    if not state.helper_bound:
        return f"ip_vs_ftp is loaded without control port {state.control_port} (ports=)"
    if mode in {"epsv", "eprt"} and not state.helper_extended:
        return f"ip_vs_ftp of this kernel does not know {mode.upper()}"
    return "under TLS ip_vs_ftp cannot read the control connection" if state.tls != "none" else ""


def _passive_by(state: State, mode: Mode, port: int) -> Hops:
    """One passive transfer on the server's port `port`, the control connection being there."""
    blind = _reads(state, mode)
    told = state.pasv_address if state.nat else state.pasv_address or "VIP"
    if not state.passive_on:
        yield Hop(SERVER, "The FTP server has passive mode switched off.", "refused", by="passive mode is off")
    address = f" and {told or 'its own address'}" if mode == "pasv" else ""
    yield Hop(SERVER, f"Listens on port {port} and tells the port{address}.", by=f"passive range {state.passive}")
    if mode == "pasv":
        yield from _told(state, told, blind)
    name = f"VIP:{port}"
    yield Hop(CLIENT, f"Connects to {name}.")
    yield from _marked(state, port)
    if past := state.redirect(port):
        yield from redirected(state, past, port, port)
        yield from _expected(state, past, name)
    else:
        yield from _balanced_data(state, mode, port, told)
    yield Hop(CLIENT, "The transfer runs.")


def _balanced_data(state: State, mode: Mode, port: int, told: str | None) -> Hops:
    """A passive data connection through IPVS."""
    blind, name = _reads(state, mode), f"VIP:{port}"
    yield from request(state, port, f"new data connections to {name}", known=False)
    yield from _prepared(mode, told, port) if not blind else _unprepared(state, port, blind)
    tracked = not blind or state.vs_conntrack
    yield from to_server(state, port, f"the data connection to port {port} of the real server", known=False)
    yield from answers(state, port, f"the data connection {name}", tracked=tracked)
    yield from request(state, port, f"further packets for {name}", known=tracked, opening=False)


def _expected(state: State, past: Redirect, name: str) -> Hops:
    """Whether the real server that a rule gives data to is the session's."""
    control = state.redirect(state.control_port)
    if (control is None or control.address != past.address) and state.servers > 1:
        what = f"{name} is given to {past.address}, whichever real server has the session: `{past.rule}`."
        yield Hop(f"router, {past.where}", what, "refused", by=past.rule)


def _told(state: State, told: str | None, blind: str) -> Hops:
    """The address in the 227 reply, as the client gets it.

    ip_vs_ftp_out rewrites it with nf_nat_mangle_tcp_packet, so only where the packet is tracked (truth 3). Untracked,
    the first reply is lost, and the repeated one passes as it was.
    """
    if not blind and state.conntrack_active:
        what = "ip_vs_ftp rewrites the 227 reply to the VIP."
        yield Hop(HELPER, what, carries=told != "VIP", by=_by_helper(state))
    elif told == "VIP":
        by = "pasv_address is the VIP" if state.nat else f"forwarding {state.method}"
        yield Hop(CLIENT, "The server advertises the VIP in its 227 reply.", carries=True, by=by)
    else:
        why = blind or "connection tracking is not active (no nat rule, no conntrack match), so it does not rewrite"
        address = "the real server's own address" if told is None else f"{told}, which is not the VIP"
        past = state.redirect(state.control_port)
        where, by = (f"router, {past.where}", past.rule) if past else (CLIENT, why)
        yield Hop(where, f"The 227 reply hands the client {address}: {why}.", "unreachable", by=by)


def _by_helper(state: State) -> str:
    tracking = state.texts.tracking or state.texts.source_nat
    return "ip_vs_ftp" + (f"; connections are tracked because of: {tracking}" if tracking else "")


def _prepared(mode: Mode, told: str | None, port: int) -> Hops:
    """The entry that the helper made when it read the reply: to the address that the 227 reply named, so an
    advertised VIP sends the data to the router itself (truth 5); for 229 to the control connection's server."""
    if mode == "pasv" and told is not None:
        what = f"ip_vs_ftp took the advertised address {told} (pasv_address) for the real server's: data goes there."
        yield Hop(HELPER, what, "timeout", by=f"pasv_address={told}")
    yield Hop(IPVS, f"ip_vs_ftp has prepared VIP:{port} for the client's real server.", carries=True, by="ip_vs_ftp")


def _unprepared(state: State, port: int, blind: str) -> Hops:
    landing = _lands(state, port)
    if (past := state.redirect(state.control_port)) and landing.where == "same" and state.servers > 1:
        what = (
            f"IPVS gives VIP:{port} to a real server of its own choice, by chance the session's: {blind}, and IPVS has "
            "nothing to keep the client to that server."
        )
        yield Hop(f"router, {past.where}", what, "unknown", by=past.rule)
        return
    if landing.where == "router":
        landing = replace(landing, why=f"{landing.why}, and {blind}")
    yield from _landed(landing, f"VIP:{port}")
    if landing.port != port:
        there = f"the real server's port {landing.port}"
        what = f"Without persistence, and as {blind}, data for VIP:{port} is sent to {there}: no data comes."
        yield Hop(IPVS, what, "timeout", by=f"real server port {landing.port}")
    if landing.where == "other":
        what = f"Without persistence, and as {blind}, VIP:{port} lands on another real server, which expects nobody."
        yield Hop(IPVS, what, "refused", by="no persistence")
    yield Hop(IPVS, landing.why, carries=True, by=landing.by)


def _active(state: State, mode: Mode) -> Hops:
    """The server connects to the client, from its data port."""
    yield from _control(state)
    blind = _reads(state, mode)
    if not state.active_on:
        yield Hop(SERVER, "The FTP server has active mode switched off.", "refused", by="active mode is off")
    if not state.nat:
        yield from _active_direct(state)
        return
    port = state.from_port
    told = f"port {port}" if state.data_port else "any port"
    yield Hop(SERVER, f"Connects to the client from {told}.", by=f"data port {state.data_port or 'any'}")
    opening = Packet("server", port, "client", CLIENT_PORTS[1], "NEW", True, 0, "internal", "public")
    yield from passes(state, "FORWARD", opening, f"the real server's connection from port {port}")
    # ip_vs_ftp_in prepares VIP:(vport - 1) for the server's (dport - 1): 20 for a control port 21.
    entry = _lands(state, state.control_port).port - 1
    if not blind and entry == port:
        yield from _active_by_helper(state)
    else:
        yield from _active_by_nat(state, blind or f"ip_vs_ftp prepared port {entry} of the server, not {told}")
    data = replace(opening, tracked="ESTABLISHED", syn=False)
    yield from passes(state, "FORWARD", data, f"data from port {port}")
    yield Hop(CLIENT, "The transfer runs.")


def _active_by_helper(state: State) -> Hops:
    """The answers go to the VIP's data port: through INPUT, without a mark, known to tracking (truth 8)."""
    port = state.control_port - 1
    yield Hop(IPVS, f"ip_vs_ftp has prepared it: the connection leaves as VIP:{port}.", carries=True, by="ip_vs_ftp")
    yield from request(state, port, f"the client's answers to VIP:{port}", known=True, opening=False)
    yield from to_server(state, state.from_port, "the client's answers", known=True)


def _active_by_nat(state: State, blind: str) -> Hops:
    """Tracking turns the answers back before routing: they pass FORWARD, not INPUT (truth 2)."""
    port, rule = state.from_port, state.texts.source_nat
    if not state.source_nat:
        missing = f"no MASQUERADE or SNAT rule in nat POSTROUTING takes source port {port}, and {blind}"
        yield Hop(NAT, f"The connection leaves from the server's own address: {missing}.", "timeout")
    if state.source_nat == "MASQUERADE":
        what = "MASQUERADE lets it out from the router's own public address: clients that compare addresses refuse it."
        yield Hop(NAT, what, carries=True, by=rule)
    elif state.snat_to == "VIP":
        yield Hop(NAT, f"SNAT lets it out as VIP:{port}.", carries=True, by=rule)
    else:
        what = f"SNAT lets it out as {state.snat_to}, not as the VIP: clients that compare addresses refuse it."
        yield Hop(NAT, what, carries=True, by=rule)
    back = Packet("client", CLIENT_PORTS[1], "server", port, "ESTABLISHED", False, 0, "public", "internal")
    yield from passes(state, "FORWARD", back, "the client's answers")


def _active_direct(state: State) -> Hops:
    """The connection does not pass the router, but the client's answers come to it, being for the VIP.

    tcp_conn_schedule (ip_vs_proto_tcp.c) takes a SYN+ACK for a new connection, if there is a service for VIP:20.
    """
    port, name = state.from_port, f"VIP:{state.data_port or 'any port'}"
    by = f"forwarding {state.method}"
    yield Hop(SERVER, f"Connects to the client directly, from {name} ({state.method}).", by=by)
    yield from _marked(state, port)
    # Tracking never saw the opening packet.
    answer = Packet("client", CLIENT_PORTS[1], "vip", port, "INVALID", False, 0, "public")
    if state.gets_mark(port):
        answer = replace(answer, mark=state.mark)
    yield from passes(state, "INPUT", answer, f"the client's answers to {name}")
    landing = _lands(state, port)
    if landing.where != "same":
        why = landing.why if landing.where == "router" else "Without persistence they land on another real server"
        yield Hop(IPVS, f"The client's answers to {name} do not reach the real server: {why.rstrip('.')}.", "timeout")
    yield Hop(IPVS, landing.why, carries=True, by=landing.by)
    yield Hop(CLIENT, "The transfer runs.")
