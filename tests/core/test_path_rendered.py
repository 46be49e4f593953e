"""What we render carries what a cluster promises: renderers and the packets' way agree, whatever the cluster."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import HealthCheck, given, settings

from lbftp.core.observe import iptables, nftables
from lbftp.core.observe.observed import Observed
from lbftp.core.path import explain
from lbftp.core.promise import promised
from lbftp.core.render import desired
from lbftp.core.render.artifact import OwnChain
from lbftp.core.spec import ClusterSpec
from tests.core.cases import pair
from tests.core.strategies import sound_specs

FRESH = pair("fresh")["r1"]
OPEN = iptables.Ruleset()
# Lost is whatever no rule lets through, at every place.
CLOSED = iptables.parse("*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT DROP [0:0]\nCOMMIT\n")


def bare(spec: ClusterSpec, rules: iptables.Ruleset, *, native: bool) -> Observed:
    """A router of the cluster before anything of ours is there."""
    seen = FRESH
    units = {
        name: dataclasses.replace(unit, active="inactive", enabled="disabled") for name, unit in seen.units.items()
    }
    wanted = "nftables.service" if native else "netfilter-persistent.service"
    unit = dataclasses.replace(seen.unit(wanted), exists=True, active="active", enabled="enabled")
    return dataclasses.replace(
        seen,
        router=spec.routers[0].name,
        units={**units, wanted: unit},
        running=rules,
        running6=rules,
        nft=nftables.NftRuleset() if native else None,
        services={},
    )


def applied(spec: ClusterSpec, seen: Observed) -> Observed:
    """The router with everything that the cluster wants of it."""
    want = desired(spec, seen)
    table = want.table.as_table if want.table else None
    return dataclasses.replace(
        seen,
        modules=seen.modules | set(want.modules),
        module_parameters={"ip_vs_ftp.ports": ",".join(map(str, want.helper_ports))},
        sysctls={**seen.sysctls, **dict(want.sysctls)},
        running=with_chains(seen.running, want.chains_of(4)),
        running6=with_chains(seen.running6, want.chains_of(6)),
        nft=nftables.NftRuleset({(table.family, table.name): table}) if table else None,
        services={service.key: service for service in want.services},
    )


def with_chains(rules: iptables.Ruleset, own: tuple[OwnChain, ...]) -> iptables.Ruleset:
    tables = {name: dict(chains) for name, chains in rules.tables.items()}
    for chain in own:
        table = tables.setdefault(chain.table, {})
        builtin = table.get(chain.builtin, iptables.Chain(chain.builtin, "ACCEPT"))
        jump = iptables.rule(f"-j {chain.name}")
        table[builtin.name] = dataclasses.replace(builtin, rules=(jump, *builtin.rules))
        table[chain.name] = iptables.Chain(chain.name, "-", chain.rules)
    return iptables.Ruleset(tables)


@pytest.mark.parametrize(
    ("rules", "native"), [(OPEN, False), (CLOSED, False), (OPEN, True)], ids=["open", "closed", "nft"]
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spec=sound_specs())
def test_what_is_rendered_carries_what_is_promised(spec: ClusterSpec, rules: iptables.Ruleset, native: bool) -> None:
    seen = applied(spec, bare(spec, rules, native=native))
    for one in explain(spec, promised(spec), seen):
        assert one.prediction.works, (one.client, one.prediction.reason)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spec=sound_specs())
def test_expectation_and_rendered_router_agree_on_every_kind(spec: ClusterSpec) -> None:
    """Also on those that are not promised."""
    found = {
        one.client: one.prediction.outcome for one in explain(spec, None, applied(spec, bare(spec, OPEN, native=False)))
    }
    assert found == {one.client: one.prediction.outcome for one in explain(spec)}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spec=sound_specs())
def test_a_bare_router_carries_nothing(spec: ClusterSpec) -> None:
    for rules, word in ((OPEN, "refused"), (CLOSED, "timeout")):
        found = explain(spec, promised(spec), bare(spec, rules, native=False))
        assert {one.prediction.outcome for one in found} == {word}
