"""What runs on routers comes back as a cluster: from hand-made files, and from what lbftp rendered itself."""

from __future__ import annotations

import dataclasses
import json
import random
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lbftp.core.importing import Proposal, propose
from lbftp.core.observe import facts, iptables, ipvs, nftables
from lbftp.core.observe.iptables import Chain, Ruleset
from lbftp.core.observe.keepalived import MAIN, promised
from lbftp.core.observe.nftables import NftRuleset
from lbftp.core.observe.observed import Facts, Observed, Unit
from lbftp.core.ours import INCLUDE_LINE
from lbftp.core.render import desired, keepalived
from lbftp.core.render.artifact import OwnChain
from lbftp.core.spec import ClusterSpec, RouterSpec
from tests.core.cases import GUIDE, golden
from tests.core.strategies import sound_specs

DATA = Path(__file__).parent / "data" / "import"
CASES = sorted(p.name for p in DATA.iterdir())


def router(folder: Path) -> Observed:
    """A router from its folder: `addr`, `iptables`, `ip6tables`, `ipvs`, `nft`, `modules`, `os` as printed, and `etc`."""

    def printed(name: str) -> str:
        file = folder / name
        return file.read_text() if file.exists() else ""

    platform, pretty = facts.os_release(printed("os"))
    addresses = facts.addresses(printed("addr"))
    known = Facts(f"{folder.name}.example", platform, pretty, "6.1", "2.2.7", "1.8.9", addresses, frozenset())
    files: dict[str, str | None] = {
        f"/{p.relative_to(folder)}": p.read_text() for p in sorted((folder / "etc").rglob("*")) if p.is_file()
    }
    return Observed(
        router=folder.name,
        facts=known,
        modules=frozenset(line.split()[0] for line in printed("modules").splitlines()),
        sysctls={},
        running=iptables.parse(printed("iptables")),
        saved=iptables.parse(files.get(known.rules_path) or ""),
        services=ipvs.parse(printed("ipvs")),
        files=files,
        units={},
        running6=iptables.parse(printed("ip6tables")),
        saved6=iptables.parse(files.get(known.saved_path(6)) or ""),
        nft=nftables.parse(printed("nft")) if printed("nft") else None,
    )


def pair_of(case: str) -> dict[str, Observed]:
    return {p.name: router(p) for p in sorted((DATA / case).iterdir())}


def found(case: str) -> list[Proposal]:
    return propose(pair_of(case))


@pytest.mark.parametrize("case", CASES)
def test_hand_made_routers(case: str) -> None:
    proposals = found(case)
    golden(f"import-{case}.json", json.dumps([p.to_json() for p in proposals], indent=1) + "\n")
    for proposal in proposals:
        assert proposal.spec is not None, proposal.problem
        assert proposal.spec.name == proposal.name


def test_the_guides_own_set_up_is_taken_over_whole() -> None:
    (proposal,) = found("guide")
    assert proposal.spec is not None
    assert proposal.spec.vrrp.vrid == 50
    assert proposal.spec.vrrp.internal_vrid == 2
    renamed = tuple(
        dataclasses.replace(r, public_interface="pub0", internal_interface="int0") for r in proposal.spec.routers
    )
    assert dataclasses.replace(proposal.spec, routers=renamed, vrrp=GUIDE.vrrp) == GUIDE
    assert [(item.what, item.router) for item in proposal.left] == [("mode", "r1, r2")]
    places = {item.place for item in proposal.in_the_way if "r1" in item.router}
    assert places == {
        "/etc/keepalived/keepalived.conf:1",
        "/etc/keepalived/keepalived.conf:7",
        "/etc/keepalived/keepalived.conf:17",
        "/etc/keepalived/keepalived.conf:27",
        "iptables, mangle PREROUTING",
        "iptables, nat POSTROUTING",
        "/etc/iptables/rules.v4, mangle PREROUTING",
        "/etc/iptables/rules.v4, nat POSTROUTING",
    }


def test_nothing_is_found_where_nothing_is() -> None:
    assert propose({}) == []
    guide = router(DATA / "guide" / "r1")
    bare = dataclasses.replace(guide, running=Ruleset(), saved=Ruleset(), services={}, files={MAIN: ""})
    assert propose({"r1": bare}) == []


def test_other_services_by_mark_are_no_clusters() -> None:
    pair = pair_of("guide")
    web = "-A PREROUTING -d 192.0.2.100/32 -p tcp -m multiport --dports 80,443 -j MARK --set-xmark 0x50/0xffffffff"
    text = "virtual_server fwmark 80 {\n real_server 10.0.50.11 {\n TCP_CHECK {\n connect_port 80\n } } }\n"
    r1 = dataclasses.replace(
        pair["r1"],
        running=iptables.parse(f"*mangle\n{web}\nCOMMIT\n"),
        saved=Ruleset(),
        services={},
        files={MAIN: text},
    )
    assert propose({"r1": r1}) == []


def test_a_broken_configuration_is_left_over_and_the_kernel_is_asked() -> None:
    pair = {
        name: dataclasses.replace(o, files={**o.files, MAIN: (o.files[MAIN] or "") + "}\n"})
        for name, o in pair_of("guide").items()
    }
    (proposal,) = propose(pair)
    assert proposal.left[0].why.startswith("cannot be read: ")
    assert [s["address"] for s in proposal.fields["real_servers"]] == ["10.0.50.11", "10.0.50.12"]
    assert proposal.fields["scheduler"] == "wlc"
    assert ("ipvsadm", "the service fwmark 21") in [(i.place, i.what) for i in proposal.in_the_way]


def test_what_two_routers_have_differently_is_told() -> None:
    (proposal,) = found("by-hand")
    told = {item.what: item.why for item in proposal.left if item.router == "r2" and "r1 has" in item.why}
    assert told == {
        "scheduler": "r2 has wlc, r1 has rr, which is taken",
        "real_servers": "r2 has old-ftp weight 3, r1 has old-ftp weight 2, which is taken",
    }


def rendered(spec: ClusterSpec, filter_drops: bool = False, native: tuple[str, ...] = ()) -> dict[str, Observed]:
    """The routers of `spec` as an apply leaves them; those in `native` use nftables."""
    return {r.name: _applied(spec, r, filter_drops, r.name in native) for r in spec.routers}


def _fresh(router: RouterSpec, filter_drops: bool, native: bool) -> Observed:
    policy = "DROP" if filter_drops else "ACCEPT"
    before = Ruleset({"filter": {n: Chain(n, policy) for n in ("INPUT", "FORWARD")}})
    sides = (
        (router.internal_interface, (router.internal_address, router.internal_address6)),
        (router.public_interface, (router.public_address, router.public_address6)),
    )
    interfaces = {name: tuple(a for a in own if a is not None) for name, own in sides}
    unit = "nftables.service" if native else "netfilter-persistent.service"
    return Observed(
        router=router.name,
        facts=Facts(router.name, "debian", "Debian", "6.1", "2.2.7", "1.8.9", interfaces, frozenset()),
        modules=frozenset(),
        sysctls={},
        running=before,
        saved=before,
        services={},
        files={MAIN: INCLUDE_LINE + "\n"},
        units={unit: Unit(unit, True, "active", "enabled")},
        running6=before,
        saved6=before,
        nft=NftRuleset(),
    )


def _applied(spec: ClusterSpec, router: RouterSpec, filter_drops: bool, native: bool) -> Observed:
    fresh = _fresh(router, filter_drops, native)
    wanted = desired(spec, fresh)
    assert (wanted.table is not None) == native
    table = wanted.table.as_table if wanted.table else None
    return dataclasses.replace(
        fresh,
        modules=frozenset(wanted.modules),
        running=_ruleset(wanted.chains_of(4)),
        running6=_ruleset(wanted.chains_of(6)),
        services={s.key: s for s in wanted.services},
        files={**fresh.files, **{f.path: f.text for f in wanted.files}},
        module_parameters={"ip_vs_ftp.ports": ",".join(map(str, wanted.helper_ports))} if wanted.helper_ports else {},
        nft=NftRuleset({(table.family, table.name): table} if table else {}),
    )


def _ruleset(chains: tuple[OwnChain, ...]) -> Ruleset:
    tables: dict[str, dict[str, Chain]] = {}
    for own in chains:
        table = tables.setdefault(own.table, {})
        table[own.name] = Chain(own.name, "-", own.rules)
        table[own.builtin] = Chain(own.builtin, "ACCEPT", (own.jump,))
    return Ruleset(tables)


def shown(spec: ClusterSpec) -> ClusterSpec:
    """`spec` without what no router could show: values of an IP version that the cluster does not have."""
    gone: dict[str, Any] = {} if spec.vip else {"persistence_granularity": 32}
    gone |= {} if spec.vip6 else {"persistence_granularity6": 128}
    return dataclasses.replace(spec, **gone)


def with_promises(spec: ClusterSpec, observed: dict[str, Observed]) -> dict[str, Observed]:
    """The routers with the line that tells what was promised in the cluster's file."""
    path = keepalived.path(spec.name)
    return {
        name: dataclasses.replace(o, files={**o.files, path: f"{promised.line(spec)}\n{o.files[path]}"})
        for name, o in observed.items()
    }


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(sound_specs(), st.booleans(), st.sampled_from(((), ("r1",), ("r1", "r2"))))
def test_what_lbftp_rendered_comes_back(spec: ClusterSpec, filter_drops: bool, native: tuple[str, ...]) -> None:
    (proposal,) = propose(with_promises(spec, rendered(spec, filter_drops, native)))
    assert proposal.problem == ""
    assert proposal.spec == shown(spec)
    assert proposal.in_the_way == ()
    assert proposal.left == ()


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(sound_specs())
def test_without_that_line_what_routers_show_comes_back(spec: ClusterSpec) -> None:
    routers = {
        name: dataclasses.replace(o, files={p: _without_promises(t) for p, t in o.files.items()})
        for name, o in rendered(spec).items()
    }
    (proposal,) = propose(routers)
    assert proposal.spec is not None
    unseen = dict.fromkeys(("mode", "tls", "active", "control_ports", "implicit_ports", "expected_sessions"))
    values: dict[str, Any] = {name: getattr(spec, name) for name in unseen}
    vrrp = dataclasses.replace(
        proposal.spec.vrrp,
        group=spec.vrrp.group,
        internal_vrid=spec.vrrp.internal_vrid if not spec.nat else proposal.spec.vrrp.internal_vrid,
    )
    assert dataclasses.replace(proposal.spec, **values, vrrp=vrrp) == shown(spec)
    assert proposal.spec.ports == spec.ports
    assert proposal.spec.group == spec.group or not spec.nat


def _without_promises(text: str | None) -> str | None:
    return text and "".join(line for line in text.splitlines(True) if not line.startswith(promised.PREFIX))


def test_two_clusters_of_a_pair_come_back_each_by_itself() -> None:
    one = dataclasses.replace(GUIDE, vrrp=dataclasses.replace(GUIDE.vrrp, group="pair"))
    two = dataclasses.replace(
        one, name="tls", vip=IPv4Address("192.0.2.101"), mark=22, mode="advertise", tls=True, implicit_ports=(990,),
        vrrp=dataclasses.replace(one.vrrp, vrid=22), expected_sessions=700,
    )  # fmt: skip
    first, second = with_promises(one, rendered(one)), with_promises(two, rendered(two))
    both = {name: _beside(first[name], second[name]) for name in first}
    assert [p.spec for p in propose(both)] == [one, two]
    assert all(p.left == () and p.in_the_way == () for p in propose(both))


def _beside(one: Observed, two: Observed) -> Observed:
    tables = {
        table: {**two.running.tables.get(table, {}), **one.running.tables.get(table, {})}
        for table in {*one.running.tables, *two.running.tables}
    }
    return dataclasses.replace(
        one,
        modules=one.modules | two.modules,
        running=Ruleset(tables),
        services={**one.services, **two.services},
        files={**two.files, **one.files},
    )


def test_no_damage_to_what_routers_hold_breaks_an_import() -> None:
    chance = random.Random(21)  # noqa: S311 - the same damage each time
    pieces = ["}", "{", '"', "\n", "0", "999999999999", "::", "/", " fwmark 7 ", "virtual_server ", "10.0.0.1 ", "%x"]
    pairs = [pair_of(case) for case in CASES]
    for _ in range(300):
        damaged = {name: _damaged(o, chance, pieces) for name, o in chance.choice(pairs).items()}
        for proposal in propose(damaged):
            assert json.loads(json.dumps(proposal.to_json())) == proposal.to_json()


def _damaged(observed: Observed, chance: random.Random, pieces: list[str]) -> Observed:
    files = dict(observed.files)
    for path in chance.sample(sorted(files), min(2, len(files))):
        text = files[path] or ""
        for _ in range(chance.randint(0, 4)):
            at = chance.randrange(len(text) + 1)
            text = text[:at] + chance.choice(pieces) + text[at + chance.choice((0, 1, 12)) :]
        files[path] = text
    services = {} if chance.random() < 0.5 else observed.services
    running = Ruleset() if chance.random() < 0.3 else observed.running
    return dataclasses.replace(observed, files=files, services=services, running=running)
