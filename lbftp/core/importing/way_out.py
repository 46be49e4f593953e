"""How active connections leave, the real servers' network, and whether the helper or the servers' own word carries
passive mode."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_interface, ip_network
from typing import Final

from lbftp.core.importing.rules import WayOut
from lbftp.core.importing.seen import Seen
from lbftp.core.importing.values import Found
from lbftp.core.importing.vrrp import servers_of
from lbftp.core.observe.keepalived.promised import promised
from lbftp.core.ours import MODULE_FILE
from lbftp.core.render import keepalived
from lbftp.core.spec import FAMILIES
from lbftp.core.spec.values import Network

_V6: Final = {4: "", 6: "6"}
_HELPER: Final = "ip_vs_ftp"
_RECORDED: Final = re.compile(r"^# cluster ([a-z][a-z0-9-]*): ", re.MULTILINE)


def take_way_out(found: Found, seen: Seen) -> None:
    """`active` and the internal networks, for NAT; the other ways need neither."""
    if found.fields.get("forwarding") != "NAT":
        found.fields.setdefault("active", "none")
        return
    ways = [w for w in seen.ways_out if _serves(w, found)]
    running = [w for w in ways if w.origin == "running"] or ways
    found.fields["active"] = _active(found, running)
    for family in FAMILIES:
        if found.fields.get(f"vip{_V6[family]}"):
            found.fields[f"internal_network{_V6[family]}"] = _network(found, family, running)
    for way in ways:
        if not way.own:
            why = "lbftp's own rule does the same for FTP: keep it only if something else needs it"
            found.blocked(way.place, way.text, why)


def _serves(way: WayOut, found: Found) -> bool:
    """Whether a rule lets the data port of the cluster's real servers out. Another cluster's own rule is its own."""
    if way.own and not (found.own and way.own == found.name):
        return False
    ports = {p - 1 for p in [*found.fields.get("control_ports", [21]), *found.fields.get("implicit_ports", [])]}
    fits = not way.ports or any(low <= p <= high for p in ports for low, high in way.ports)
    inside = [a for a in servers_of(found) if a.version == way.family]
    return fits and bool(inside) and (way.source is None or any(a in way.source for a in inside))


def _active(found: Found, ways: list[WayOut]) -> str:
    if not ways:
        if not found.own:
            found.leave(
                "active mode", "no rule lets the servers' own connections out: none is proposed (`active: none`)"
            )
        return "none"
    vips = {found.fields.get("vip"), found.fields.get("vip6")}
    first = ways[0]
    if first.address and first.address not in vips:
        found.leave(first.text, "lbftp translates to the VIP or masquerades: masquerading is proposed")
    return "snat" if first.address in vips else "masquerade"


def _network(found: Found, family: int, ways: list[WayOut]) -> str | None:
    """The source of the rule, else the network of the router's own internal address, else of a floating one."""
    sources = [w.source for w in ways if w.family == family and w.source is not None and w.source.prefixlen]
    if sources:
        return str(sources[0])
    own = found.about.get(f"internal_address{_V6[family]}")
    network: Network | None = ip_interface(own).network if own else None
    inside = [a for a in servers_of(found) if a.version == family]
    if network is None and inside:
        network = ip_network(f"{inside[0]}/{24 if family == 4 else 64}", strict=False)
        found.leave(f"internal_network{_V6[family]}", f"nothing names it: {network} is a guess")
    if network is not None and any(ip_address(a) not in network for a in inside):
        found.leave(f"internal_network{_V6[family]}", f"not every real server is in {network}")
    return str(network) if network else None


def take_mode(found: Found, seen: Seen) -> None:
    """The helper where it is loaded and NAT is used; what our own file says of itself counts more."""
    helper = found.fields.get("forwarding") == "NAT" and _has_helper(found, seen)
    found.guess("mode", "helper" if helper else "advertise")
    text = seen.observed.files.get(keepalived.path(found.name)) if found.own else None
    said = promised(text or "")
    vrrp = said.pop("vrrp", None)
    found.fields |= said
    if isinstance(vrrp, dict) and "vrrp" in found.fields:
        found.fields["vrrp"] |= {k: v for k, v in vrrp.items() if k in {"group", "internal_vrid"}}
    found.guessed -= set(said)
    if not said:
        found.leave("mode", f"{found.fields['mode']!r} by what is loaded: compare with what the FTP servers advertise")
    control = set(found.fields.get("control_ports", [21]))
    if found.fields["mode"] == "helper" and (missed := sorted(control - seen.helper_ports)):
        found.leave(
            f"control ports {', '.join(map(str, missed))}", "the helper does not watch them as it is loaded now"
        )


def _has_helper(found: Found, seen: Seen) -> bool:
    files = seen.observed.files
    if found.own:
        recorded = {
            name for path, text in files.items() if text and "modprobe" in path for name in _RECORDED.findall(text)
        }
        if recorded:
            return found.name in recorded
    return _HELPER in seen.observed.modules or _HELPER in (files.get(MODULE_FILE) or "").split()
