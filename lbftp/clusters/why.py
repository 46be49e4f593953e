"""The page "Why?": what becomes of each kind of client, by which way, and what FTP sessions showed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Final
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from lbftp.accounts import access
from lbftp.changes import proofs
from lbftp.changes.models import Run
from lbftp.clusters import way
from lbftp.clusters.models import Cluster
from lbftp.clusters.specs import spec_of
from lbftp.core.path import MODES, Client, Explanation, explain
from lbftp.core.spec import ClusterSpec, SpecError, from_json

_CLUSTERS: Final = Cluster.objects.select_related("team", "applied")
_TLS: Final = {"none": "Plain FTP", "explicit": "Explicit TLS", "implicit": "Implicit TLS"}


@dataclass(frozen=True, slots=True)
class Cell:
    """One kind of client in the matrix. `state` is the look of its pill; `seen` is what sessions last showed: ok, bad,
    or '' for nothing."""

    found: Explanation
    query: str
    state: str
    seen: str
    current: bool

    @property
    def title(self) -> str:
        promise = "promised" if self.found.promised else "not promised"
        seen = {"ok": "; the last sessions worked", "bad": "; the last session failed"}.get(self.seen, "")
        return f"{self.found.client}: {self.found.prediction.outcome}, {promise}{seen}"


@dataclass(frozen=True, slots=True)
class Row:
    """The kinds that share encryption, IP version and port; None where a mode does not exist."""

    title: str
    detail: str
    cells: tuple[tuple[str, Cell | None], ...]


@dataclass(frozen=True, slots=True)
class Page:
    """`by` says whose values are followed; `other` leads to the draft or back to what is applied, if any."""

    cluster: Cluster
    by: str
    other: str
    rows: tuple[Row, ...]
    shown: Explanation
    seen: str
    run: Run | None
    warm: str
    picture: way.Picture
    broken: int

    @property
    def failed(self) -> int:
        """How many kinds that are promised sessions last saw failing."""
        cells = [cell for row in self.rows for _, cell in row.cells if cell is not None]
        return sum(cell.found.promised and cell.seen == "bad" for cell in cells)


@require_safe
def why(request: HttpRequest, pk: int) -> HttpResponse:
    """?client=tls-epsv&ip=6&port=21&pinned=1&of=draft; whatever is left out is the first that fits."""
    cluster = access.get(request.user, _CLUSTERS, pk=pk)
    try:
        of, spec = _spec(cluster, request.GET.get("of", ""))
    except SpecError as error:
        return render(request, "clusters/why_not.html", {"cluster": cluster, "error": error})
    return render(request, "clusters/why.html", {"page": page(cluster, of, spec, request.GET.dict())})


def _spec(cluster: Cluster, of: str) -> tuple[str, ClusterSpec]:
    """What is applied, or the draft where nothing is or it is asked for."""
    if cluster.applied is None or of == "draft":
        return "draft", spec_of(cluster)
    return "applied", from_json(cluster.applied.spec)


def page(cluster: Cluster, of: str, spec: ClusterSpec, asked: dict[str, str]) -> Page:
    every = explain(spec)
    shown = _shown(every, asked)
    pinned = asked.get("pinned") == "1"
    if pinned:
        (shown,) = explain(spec, [replace(shown.client, pinned=True)])
    proof = proofs.latest([cluster])[cluster.pk]
    rows = _rows(every, shown.client, of, proof.sessions)
    return Page(
        cluster=cluster,
        by="the draft" if of == "draft" else f"revision {getattr(cluster.applied, 'number', '')}, which is applied",
        other=_other(cluster, of, shown.client),
        rows=rows,
        shown=shown,
        seen=_seen(shown.client, proof.sessions),
        run=proof.run,
        warm=_query(replace(shown.client, pinned=not pinned), of),
        picture=way.picture(shown.prediction),
        broken=sum(not one.kept for one in every),
    )


def _other(cluster: Cluster, of: str, client: Client) -> str:
    if cluster.applied is None:
        return ""
    return _query(client, "applied" if of == "draft" else "draft")


def _shown(every: Sequence[Explanation], asked: dict[str, str]) -> Explanation:
    """The kind that was asked for; else a promised one that does not work, else the first. Raises Http404."""
    fit = [
        one
        for one in every
        if asked.get("client") in (None, one.client.name)
        if asked.get("ip") in (None, str(one.client.family))
        if asked.get("port") in (None, str(one.client.port))
    ]
    if not fit:
        raise Http404("No such kind of client can come to this cluster.")
    return next((one for one in fit if not one.kept), fit[0])


def _rows(every: Sequence[Explanation], shown: Client, of: str, sessions: Sequence[dict[str, Any]]) -> tuple[Row, ...]:
    def door(one: Explanation) -> tuple[int, str, int]:
        return one.client.family, one.client.tls, one.client.port

    rows = []
    for (family, tls, port), group in groupby(every, key=door):
        cells = {one.client.mode: _cell(one, shown, of, sessions) for one in group}
        rows.append(Row(_TLS[tls], f"IPv{family}, port {port}", tuple((mode, cells.get(mode)) for mode in MODES)))
    return tuple(rows)


def _cell(one: Explanation, shown: Client, of: str, sessions: Sequence[dict[str, Any]]) -> Cell:
    looks = {"ok": "ok", "unknown": "warn"}
    state = looks.get(one.prediction.outcome, "bad") if one.promised else "idle"
    current = replace(shown, pinned=False) == one.client
    return Cell(one, _query(one.client, of), state, _seen(one.client, sessions), current)


def _query(client: Client, of: str) -> str:
    words = {"client": client.name, "ip": client.family, "port": client.port}
    return urlencode({**words, **({"pinned": 1} if client.pinned else {}), **({"of": of} if of == "draft" else {})})


def _seen(client: Client, sessions: Sequence[dict[str, Any]]) -> str:
    """The last session with each real server counts, as on the cluster's page."""
    mine = [s for s in sessions if _is(client, s)]
    last = {s.get("real_server") or "": bool(s.get("ok")) for s in mine}
    return ("ok" if all(last.values()) else "bad") if last else ""


def _is(client: Client, session: dict[str, Any]) -> bool:
    """Rows of earlier versions say the mode only, and were plain FTP over IPv4; their port is another thing."""
    kind = (str(session.get("mode", "")).lower(), session.get("ip", 4), session.get("tls", "none"))
    port = session.get("port") if "tls" in session else client.port
    return (*kind, port) == (client.mode, client.family, client.tls, client.port)
