"""Why each kind of FTP client works or fails: of a cluster as its draft wants it, or of one case in a file."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from lbftp.changes.models import Run
from lbftp.cli.ask import Ask, WrongUse
from lbftp.cli.exits import DONE
from lbftp.cli.files import read
from lbftp.clusters.models import Cluster
from lbftp.clusters.specs import spec_of
from lbftp.core.path import (
    MODES,
    CaseError,
    Client,
    Explanation,
    Prediction,
    State,
    explain,
    label,
    predict,
    state_from_case,
)
from lbftp.core.promise import kinds, promised
from lbftp.core.spec import ClusterSpec

_KINDS: Final = tuple(f"{word}-{mode}" for word in ("plain", "tls", "implicit") for mode in MODES)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cluster", nargs="?", default="")
    parser.add_argument(
        "--client",
        default="promised",
        choices=[*MODES, *_KINDS, "promised", "all"],
        help="how the client transfers; tls is explicit TLS (AUTH TLS), implicit is TLS from the first byte",
    )
    parser.add_argument("--ip", choices=["4", "6"], help="over this IP version only")
    parser.add_argument("--port", type=int, help="at this control port only")
    parser.add_argument("--pinned", action="store_true", help="persistence still holds the client to a real server")
    parser.add_argument("--router", default="", help="on this router")
    parser.add_argument("--state", default="", metavar="FILE", help="a case as JSON; - reads standard input")


def why(ask: Ask) -> int:
    """Done when there is an answer, also when the answer is that a client fails."""
    name, file = ask.options["cluster"], ask.options["state"]
    if bool(name) == bool(file):
        raise WrongUse("Name either a cluster or, with --state FILE, a case.")
    return _of_case(ask, file) if file else _of_cluster(ask, ask.cluster())


def _of_case(ask: Ask, file: str) -> int:
    """One entry a mode: whether there is TLS, and over which IP version, the case says itself."""
    client = ask.options["client"]
    if client in _KINDS:
        raise WrongUse(f"A case says itself whether the client uses TLS: ask for {client.partition('-')[2]}.")
    found = predict(_case(file))
    wanted = [m for m in MODES if client in (m, "all", "promised") and m in found]
    if not wanted:
        raise WrongUse(f"{client.upper()} does not exist over IPv6: ask for epsv or eprt.")
    ask.answer({m: found[m].to_json() for m in wanted}, "\n".join(_text(m.upper(), found[m]) for m in wanted))
    return DONE


def _of_cluster(ask: Ask, cluster: Cluster) -> int:
    spec = spec_of(cluster)
    found = explain(spec, _clients(ask.options, spec))
    if router := ask.options["router"]:
        ask.say(_basis(router, cluster, spec))
    texts = [_explained(label(spec, one.client), one) for one in found]
    ask.answer({label(spec, one.client): one.to_json() for one in found}, "\n".join(texts))
    return DONE


def _clients(options: dict[str, Any], spec: ClusterSpec) -> list[Client]:
    """The kinds that were asked for. Raises WrongUse if the cluster has none of them."""
    word, ip, port = options["client"], options["ip"], options["port"]
    every = promised(spec) if word == "promised" else kinds(spec)
    wanted = [
        replace(client, pinned=options["pinned"])
        for client in every
        if word in ("promised", "all", client.name) or (word == client.mode and client.tls == "none")
        if ip in (None, str(client.family))
        if port in (None, client.port)
    ]
    if not wanted:
        there = ", ".join(dict.fromkeys(f"{c.name} over IPv{c.family} at {c.port}" for c in kinds(spec)))
        raise WrongUse(f"No such client can come to {spec.name}: {there}.")
    return wanted


def _basis(router: str, cluster: Cluster, spec: ClusterSpec) -> str:
    """What the answer rests on. Of what routers held the site keeps the findings, not the rules."""
    if router not in {r.name for r in spec.routers}:
        names = ", ".join(r.name for r in spec.routers)
        raise WrongUse(f"{router!r} is no router of {cluster}; it has: {names}.")
    lines = [
        f"What {router} holds is not kept on the site, so this is what it holds once {cluster}'s draft is applied."
    ]
    kinds_of_look = (Run.Kind.VERIFY, Run.Kind.COMPLY)
    check = cluster.runs.filter(kind__in=kinds_of_look, ended_at__isnull=False).first()
    if check is None:
        return "\n".join([*lines, "Nobody has looked at it yet: `verify` does."])
    differing = [f["what"] for f in check.result.get("findings", []) if f.get("router") == router]
    lines += [f"Run {check.pk} found there: {what}" for what in differing]
    return "\n".join(lines if differing else [*lines, f"Run {check.pk} found nothing else there."])


def _case(name: str) -> State:
    try:
        return state_from_case(json.loads(read(name)))
    except CaseError as error:
        raise WrongUse(f"{_called(name)}: {error}.") from error
    except (ValueError, RecursionError) as error:
        raise WrongUse(f"{_called(name)} is not JSON: {error}.") from error


def _called(name: str) -> str:
    return "standard input" if name == "-" else name


def _explained(name: str, found: Explanation) -> str:
    title = name.upper() if found.client.tls == "none" else name
    broken = "" if found.kept else " (promised, and broken)"
    return _text(title + broken, found.prediction)


def _text(title: str, found: Prediction) -> str:
    lines = [f"{title}: {found.outcome}. {found.reason}"]
    for hop in found.hops:
        sign = {"ok": "+", "unknown": "?"}.get(hop.outcome, "X")
        lines.append(f"  {sign} {hop.where}: {hop.what}" + _by(hop.by, hop.what))
    return "\n".join(lines)


def _by(by: str, what: str) -> str:
    return f" [{by}]" if by and by not in what else ""


__all__: Sequence[str] = ["add_options", "why"]
