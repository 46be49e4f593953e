"""Our keepalived files for a cluster on a router: its virtual services and the VRRP that moves its addresses.

keepalived.conf(5); the guide's section on FTP. No `protocol` in a fwmark service (keepalived -t complains), no port on
a real server (passive data would be sent to it), checks name their port.

In our folder (`ours.INCLUDE_DIR`):

    CLUSTER.conf            services, and the VRRP instance of the cluster's own VIP
    GROUP.group.conf        the pair: what moves together, and the internal floating address
    GROUP.group.d/CLUSTER   one line, which makes the cluster's instance a member of the group

A group's file is the same whichever of its clusters renders it, so clusters come and go without touching each other.
IPv6 addresses ride with the IPv4 instance (`virtual_ipaddress_excluded`); a cluster without IPv4 has one of IPv6.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import Final

from lbftp.core.observe.keepalived import promised
from lbftp.core.ours import INCLUDE_DIR, OWNED, internal_instance, public_instance, sync_group
from lbftp.core.render.artifact import header
from lbftp.core.render.ftp_check import script_path
from lbftp.core.spec import ClusterSpec, Family, RealServerSpec, RouterSpec, Side, cluster_name
from lbftp.core.spec.values import Address, Interface

INDENT: Final = "    "
# Link-local multicast (RFC 4291, 2.7) with the last number of IPv4's 224.0.0.81.
_SYNC_GROUP_V6: Final = "ff02::51"


def path(cluster: str) -> str:
    """Where the cluster's file lives; the name is checked here too, because it becomes part of a path."""
    return f"{INCLUDE_DIR}/{cluster_name(cluster)}.conf"


def group_path(group: str) -> str:
    return f"{INCLUDE_DIR}/{cluster_name(group)}.group.conf"


def member_path(group: str, cluster: str) -> str:
    return f"{INCLUDE_DIR}/{cluster_name(group)}.group.d/{cluster_name(cluster)}"


def files(spec: ClusterSpec, router: RouterSpec) -> dict[str, str]:
    """Path -> content of every keepalived file that `router` must hold for the cluster."""
    found = {path(spec.name): text(spec, router)}
    if grouped(spec):
        found[group_path(spec.group)] = _group_text(spec, router)
        found[member_path(spec.group, spec.name)] = "\n".join([*header(spec.name), _public(spec)]) + "\n"
    return found


def grouped(spec: ClusterSpec) -> bool:
    """Whether something has to move together with the VIP: the floating address that real servers answer through."""
    return spec.floating is not None or spec.floating6 is not None


def text(spec: ClusterSpec, router: RouterSpec) -> str:
    """The content of the cluster's own file."""
    lines = [*header(spec.name), promised.line(spec), ""]
    if spec.check.kind == "ftp":
        lines += [*_block("global_defs", ["enable_script_security"]), ""]
    if not grouped(spec):
        lines += _sync_daemon(spec, router, _public(spec))
    vips = [(a, side.family) for side in spec.sides if (a := side.vip)]
    lines += _instance(_public(spec), spec, router, "public", [a for a, _ in vips])
    for side in spec.sides:
        lines += ["", *_service(spec, side)]
    return "\n".join(lines) + "\n"


def _group_text(spec: ClusterSpec, router: RouterSpec) -> str:
    name = sync_group(spec.group)
    internal = internal_instance(spec.group)
    floating = [a for a in (spec.floating, spec.floating6) if a is not None]
    members = _block("group", [internal, f"include {INCLUDE_DIR}/{spec.group}.group.d/*"])
    lines = [
        f"# {OWNED} file. Change the clusters of this group on the site instead.",
        f"# Group: {spec.group} (its clusters are the files in {spec.group}.group.d)",
        "",
        *_sync_daemon(spec, router, internal),
        *_block(f"vrrp_sync_group {name}", members),
        "",
        *_instance(internal, spec, router, "internal", floating),
    ]
    return "\n".join(lines) + "\n"


def _public(spec: ClusterSpec) -> str:
    return public_instance(spec.name)


def _sync_daemon(spec: ClusterSpec, router: RouterSpec, instance: str) -> list[str]:
    """One per router: the kernel has one daemon for all services (ipvsadm(8) --start-daemon)."""
    if not spec.vrrp.sync_connections:
        return []
    line = f"lvs_sync_daemon {router.internal_interface} {instance} id {spec.vrrp.internal_vrid}"
    if spec.vip is None:
        # The kernel's own group is one of IPv4 (ip_vs.h: IP_VS_SYNC_GROUP).
        line += f" group {_SYNC_GROUP_V6}"
    return [*_block("global_defs", [line]), ""]


def _instance(name: str, spec: ClusterSpec, router: RouterSpec, side: str, floating: list[Address]) -> list[str]:
    """One vrrp_instance. `side` is 'public' or 'internal'."""
    public = side == "public"
    interface = router.public_interface if public else router.internal_interface
    other = router.internal_interface if public else router.public_interface
    body = [
        "state BACKUP",
        f"interface {interface}",
        f"virtual_router_id {spec.vrrp.vrid if public else spec.vrrp.internal_vrid}",
        f"priority {router.priority}",
        f"advert_int {spec.vrrp.advert_int}",
        *_preemption(spec),
        *_unicast(spec, router, public, floating[0].version),
    ]
    if spec.vrrp.track_interfaces and other != interface:
        body += _block("track_interface", [other])
    first = [a for a in floating if a.version == floating[0].version]
    body += _block("virtual_ipaddress", [_floating(a, interface) for a in first])
    if excluded := [a for a in floating if a not in first]:
        body += _block("virtual_ipaddress_excluded", [_floating(a, interface) for a in excluded])
    return _block(f"vrrp_instance {name}", body)


def _floating(address: Address, interface: str) -> str:
    return f"{address}/{address.max_prefixlen} dev {interface}"


def _preemption(spec: ClusterSpec) -> list[str]:
    if not spec.vrrp.preempt:
        return ["nopreempt"]
    return [f"preempt_delay {spec.vrrp.preempt_delay}"] if spec.vrrp.preempt_delay else []


def _unicast(spec: ClusterSpec, router: RouterSpec, public: bool, version: int) -> list[str]:
    if not spec.vrrp.unicast:
        return []
    own = _own(router, public, version)
    peers = [a for r in spec.routers if r.name != router.name and (a := _own(r, public, version))]
    if own is None or not peers:
        return []
    return [f"unicast_src_ip {own.ip}", *_block("unicast_peer", [str(p.ip) for p in peers])]


def _own(router: RouterSpec, public: bool, version: int) -> Interface | None:
    family: Family = 4 if version == 4 else 6
    return router.public(family) if public else router.internal(family)


def _service(spec: ClusterSpec, side: Side) -> list[str]:
    """The virtual service over one IP version."""
    body = [f"ip_family inet{'6' if side.family == 6 else ''}"] if len(spec.sides) > 1 or side.family == 6 else []
    body += [f"delay_loop {spec.check.delay_loop}", f"lb_algo {spec.scheduler}", *spec.scheduler_flags]
    body += [f"lb_kind {spec.forwarding}", *_persistence(spec, side)]
    if spec.quorum > 1:
        body.append(f"quorum {spec.quorum}")
    if sorry := spec.sorry_server.at(side.family):
        body.append(f"sorry_server {sorry}")
    for server in spec.in_service(side.family):
        body += _real_server(spec, server, side)
    return _block(f"virtual_server fwmark {spec.mark}", body)


def _persistence(spec: ClusterSpec, side: Side) -> list[str]:
    if not spec.persistence_timeout:
        return []
    found = [f"persistence_timeout {spec.persistence_timeout}"]
    if side.family == 4 and spec.persistence_granularity < 32:
        found.append(f"persistence_granularity {ip_network(f'0.0.0.0/{spec.persistence_granularity:d}').netmask}")
    if side.family == 6 and spec.persistence_granularity6 < 128:
        found.append(f"persistence_granularity {spec.persistence_granularity6:d}")
    return found


def _real_server(spec: ClusterSpec, server: RealServerSpec, side: Side) -> list[str]:
    body = [f"weight {server.weight}"]
    body += [f"uthreshold {server.upper_threshold}"] if server.upper_threshold else []
    body += [f"lthreshold {server.lower_threshold}"] if server.lower_threshold else []
    body += ["inhibit_on_failure"] if spec.inhibit_on_failure else []
    address = server.at(side.family)
    body += _ftp_check(spec, address) if spec.check.kind == "ftp" else _tcp_check(spec)
    return [f"# {server.name}", *_block(f"real_server {address}", body)]


def _tcp_check(spec: ClusterSpec) -> list[str]:
    check = [
        f"connect_port {spec.control_port}",
        f"connect_timeout {spec.check.connect_timeout}",
        f"retry {spec.check.retry}",
    ]
    return _block("TCP_CHECK", check)


def _ftp_check(spec: ClusterSpec, address: Address | None) -> list[str]:
    """keepalived ends the script after the time that a connection may take. Root runs it: it alone reads the account,
    and routers have no user for scripts unless somebody made one."""
    script = f'misc_path "{script_path(spec.name)} {address} {spec.control_port}"'
    return _block(
        "MISC_CHECK", [script, f"misc_timeout {spec.check.connect_timeout}", f"retry {spec.check.retry}", "user root"]
    )


def _block(head: str, body: list[str]) -> list[str]:
    return [f"{head} {{", *(INDENT + line for line in body), "}"]
