"""The folded sections of a cluster's form: what most clusters leave as the guide has it, each summed up in a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lbftp.clusters.drafts import draft_defaults, flat
from lbftp.core.job import GUARD_SECONDS

Values = Mapping[str, Any]
# What is set in a section and kept beside the draft: approvals are not about it.
BESIDE: Final = {"guard_seconds": GUARD_SECONDS, "confirm_by_hand": False}


@dataclass(frozen=True, slots=True)
class Section:
    """`only` is a class that hides the section where the chosen mode or forwarding has no use for it (lbftp.css)."""

    key: str
    title: str
    fields: tuple[str, ...]
    say: Callable[[Values], str]
    only: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """A section's values in a line. `changed`: they are not the guide's."""

    key: str
    text: str
    changed: bool


def _ipv6(v: Values) -> str:
    return f"VIP {v['vip6']}" if v["vip6"] else "none"


def _balancing(v: Values) -> str:
    parts = [" ".join([str(v["scheduler"]), *_some(v["scheduler_flags"])])]
    parts.append(f"{v['persistence_timeout']} s persistence" if _given(v["persistence_timeout"]) else "no persistence")
    if (v["persistence_granularity"], v["persistence_granularity6"]) != (32, 128):
        parts.append(f"by /{v['persistence_granularity']} and /{v['persistence_granularity6']}")
    parts += [f"quorum {v['quorum']}"] if v["quorum"] != 1 else []
    if sorry := " and ".join(str(v[name]) for name in ("sorry_server", "sorry_server6") if v[name]):
        parts.append(f"sorry server {sorry}")
    parts += ["failed servers keep weight 0"] if v["inhibit_on_failure"] else []
    return ", ".join(parts)


def _check(v: Values) -> str:
    kind = "FTP login" if v["check"] == "ftp" else "TCP"
    return f"{kind} every {v['delay_loop']} s, {v['connect_timeout']} s for an answer, {v['retry']} further tries"


def _vrrp(v: Values) -> str:
    parts = [f"id {v['vrid']}, internal {v['internal_vrid']}"]
    parts += [f"group {v['group']}"] if v["group"] else []
    parts.append(f"every {v['advert_int']} s")
    if not v["preempt"]:
        parts.append("no preemption")
    elif _given(v["preempt_delay"]):
        parts.append(f"preempts after {v['preempt_delay']} s")
    named = {"unicast": "unicast", "track_interfaces": "tracks links", "sync_connections": "connections synced"}
    return ", ".join(parts + [word for name, word in named.items() if v[name]])


def _active(v: Values) -> str:
    words = {"masquerade": "from the router's own address", "snat": "from the VIP", "none": "no way out"}
    return words.get(str(v["active"]), str(v["active"]))


def _capacity(v: Values) -> str:
    return f"{v['expected_sessions']} sessions at a time" if _given(v["expected_sessions"]) else "not known"


def _safe(v: Values) -> str:
    who = "a person confirms; " if v["confirm_by_hand"] else ""
    return f"{who}routers put themselves back after {v['guard_seconds']} s without confirmation"


SECTIONS: Final = (
    Section("ipv6", "IPv6", ("vip6", "floating6", "internal_network6"), _ipv6),
    Section(
        "balancing", "Balancing",
        ("scheduler", "scheduler_flags", "persistence_timeout", "persistence_granularity", "persistence_granularity6",
         "quorum", "sorry_server", "sorry_server6", "inhibit_on_failure"), _balancing,
    ),
    Section("checks", "Health checks", ("check", "delay_loop", "connect_timeout", "retry"), _check),
    Section(
        "vrrp", "Failover (VRRP)",
        ("group", "vrid", "internal_vrid", "advert_int", "preempt", "preempt_delay", "unicast", "track_interfaces",
         "sync_connections"), _vrrp,
    ),
    Section("active", "Active mode", ("active",), _active, "if-nat"),
    Section("capacity", "Capacity", ("expected_sessions",), _capacity),
    Section("safe", "Safe apply", tuple(BESIDE), _safe),
)  # fmt: skip


# Every cluster of a pair has to have its own, so that to differ from the guide says nothing.
_OWN: Final = ("vrid", "internal_vrid")


def summaries(values: Values) -> list[Summary]:
    """Of every section, from the values by the form's names, `BESIDE` among them, half typed ones as well."""
    guide = {**flat(draft_defaults()), **BESIDE}
    telling = {s.key: [f for f in s.fields if f not in _OWN] for s in SECTIONS}
    return [Summary(s.key, s.say(values), any(values[f] != guide[f] for f in telling[s.key])) for s in SECTIONS]


def _given(value: Any) -> bool:
    return value not in (0, "", None)


def _some(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, (list, tuple)) else []
