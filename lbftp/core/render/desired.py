"""spec, router, what the router holds -> everything that the router must hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lbftp.core.observe.ipvs import Destination, Service, fwmark
from lbftp.core.observe.observed import Firewall, Observed
from lbftp.core.ours import INCLUDE_DIR, MODPROBE_FILE, MODULE_FILE, SYSCTL_FILE
from lbftp.core.render import ftp_check, iptables, keepalived, kernel, nftables
from lbftp.core.render.artifact import OwnChain, OwnFile
from lbftp.core.spec import ClusterSpec, Family, RouterSpec, Side


@dataclass(frozen=True, slots=True)
class Desired:
    """One cluster's part of one router.

    `chains` are for iptables, `table` for a router that uses nftables. `helper_ports` are what the helper has to watch
    for every cluster here, () if nobody needs it. `unwanted` are files of ours that an earlier revision left.
    """

    cluster: str
    router: str
    families: tuple[Family, ...]
    modules: tuple[str, ...]
    helper_ports: tuple[int, ...]
    plain_ports: tuple[int, ...]
    sysctls: tuple[tuple[str, str], ...]
    chains: tuple[OwnChain, ...]
    table: nftables.OwnTable | None
    services: tuple[Service, ...]
    floating: tuple[str, ...]
    vips: tuple[str, ...]
    sorry: tuple[str, ...]
    files: tuple[OwnFile, ...]
    unwanted: tuple[str, ...]
    units: tuple[str, ...]

    def chains_of(self, family: Family) -> tuple[OwnChain, ...]:
        return tuple(c for c in self.chains if c.family == family)

    def file(self, path: str) -> OwnFile:
        """The file at `path`. Raises KeyError."""
        return {f.path: f for f in self.files}[path]

    def of_keepalived(self) -> tuple[OwnFile, ...]:
        """What keepalived reads or runs."""
        return tuple(f for f in self.files if f.kind in {"keepalived", "script"})


def desired(spec: ClusterSpec, observed: Observed) -> Desired:
    """Everything that the router `observed.router` must hold for `spec`. KeyError: not of the cluster."""
    router = spec.router(observed.router)
    firewall = observed.firewall
    table = nftables.table(spec, router) if firewall == "nftables" else None
    files = (
        *keepalived_files(spec, router, joins=_joins(spec, observed)),
        *_kernel_files(spec, observed.files),
        *(_nft_files(table, observed) if table else ()),
    )
    return Desired(
        cluster=spec.name,
        router=router.name,
        families=tuple(side.family for side in spec.sides),
        modules=kernel.modules(spec),
        helper_ports=kernel.helper_ports(spec, observed.files.get(MODPROBE_FILE)),
        plain_ports=spec.control_ports,
        sysctls=kernel.sysctls(spec),
        chains=_chains(spec, router, observed) if table is None else (),
        table=table,
        services=services(spec),
        floating=tuple(str(a) for a in (spec.floating, spec.floating6) if a is not None),
        vips=tuple(str(side.vip) for side in spec.sides),
        sorry=tuple(str(a) for side in spec.sides if (a := spec.sorry_server.at(side.family))),
        files=files,
        unwanted=_unwanted(spec, {f.path for f in files}, observed.files),
        units=_units(spec, observed, firewall),
    )


def _chains(spec: ClusterSpec, router: RouterSpec, observed: Observed) -> tuple[OwnChain, ...]:
    sides = [iptables.chains(spec, router, observed.rules(s.family), s.family) for s in spec.sides]
    return tuple(chain for side in sides for chain in side)


def services(spec: ClusterSpec) -> tuple[Service, ...]:
    """The IPVS services as the kernel should have them while every real server is healthy."""
    return tuple(_service(spec, side) for side in spec.sides)


def _service(spec: ClusterSpec, side: Side) -> Service:
    servers = (
        Destination(str(s.at(side.family)), 0, spec.forwarding, s.weight, s.upper_threshold, s.lower_threshold)
        for s in spec.in_service(side.family)
    )
    granularity = spec.persistence_granularity % 32 if side.family == 4 else spec.persistence_granularity6 % 128
    return Service(
        fwmark(spec.mark, side.family),
        spec.scheduler,
        spec.persistence_timeout,
        tuple(sorted(servers)),
        granularity if spec.persistence_timeout else 0,
        spec.scheduler_flags,
    )


def _joins(spec: ClusterSpec, observed: Observed) -> bool:
    """Whether the cluster comes to a group that runs already.

    An instance that is made and put into a running group by one reload takes the whole group down for some seconds; one
    that runs first and joins afterwards moves nothing (keepalived 2.2.7, measured).
    """
    folder = keepalived.member_path(spec.group, "x").removesuffix("x")
    members = {
        p.removeprefix(folder) for p, text in observed.files.items() if p.startswith(folder) and text is not None
    }
    active = observed.unit("keepalived.service").active == "active"
    return active and bool(members) and spec.name not in members


def keepalived_files(spec: ClusterSpec, router: RouterSpec, *, joins: bool = False) -> tuple[OwnFile, ...]:
    """The script comes before what names it. `joins`: the cluster comes to a group that runs already."""
    member = keepalived.member_path(spec.group, spec.name)
    found = []
    if spec.check.kind == "ftp":
        path = ftp_check.script_path(spec.name)
        found.append(OwnFile("script", path, ftp_check.script(spec.name), "run", "Logs in to the real servers", 0o755))
    return (
        *found,
        *(
            OwnFile("keepalived", path, text, "join" if joins and path == member else "run", "Virtual service, VRRP")
            for path, text in keepalived.files(spec, router).items()
        ),
    )


def _kernel_files(spec: ClusterSpec, existing: Mapping[str, str | None]) -> tuple[OwnFile, ...]:
    texts = kernel.files(spec, existing)
    found = []
    if MODPROBE_FILE in texts:
        why = "The helper learns its ports when it is loaded"
        found.append(OwnFile("modprobe", MODPROBE_FILE, texts[MODPROBE_FILE], "run", why))
    if MODULE_FILE in texts:
        found.append(OwnFile("module", MODULE_FILE, texts[MODULE_FILE], "persist", "Loaded at boot"))
    if SYSCTL_FILE in texts:
        found.append(OwnFile("sysctl", SYSCTL_FILE, texts[SYSCTL_FILE], "persist", "Set at boot"))
    return tuple(found)


def _nft_files(table: nftables.OwnTable, observed: Observed) -> tuple[OwnFile, ...]:
    main = nftables.MAIN[observed.facts.platform]
    return (
        OwnFile("nft", nftables.path(table), nftables.file_text(table), "persist", "Our table at boot"),
        OwnFile(
            "nft-include",
            main,
            nftables.main_text(observed.files.get(main) or ""),
            "persist",
            "One line, at the end, includes our tables",
            0o755 if observed.files.get(main) is None and observed.facts.platform == "debian" else 0o644,
        ),
    )


def _unwanted(spec: ClusterSpec, wanted: set[str], files: Mapping[str, str | None]) -> tuple[str, ...]:
    """Files of ours that this cluster no longer needs: its script, its place in another group, an empty group."""
    here = {path for path, text in files.items() if text is not None}
    mine = {
        p
        for p in here
        if p == ftp_check.script_path(spec.name)
        or (p.startswith(f"{INCLUDE_DIR}/") and p.endswith(f".group.d/{spec.name}"))
    }
    gone = mine - wanted
    for path in sorted(mine - wanted):
        folder = path.rpartition("/")[0]
        others = [p for p in here if p.startswith(f"{folder}/") and p not in gone]
        group = folder.removesuffix(".d") + ".conf"
        if folder.endswith(".group.d") and not others and group in here and group not in wanted:
            gone.add(group)
    return tuple(sorted(gone))


def _units(spec: ClusterSpec, observed: Observed, firewall: Firewall) -> tuple[str, ...]:
    if firewall == "nftables":
        loaders = ["nftables.service"]
    else:
        loaders = sorted({observed.facts.saved_unit(side.family) for side in spec.sides})
    settings = ("systemd-sysctl.service",) if kernel.sysctls(spec) else ()
    return ("systemd-modules-load.service", *settings, *loaders, "keepalived.service")
