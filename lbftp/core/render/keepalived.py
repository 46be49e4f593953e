"""Our keepalived file for a cluster on a router: the VRRP pair that moves both floating addresses, and the service.

keepalived.conf(5); the guide's section on FTP. No `protocol` in a fwmark service (keepalived -t complains), no port on
a real server (passive data would be sent to it), checks name their port.
"""

from __future__ import annotations

from typing import Final

from lbftp.core.observe.keepalived import INCLUDE_DIR
from lbftp.core.render.artifact import header
from lbftp.core.spec import ClusterSpec, RealServerSpec, RouterSpec, cluster_name

INDENT: Final = "    "


def path(cluster: str) -> str:
    """Where the file lives; the name is checked here too, because it becomes part of a path."""
    return f"{INCLUDE_DIR}/{cluster_name(cluster)}.conf"


def text(spec: ClusterSpec, router: RouterSpec) -> str:
    """The file's whole content."""
    public, internal = f"lbftp_{spec.name}_public", f"lbftp_{spec.name}_internal"
    lines = [
        *header(spec.name),
        "",
        *_block(f"vrrp_sync_group lbftp_{spec.name}", _block("group", [public, internal])),
        "",
        *_instance(public, spec, router, router.public_interface, f"{spec.vip}/32"),
        "",
        *_instance(internal, spec, router, router.internal_interface, f"{spec.floating}/32"),
        "",
        *_service(spec),
    ]
    return "\n".join(lines) + "\n"


def _instance(name: str, spec: ClusterSpec, router: RouterSpec, interface: str, floating: str) -> list[str]:
    return _block(
        f"vrrp_instance {name}",
        [
            "state BACKUP",
            f"interface {interface}",
            f"virtual_router_id {spec.vrrp.vrid}",
            f"priority {router.priority}",
            f"advert_int {spec.vrrp.advert_int}",
            *_block("virtual_ipaddress", [f"{floating} dev {interface}"]),
        ],
    )


def _service(spec: ClusterSpec) -> list[str]:
    body = [f"delay_loop {spec.check.delay_loop}", f"lb_algo {spec.scheduler}", "lb_kind NAT"]
    if spec.persistence_timeout:
        body.append(f"persistence_timeout {spec.persistence_timeout}")
    for server in spec.real_servers:
        body += _real_server(spec, server)
    return _block(f"virtual_server fwmark {spec.mark}", body)


def _real_server(spec: ClusterSpec, server: RealServerSpec) -> list[str]:
    check = [
        f"connect_port {spec.control_port}",
        f"connect_timeout {spec.check.connect_timeout}",
        f"retry {spec.check.retry}",
    ]
    return [
        f"# {server.name}",
        *_block(f"real_server {server.address}", [f"weight {server.weight}", *_block("TCP_CHECK", check)]),
    ]


def _block(head: str, body: list[str]) -> list[str]:
    return [f"{head} {{", *(INDENT + line for line in body), "}"]
