"""spec, router, what the router holds -> what it must hold."""

from __future__ import annotations

from lbftp.core.observe.ipvs import Destination, Service, fwmark
from lbftp.core.observe.observed import Observed
from lbftp.core.observe.program import MODULE_FILE
from lbftp.core.render import iptables, keepalived, kernel
from lbftp.core.render.artifact import Desired
from lbftp.core.spec import ClusterSpec


def desired(spec: ClusterSpec, observed: Observed) -> Desired:
    """Everything that the router `observed.router` must hold for `spec`. KeyError: not of the cluster."""
    router = spec.router(observed.router)
    return Desired(
        cluster=spec.name,
        router=router.name,
        modules=kernel.MODULES,
        sysctls=kernel.SYSCTLS,
        chains=iptables.chains(spec, router, observed.running),
        service=service(spec),
        keepalived_path=keepalived.path(spec.name),
        keepalived_text=keepalived.text(spec, router),
        module_file=kernel.module_file(observed.files.get(MODULE_FILE)),
        sysctl_file=kernel.sysctl_file(),
        rules_path=observed.facts.rules_path,
        units=("systemd-modules-load.service", observed.facts.firewall_unit, "keepalived.service"),
    )


def service(spec: ClusterSpec) -> Service:
    """The IPVS service as the kernel should have it while every real server is healthy."""
    servers = (Destination(str(s.address), 0, "NAT", s.weight) for s in spec.real_servers)
    return Service(fwmark(spec.mark), spec.scheduler, spec.persistence_timeout, tuple(sorted(servers)))
