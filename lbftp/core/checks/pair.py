"""The two routers beside each other: who carries the clients and who should, what each holds of
the real servers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lbftp.core.findings import Finding, finding, master
from lbftp.core.observe.ipvs import Service, fwmark
from lbftp.core.observe.observed import Observed
from lbftp.core.spec import ClusterSpec, RealServerSpec, Side


def check(spec: ClusterSpec, observed: Mapping[str, Observed]) -> Iterator[Finding]:
    for name in sorted(observed):
        for side in spec.sides:
            yield from _rotation(spec, side, observed[name])
    yield from _health(spec, observed)
    yield from _planned(spec, observed)


def _service(spec: ClusterSpec, side: Side, observed: Observed) -> Service | None:
    return observed.services.get(fwmark(spec.mark, side.family))


def _rotation(spec: ClusterSpec, side: Side, observed: Observed) -> Iterator[Finding]:
    """What is left of the real servers (keepalived.conf(5), quorum: the sum of weights)."""
    service = _service(spec, side, observed)
    ours = {str(s.at(side.family)) for s in spec.servers(side.family) if s.weight}
    if service is None or not ours:
        return
    weight = sum(d.weight for d in service.destinations if d.address in ours)
    expected = f"{len(ours)} real servers"
    if weight == 0:
        yield finding("no-servers", observed.router, expected, "none", family=side.family)
    elif weight < spec.quorum:
        wanted, left = f"quorum {spec.quorum}", f"weight {weight}"
        fields = {"family": side.family, "weight": weight, "quorum": spec.quorum}
        yield finding("quorum-lost", observed.router, wanted, left, **fields)


def _health(spec: ClusterSpec, observed: Mapping[str, Observed]) -> Iterator[Finding]:
    """A server that one router's health check lost while another's did not."""
    for side in spec.sides:
        serving = _serving(spec, side, observed)
        for server in spec.servers(side.family):
            if server.weight:
                yield from _lost_by_one(spec, server, str(server.at(side.family)), serving, observed)


def _serving(
    spec: ClusterSpec,
    side: Side,
    observed: Mapping[str, Observed],
) -> dict[str, set[str]]:
    """Router -> addresses of the real servers that get clients there; routers without the
    service are left out.
    """
    found: dict[str, set[str]] = {}
    for name in sorted(observed):
        service = _service(spec, side, observed[name])
        if service is not None:
            found[name] = {d.address for d in service.destinations if d.weight}
    return found


def _lost_by_one(
    spec: ClusterSpec,
    server: RealServerSpec,
    address: str,
    serving: Mapping[str, set[str]],
    observed: Mapping[str, Observed],
) -> Iterator[Finding]:
    there = [name for name, addresses in serving.items() if address in addresses]
    if not there:
        # Both lost it, so the server itself is the matter: that is found elsewhere.
        return

    for name in sorted(set(serving) - set(there)):
        word = observed[name].beside.word(spec.mark, address)
        # Without a word of keepalived's nobody knows that it was the health check.
        if word is None or word.serves:
            continue
        why = word.why or "not in rotation"
        yield finding("health-differs", name, "in rotation", why, server=server.name, there=there[0])


def awaited(spec: ClusterSpec, observed: Mapping[str, Observed]) -> str:
    """The router that has to take the VIP from the other one at any moment now (RFC 5798,
    6.4.2); '' if none has.
    """
    holder, planned = master(spec, observed), _highest(spec)
    if not holder or holder == planned or planned not in observed or not _runs(observed[planned]):
        return ""
    return planned if spec.vrrp.preempt and not spec.vrrp.preempt_delay else ""


def _planned(spec: ClusterSpec, observed: Mapping[str, Observed]) -> Iterator[Finding]:
    """RFC 5798: the highest priority is master, unless it may not preempt or has only just come."""
    holder, planned = master(spec, observed), _highest(spec)
    if not holder or holder == planned or planned not in observed:
        return

    names = {"holder": holder, "planned": planned}
    if awaited(spec, observed):
        yield finding("preemption-fails", "", planned, holder, **names)
        return

    if not _runs(observed[planned]):
        why = f"keepalived does not run on {planned}"
        remedy = f"Start keepalived on {planned} (systemctl start keepalived)."
    elif not spec.vrrp.preempt:
        why = f"without preemption it keeps them until it fails ({planned} is there)"
        remedy = "Nothing, if that is meant."
    else:
        why = f"{planned} takes over {spec.vrrp.preempt_delay} s after it has come back"
        remedy = "Look again after that time."
    yield finding("backup-serves", "", planned, holder, why=why, remedy=remedy, **names)


def _highest(spec: ClusterSpec) -> str:
    return max(spec.routers, key=lambda r: r.priority).name


def _runs(observed: Observed) -> bool:
    return observed.unit("keepalived.service").active == "active"
