"""Live numbers of a cluster: what its routers said last."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from lbftp.cli.ask import Ask
from lbftp.cli.exits import DONE, FAILED
from lbftp.core.measures import to_json
from lbftp.numbers.present import Present, RouterNow, present


def numbers(ask: Ask) -> int:
    """Done if a router holds the VIP and says how it is; failed if nobody does."""
    (found,) = present([ask.cluster()])
    ask.answer(_data(found), "\n".join(_text(found)))
    return DONE if found.master else FAILED


def _data(found: Present) -> dict[str, Any]:
    return {
        "cluster": found.cluster.name,
        "passive_ports": found.spec.passive.size if found.spec else None,
        "master": found.master.router if found.master else None,
        "routers": [
            {
                "router": one.name,
                "state": one.word,
                "answered_at": one.answered_at,
                "problem": one.problem,
                "measures": to_json(one.measures) if one.measures else None,
            }
            for one in found.routers
        ],
    }


def _text(found: Present) -> list[str]:
    if not found.spec:
        return [f"{found.cluster.name}: nothing is applied, so no router is asked."]
    lines = [line for one in found.routers for line in _router(one)]
    if not found.master:
        return [*lines, "No single router says that it holds the virtual address."]
    head = ("server", "weight", "active", "inactive", "sessions", "passive", "held", "in_bytes", "out_bytes")
    rows = [head, *(_row(asdict(one)) for one in found.master.servers)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(head))]
    return [*lines, *("  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in rows)]


def _router(one: RouterNow) -> list[str]:
    when = f", answered {one.answered_at:%Y-%m-%d %H:%M:%S}" if one.answered_at else ""
    return [f"{one.name}: {one.word}{when}{f' ({one.problem})' if one.problem else ''}"]


def _row(server: dict[str, Any]) -> tuple[str, ...]:
    weight = "-" if server["weight"] is None else str(server["weight"])
    counts = (str(server[name]) for name in ("active", "inactive", "sessions", "passive", "held"))
    return (server["name"], weight, *counts, str(server["total"]["in_bytes"]), str(server["total"]["out_bytes"]))
