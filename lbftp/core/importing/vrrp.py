"""Which instances move a cluster's addresses, and what that says of the router's two sides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Any, Final

from lbftp.core.importing.seen import Seen
from lbftp.core.importing.values import Found
from lbftp.core.observe.keepalived.records import Instance, SyncGroup
from lbftp.core.observe.keepalived.typed import as_number
from lbftp.core.ours import INCLUDE_DIR
from lbftp.core.spec import FAMILIES
from lbftp.core.spec.values import Address, Interface

_V6: Final = {4: "", 6: "6"}


def take_vrrp(found: Found, seen: Seen) -> None:
    """Fills in interfaces, own addresses, priority, floating addresses and `vrrp` from VIPs and real servers."""
    vips = [ip_address(v) for f in FAMILIES if (v := found.fields.get(f"vip{_V6[f]}"))]
    public = next((i for i in seen.meaning.instances for vip in vips if i.holds(vip)), None)
    if public is None:
        found.leave("the VIP", "no vrrp_instance moves it: choose the VRRP values yourself")
    internal = _internal(found, seen, public)
    _interfaces(found, seen, public, internal)
    _floating(found, public, internal)
    if public is not None:
        _values(found, seen, public, internal)
    for instance in dict.fromkeys(i for i in (public, internal) if i is not None):
        _leave_instance(found, instance)
    _leave_groups(found, seen, [i.name for i in (public, internal) if i is not None])


def servers_of(found: Found) -> list[Address]:
    named = (s.get(key) for s in found.fields.get("real_servers", []) for key in ("address", "address6"))
    return [ip_address(a) for a in named if a]


def _internal(found: Found, seen: Seen, public: Instance | None) -> Instance | None:
    """The instance beside the public one in its sync group, else one whose address lies beside the real servers."""
    if found.fields.get("forwarding") != "NAT":
        return None
    groups = [g for g in seen.meaning.sync_groups if public is not None and public.name in g.members]
    beside = [i for g in groups for i in seen.meaning.instances if i.name in g.members and i is not public]
    everyone = [*beside, *seen.meaning.instances]
    near = [i for i in everyone if any(_near(a.address.ip, a.device, found, seen) for a in i.addresses)]
    return near[0] if near else None


def _near(address: Address, device: str, found: Found, seen: Seen) -> bool:
    """Whether `address` lies in the network of a real server, as the router's interface `device` has it."""
    return any(address in own.network and _reaches(own, found) for own in _own(seen, device))


def _reaches(own: Interface, found: Found) -> bool:
    return any(server in own.network for server in servers_of(found) if server.version == own.version)


def _own(seen: Seen, name: str) -> list[Interface]:
    """The addresses of an interface that do not float."""
    held = {a.address.ip for i in seen.meaning.instances for a in i.addresses}
    return [a for a in seen.observed.facts.interfaces.get(name, ()) if a.ip not in held]


def _interfaces(found: Found, seen: Seen, public: Instance | None, internal: Instance | None) -> None:
    """Public: where the VIP goes. Internal: where the real servers are."""
    vips = [v for f in FAMILIES if (v := found.fields.get(f"vip{_V6[f]}"))]
    devices = [a.device for a in public.addresses if str(a.address.ip) in vips] if public else []
    outside = devices[0] if devices else _interface_of(map(ip_address, vips), seen)
    inside = internal.interface if internal and internal is not public else _interface_of(servers_of(found), seen)
    found.about |= {"name": found.router, "public_interface": outside, "internal_interface": inside or outside}
    for side, name, near in (("public", outside, vips), ("internal", inside or outside, [])):
        for family in FAMILIES:
            own = [a for a in _own(seen, name) if a.version == family]
            wanted = [a for a in own if any(_in(v, a) for v in near) or (side == "internal" and _reaches(a, found))]
            # An IP version that the cluster does not have is none of its business.
            best = next(iter([*wanted, *own]), None) if found.fields.get(f"vip{_V6[family]}") else None
            found.about[f"{side}_address{_V6[family]}"] = str(best) if best else None


def _in(address: str, interface: Interface) -> bool:
    parsed = ip_address(address)
    return parsed.version == interface.version and parsed in interface.network


def _interface_of(addresses: Iterable[Address], seen: Seen) -> str:
    """The interface in whose network one of `addresses` lies, '' if there is none."""
    names = (n for a in addresses for n in seen.observed.facts.interfaces for own in _own(seen, n) if a in own.network)
    return next(names, "")


def _floating(found: Found, public: Instance | None, internal: Instance | None) -> None:
    if found.fields.get("forwarding") != "NAT":
        return
    inside = found.about["internal_interface"]
    for family in FAMILIES:
        vip = found.fields.get(f"vip{_V6[family]}")
        held = [a for a in (internal.addresses if internal else ()) if a.address.version == family]
        addresses = [str(a.address.ip) for a in held if a.device == inside and str(a.address.ip) != vip]
        if vip and addresses:
            found.fields[f"floating{_V6[family]}"] = addresses[0]
        elif vip:
            found.leave(f"floating{_V6[family]}", "no vrrp_instance moves an address beside the real servers")
    if internal is not None and internal is public:
        found.leave(
            f"vrrp_instance {internal.name}",
            "it moves the VIP and the internal address together: lbftp makes two instances in a sync group of it",
            internal.block.file,
            internal.block.line,
        )


def _values(found: Found, seen: Seen, public: Instance, internal: Instance | None) -> None:
    vrrp: dict[str, Any] = {
        "vrid": public.vrid if public.vrid is not None else 21,
        "internal_vrid": (internal.vrid if internal else None) or public.vrid or 21,
        "group": _group(found, seen),
        "advert_int": _whole(found, public, "advert_int", public.advert_int, 1),
        "preempt": public.preempt,
        "preempt_delay": _whole(found, public, "preempt_delay", public.preempt_delay, 0),
        "unicast": bool(public.unicast_peers),
        "track_interfaces": bool(public.track_interfaces),
        "sync_connections": bool(seen.meaning.globals.sync_daemon),
    }
    found.fields["vrrp"] = vrrp
    found.about["priority"] = public.priority
    if internal and internal is not public and internal.priority != public.priority:
        found.leave(
            f"priority {internal.priority} of {internal.name}",
            f"both sides move together: the public side's {public.priority} is taken",
            internal.block.file,
            internal.block.line,
        )


def _group(found: Found, seen: Seen) -> str:
    """The group that our own files name; what hand-made instances share is told from their addresses later."""
    tail = f".group.d/{found.name}"
    paths = [p for p, text in seen.observed.files.items() if text is not None and p.endswith(tail)]
    names = [p.removeprefix(f"{INCLUDE_DIR}/").removesuffix(tail) for p in paths if p.startswith(f"{INCLUDE_DIR}/")]
    return names[0] if found.own and names and names[0] != found.name else ""


def _whole(found: Found, instance: Instance, name: str, word: str, default: int) -> int:
    """keepalived takes fractions of seconds; the model takes whole ones."""
    number = as_number(word.removesuffix(".0"))
    if number is None:
        place = instance.block
        found.leave(f"{name} {word}", f"lbftp takes whole seconds: {default} is proposed", place.file, place.line)
    return default if number is None else number


def _leave_instance(found: Found, instance: Instance) -> None:
    block = instance.block
    if instance.state.upper() == "MASTER":
        found.leave("state MASTER", "lbftp starts both routers as BACKUP: the priority decides", block.file, block.line)
    if instance.authentication:
        why = "VRRP's passwords cross the wire in the clear and protect nothing (RFC 5798, 9): lbftp uses none"
        found.leave(f"authentication of {instance.name}", why, block.file, block.line)
    found.unknown(instance.others, f"a VRRP instance ({instance.name})")
    if not block.file.startswith(f"{INCLUDE_DIR}/"):
        why = f"lbftp makes an instance with the same addresses and router id {instance.vrid}"
        found.blocked(f"{block.file}:{block.line}", f"vrrp_instance {instance.name}", why)


def _leave_groups(found: Found, seen: Seen, names: list[str]) -> None:
    for group in _groups(seen, names):
        place = f"{group.block.file}:{group.block.line}"
        found.unknown(group.others, f"a sync group ({group.name})")
        if not group.block.file.startswith(f"{INCLUDE_DIR}/"):
            found.blocked(place, f"vrrp_sync_group {group.name}", "it names instances that have to go")


def _groups(seen: Seen, names: list[str]) -> Iterator[SyncGroup]:
    return (g for g in seen.meaning.sync_groups if set(g.members) & set(names))
