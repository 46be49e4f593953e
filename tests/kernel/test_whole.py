"""Any sound cluster: what is planned is carried out by the programs that routers get, in a real kernel's namespace with
an /etc of its own; then it is looked at by the program that looks at routers, and no difference is left.

What a namespace cannot have is told by the steps: modules, units, the sysctls of IPVS, and what keepalived would put
into the kernel from the files that are there. The virtual routers show those.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbftp.core import program
from lbftp.core.diff import diff
from lbftp.core.observe import nftables
from lbftp.core.observe.answer import observed
from lbftp.core.observe.ipvs import Destination, Service, fwmark
from lbftp.core.observe.keepalived import MAIN
from lbftp.core.observe.keepalived.records import VirtualServer
from lbftp.core.observe.keepalived.tree import read
from lbftp.core.observe.keepalived.typed import meaning
from lbftp.core.observe.observed import Observed, Unit
from lbftp.core.observe.program import UNITS
from lbftp.core.observe.program import program as looking
from lbftp.core.ours import MODPROBE_FILE
from lbftp.core.plan import plan
from lbftp.core.render.desired import desired
from lbftp.core.spec import ClusterSpec, RouterSpec
from lbftp.core.steps import Step, steps
from tests.core.strategies import sound_specs
from tests.kernel.cases import FILTERS, foreign, tries
from tests.kernel.namespace import Namespace, namespace

Firewall = Literal["iptables", "nftables"]
FOLDERS = "keepalived iptables sysconfig nftables.d nftables.conf modprobe.d modules-load.d sysctl.d"
# What a kernel without IPVS and a system without systemd cannot do; each has its way to be told below.
TOLD = {"load-module", "reload-module", "reload-keepalived", "await-group", "enable-unit"}
# keepalived refuses a configuration that names an interface which the kernel does not have.
INTERFACES = """
for old in $(ip -o link show type veth | sed 's/^[0-9]*: \\([^@:]*\\).*/\\1/'); do ip link delete "$old" 2>/dev/null; done
for name in "$1" "$2"; do ip link show "$name" >/dev/null 2>&1 || ip link add "$name" type veth || exit 1; done
"""
TOKEN = "kernelnamespace"


@pytest.fixture(scope="module")
def alone() -> Iterator[Namespace]:
    with namespace(own_etc=True) as found:
        yield found


class Router:
    """One router in the namespace, as a distribution leaves it."""

    def __init__(self, alone: Namespace, place: RouterSpec, firewall: Firewall, filters: str) -> None:
        self.alone, self.name = alone, place.name
        loaders = {"nftables.service"} if firewall == "nftables" else {"netfilter-persistent.service"}
        self.units = {n: Unit(n, True, "inactive", "enabled" if n in loaders else "disabled") for n in UNITS}
        self.modules: frozenset[str] = frozenset()
        self.parameters: dict[str, str] = {}
        self.sysctls: dict[str, str] = {}
        self.services: dict[str, Service] = {}
        alone.run("sh", "-c", f"cd /etc && rm -rf {FOLDERS} && mkdir keepalived modprobe.d modules-load.d sysctl.d")
        alone.run("sh", "-c", INTERFACES, "sh", place.public_interface, place.internal_interface)
        alone.run("nft", "flush", "ruleset")
        for of_family in ("iptables", "ip6tables"):
            alone.run(f"{of_family}-restore", given=foreign(filters))

    def look(self) -> Observed:
        answer = self.alone.run("sh", given=looking()).encode("utf-8", "surrogateescape")
        found = observed(self.name, answer)
        facts = dataclasses.replace(found.facts, platform="debian")
        native = nftables.parse(self.alone.run("nft", "-j", "list", "ruleset"))
        return dataclasses.replace(
            found, facts=facts, nft=native, units=self.units, modules=self.modules, services=self.services,
            module_parameters=self.parameters, sysctls={**found.sysctls, **self.sysctls},
        )  # fmt: skip

    def carry_out(self, planned: Sequence[Step]) -> None:
        real = [s for s in planned if self._can(s)]
        self.alone.run("sh", given=program.apply(real, TOKEN))
        for step in planned:
            if step not in real:
                self._tell(step)

    def put_back(self, planned: Sequence[Step]) -> None:
        self.alone.run("sh", given=program.restore([s for s in planned if self._can(s)]))

    def _can(self, step: Step) -> bool:
        if step.kind == "set-sysctl":
            return self.alone.works("test", "-w", f"/proc/sys/{step.params['key'].replace('.', '/')}")
        return step.kind not in TOLD

    def _tell(self, step: Step) -> None:
        if step.kind in {"load-module", "reload-module"}:
            self.modules |= {step.params["module"]}
            self.parameters = _options(self.look().files.get(MODPROBE_FILE) or "")
        elif step.kind == "set-sysctl":
            self.sysctls[step.params["key"]] = step.params["value"]
        elif step.kind == "reload-keepalived":
            self._unit("keepalived.service", active="active")
            servers = meaning(read(self.look().files, MAIN)).virtual_servers
            self.services = {s.key: s for s in map(_in_the_kernel, servers)}
        elif step.kind == "enable-unit":
            self._unit(step.params["unit"], enabled="enabled")

    def _unit(self, name: str, **changes: Any) -> None:
        self.units = self.units | {name: dataclasses.replace(self.units[name], **changes)}


def _options(text: str) -> dict[str, str]:
    """What modprobe gives the module from its file."""
    words = [line.split() for line in text.splitlines() if line.startswith("options ")]
    return {f"{w[1]}.{o.partition('=')[0]}": o.partition("=")[2] for w in words for o in w[2:]}


def _in_the_kernel(server: VirtualServer) -> Service:
    """As keepalived enters a virtual_server of its files while every real server is healthy (keepalived.conf(5))."""
    assert server.mark is not None
    there = (
        Destination(str(r.address), r.port, r.method or server.method, r.weight, r.upper, r.lower)
        for r in server.real_servers
    )
    alone = (32, 128)[server.family == 6]
    granularity = 0 if server.granularity in {None, alone} or not server.persistence else server.granularity
    return Service(
        fwmark(server.mark, server.family),
        server.scheduler,
        server.persistence,
        tuple(sorted(there)),
        granularity or 0,
        server.flags,
    )


def apply(router: Router, spec: ClusterSpec) -> list[Step]:
    """The steps that were needed."""
    before = router.look()
    wanted = desired(spec, before)
    planned = steps(diff(wanted, before), wanted, before)
    router.carry_out(planned)
    return planned


@pytest.mark.parametrize("firewall", ["iptables", "nftables"])
@given(spec=sound_specs(), other=sound_specs(), filters=st.sampled_from(sorted(FILTERS)))
@tries(5, 200)
def test_nothing_differs_after_an_apply(
    alone: Namespace, firewall: Firewall, spec: ClusterSpec, other: ClusterSpec, filters: str
) -> None:
    router = Router(alone, spec.routers[0], firewall, filters)
    before = router.look()
    assert diff(desired(spec, before), before)
    first = apply(router, spec)
    after = router.look()
    assert diff(desired(spec, after), after) == []
    assert plan(spec, {router.name: after}).router(router.name).steps == ()

    # Another revision over it, and the way back from that.
    other = dataclasses.replace(other, name=spec.name, routers=spec.routers)
    second = apply(router, other)
    changed = router.look()
    # The helper is not unloaded under sessions that may use it: that it is still there is told, and stays.
    assert {d.kind for d in diff(desired(other, changed), changed)} <= {"helper-present"}
    router.put_back(second)
    again = router.look()
    assert (again.files, again.running, again.running6, again.nft) == (
        after.files, after.running, after.running6, after.nft,
    )  # fmt: skip
    router.put_back(first)
    once = router.look()
    assert (once.files, once.running, once.running6) == (before.files, before.running, before.running6)
