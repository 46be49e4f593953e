"""Proofs that disturb, and router maintenance: what is planned from what the pair holds, and what speaks against it.

Nothing here changes what a router is to hold: the steps restart, reboot, rest and bring back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from lbftp.core import ours
from lbftp.core.findings import findings, master
from lbftp.core.foreign_rules import foreign_rules, unsaved_rules
from lbftp.core.observe.observed import Observed
from lbftp.core.plan import Plan, RouterPlan
from lbftp.core.problem import Problem
from lbftp.core.render.desired import services
from lbftp.core.spec import FAMILIES, ClusterSpec, Family
from lbftp.core.steps import Params, Step

# What is done about rules that others only run, which a restart of the firewall unit loses.
REFUSE, PUT_BACK, LET_GO = "refuse", "put-back", "let-go"
FOREIGN: Final = (REFUSE, PUT_BACK, LET_GO)
_SHOWN: Final = 50

Observations = Mapping[str, Observed]


def only_running(observed: Observed) -> list[str]:
    """Foreign rules that run on a router and that a restart of its firewall unit loses, as 'TABLE: RULE' in order.

    Of native tables nobody can tell from outside which of them their unit's file loads: all foreign ones count.
    """
    if observed.firewall == "nftables":
        tables = sorted((observed.nft.tables if observed.nft else {}).items())
        return [
            f"nftables table {family} {name}: {sum(len(c.rules) for c in table.chains.values())} rules"
            for (family, name), table in tables
            if not name.startswith(ours.TABLE_PREFIX)
        ]
    return [line for family in FAMILIES for line in _unsaved(observed, family)]


def _unsaved(observed: Observed, family: Family) -> Iterator[str]:
    version = " (IPv6)" if family == 6 else ""
    for table, chain, rule in unsaved_rules(observed, family):
        yield f"{table}{version}: {chain.name} {rule.text}"


def missing(before: Observed, now: Observed) -> list[str]:
    """Foreign rules that ran before and do not run now; native tables that are not as they were."""
    found = []
    for family in FAMILIES:
        here = {(t, c.name, r.tokens) for t, c, r in now.rules(family).rules()}
        for table, chain, rule in foreign_rules(before.rules(family)):
            if (table, chain.name, rule.tokens) not in here:
                found.append(f"{table}{' (IPv6)' if family == 6 else ''}: {chain.name} {rule.text}")
    if before.firewall == "nftables" and before.nft is not None:
        tables = now.nft.tables if now.nft else {}
        for (kind, name), native in sorted(before.nft.tables.items()):
            if not name.startswith(ours.TABLE_PREFIX) and tables.get((kind, name)) != native:
                found.append(f"nftables table {kind} {name}")
    return found


def come(before: Observed, now: Observed) -> list[str]:
    """Foreign rules that run now, ran not before and are in no saved file: somebody put them there meanwhile."""
    known = {
        (f, t, c.name, r.tokens) for f in FAMILIES for s in (before, now) for t, c, r in s.saved_rules(f).rules()
    } | {(f, t, c.name, r.tokens) for f in FAMILIES for t, c, r in before.rules(f).rules()}
    return [
        f"{table}: {chain.name} {rule.text}"
        for family in FAMILIES
        for table, chain, rule in now.rules(family).rules()
        if not chain.name.startswith(ours.CHAIN_PREFIX) and (family, table, chain.name, rule.tokens) not in known
    ]


def restart_plan(spec: ClusterSpec, observed: Observations, params: Mapping[str, Any]) -> Plan:
    """The guide's last step on both routers. The digest covers which rules of others go for good, if they do."""
    return _plan(spec, observed, "restart", lambda name: _restart(spec, observed[name], params))


def _restart(spec: ClusterSpec, observed: Observed, params: Mapping[str, Any]) -> list[Step]:
    foreign, units = only_running(observed), firewall_units(observed)
    gone = foreign if params.get("foreign") == LET_GO else []
    names = " and ".join(units)
    made = [
        _step("keep-rules", "Write down the rules that run", "Also what others only run", {}),
        _step("restart-units", f"Restart {names}", "The guide's last step", {"units": list(units), "gone": gone}),
    ]
    if foreign and not gone:
        why = f"{len(foreign)} rules of others run and are not saved: they come back exactly as they ran"
        made.append(_step("put-back-rules", "Put back what others only ran", why, {}))
    why = "It starts anew from its files; the VIP moves if this router holds it"
    made.append(_step("restart-keepalived", "Restart keepalived", why, _services(spec)))
    return made


def firewall_units(observed: Observed) -> tuple[str, ...]:
    """The units that load the packet filter here at boot."""
    if observed.firewall == "nftables":
        return ("nftables.service",)
    names = dict.fromkeys(observed.facts.saved_unit(family) for family in FAMILIES)
    return tuple(n for n in names if n == observed.facts.firewall_unit or observed.unit(n).starts_at_boot)


def reboot_plan(spec: ClusterSpec, observed: Observations, params: Mapping[str, Any]) -> Plan:
    """A reboot of the chosen routers; whoever holds the VIP hands it over first."""
    chosen, holder = set(params.get("routers") or observed), master(spec, observed)
    seconds = int(params.get("patience", 600))

    def one(name: str) -> list[Step]:
        made = []
        if name == holder:
            made.append(_step("stop-keepalived", "Hand the VIP over", "keepalived stops and says so to the other", {}))
        why = f"It has to come back complete within {seconds} s"
        return [*made, _step("reboot", f"Reboot {name}", why, {"patience": seconds})]

    return _plan(spec, observed, "reboot", lambda name: one(name) if name in chosen else [])


def failover_plan(spec: ClusterSpec, observed: Observations, _params: Mapping[str, Any]) -> Plan:
    """keepalived stops on whoever holds the VIP, and starts again."""
    holder = master(spec, observed)
    made = [
        _step("stop-keepalived", "Stop keepalived", "The other router has to take over", {}),
        _step("start-keepalived", "Start keepalived again", back_words(spec), _services(spec)),
    ]
    return _plan(spec, observed, "failover", lambda name: made if name == holder else [])


def back_words(spec: ClusterSpec) -> str:
    """Who holds the VIP once keepalived runs on both again."""
    if not spec.vrrp.preempt:
        return "Without preemption the other router keeps the VIP"
    delay = f" after {spec.vrrp.preempt_delay} s" if spec.vrrp.preempt_delay else ""
    return f"The router of the higher priority takes the VIP back{delay}"


def maintenance_plan(spec: ClusterSpec, observed: Observations, params: Mapping[str, Any]) -> Plan:
    """One router rests, or comes back."""
    name = str(params.get("router", ""))
    if params.get("out"):
        why = "Its addresses move to the other router at once; it stays like this over reboots"
        made = [_step("rest-keepalived", f"Take {name} out", why, _services(spec))]
    else:
        made = [_step("return-keepalived", f"Bring {name} back", back_words(spec), _services(spec))]
    return _plan(spec, observed, "maintenance", lambda n: made if n == name else [])


def _plan(spec: ClusterSpec, observed: Observations, kind: str, steps: Callable[[str], list[Step]]) -> Plan:
    routers = tuple(RouterPlan(n, tuple(steps(n)), (), tuple(_notes(observed[n], kind))) for n in sorted(observed))
    return Plan(spec.name, spec.digest, routers, kind=kind)


def _notes(observed: Observed, kind: str) -> list[str]:
    found = only_running(observed) if kind in {"restart", "reboot"} else []
    if not found:
        return []
    what = "the firewall unit's restart" if kind == "restart" else "a reboot"
    return [f"{len(found)} rules of others run here and are in no saved file; {what} loses them:", *found[:_SHOWN]]


def _step(kind: str, title: str, why: str, params: Params) -> Step:
    return Step(kind, kind, title, "run", why, params)


def _services(spec: ClusterSpec) -> Params:
    return {"services": [s.key for s in services(spec)]}


def problems(spec: ClusterSpec, observed: Observations, kind: str, params: Mapping[str, Any]) -> list[Problem]:
    """What speaks against it, or has to be known."""
    if kind == "maintenance":
        return list(_not_alone(spec, observed, params))
    found = list(_unwell(spec, observed))
    if kind == "restart":
        found += _losses(observed, str(params.get("foreign", REFUSE)))
    if kind == "failover":
        found.append(_sync(spec))
    return found


def _unwell(spec: ClusterSpec, observed: Observations) -> Iterator[Problem]:
    """A pair is disturbed only while each router can stand in for the other."""
    for finding in findings(spec, observed):
        if finding.severity == "error":
            where = finding.router or "The pair"
            yield Problem("LBF021", "error", "routers", f"{where}: {finding.what}.", finding.remedy, finding.router)


def _losses(observed: Observations, choice: str) -> Iterator[Problem]:
    for name in sorted(observed):
        found = only_running(observed[name])
        if not found:
            continue
        reason = f"{name}: {len(found)} rules of others run and are not saved, such as «{found[0][:120]}»."
        if choice == REFUSE:
            remedy = (
                "The firewall unit's restart loses them: have them put back as they ran, or say that they may go "
                "(«Rules that others only run» in the proposal)."
            )
            yield Problem("LBF022", "error", "foreign", reason, remedy, name)
        elif choice == PUT_BACK:
            remedy = "They are gone for some seconds and come back exactly as they run now, counters aside."
            yield Problem("LBF023", "warning", "foreign", reason, remedy, name)
        else:
            remedy = "They go and stay gone: restart whoever made them afterwards."
            yield Problem("LBF024", "warning", "foreign", reason, remedy, name)


def _sync(spec: ClusterSpec) -> Problem:
    if spec.vrrp.sync_connections:
        reason = "Connections are told to the other router (lvs_sync_daemon)."
        return Problem("LBF025", "info", "vrrp", reason, "Sessions that go on should survive.")
    reason = "Connections are not told to the other router (no lvs_sync_daemon)."
    return Problem("LBF025", "warning", "vrrp", reason, "Sessions and transfers that go on are lost, twice.")


def _not_alone(spec: ClusterSpec, observed: Observations, params: Mapping[str, Any]) -> Iterator[Problem]:
    """A router goes only if the other one can carry everything."""
    name = str(params.get("router", ""))
    if not params.get("out"):
        return
    others = [r.name for r in spec.routers if r.name != name]
    if len(others) != 1 or name == others[0]:
        yield Problem("LBF026", "error", "router", f"{name} is not one of a pair.", "Choose a router of this cluster.")
        return
    for finding in findings(spec, observed):
        if finding.severity == "error" and finding.router in {others[0], ""}:
            where = finding.router or "The pair"
            remedy = f"{name} can go only while {others[0]} is well. {finding.remedy}"
            yield Problem("LBF027", "error", "router", f"{where}: {finding.what}.", remedy, finding.router)


def home(spec: ClusterSpec, before: str) -> str:
    """Who is to hold the VIP when both run again and `before` held it; '' if either may."""
    return before if spec.vrrp.preempt else ""
