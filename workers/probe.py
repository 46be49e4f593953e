"""Proof by real FTP sessions of every promised kind, from every place, until every real server was seen from each.

A session's row, as it is reported and kept, is described in lbftp.core.sessions.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from lbftp.core import reach, templates
from lbftp.core.blame import Why, disagreement, why
from lbftp.core.findings import master
from lbftp.core.job import Probe
from lbftp.core.observe.observed import Observed
from lbftp.core.promise import promised
from lbftp.core.sessions import failure, kind_row, label
from lbftp.core.spec import ClusterSpec, Family
from lbftp.core.templates import Kept
from workers.errors import WorkError
from workers.observe import Given, Pair, kept
from workers.places import SESSION_TIMEOUT, Closed, Place, Rows, opened
from workers.remote import Limits
from workers.report import PAIR, Report

# Without persistence the same address may reach another server each time: so often it is tried.
_TRIES: Final = 4
_LOOK_EVERY: Final = 0.2

Look = Callable[[], Mapping[str, Observed]]


@dataclass(slots=True)
class Proof:
    """What the sessions showed. `unseen` are real servers that no session of a kind reached, `closed` the places from
    which none could be made, `seconds` how long sessions ran."""

    rows: Rows = field(default_factory=list)
    unseen: list[reach.Unseen] = field(default_factory=list)
    closed: list[Closed] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def failures(self) -> Rows:
        return [row for row in self.rows if not row["ok"]]

    @property
    def missing(self) -> list[reach.Unseen]:
        """What should have been reached and was not."""
        return [one for one in self.unseen if not one.planned]

    @property
    def complete(self) -> bool:
        return bool(self.rows) and not self.failures and not self.missing and not self.closed

    def to_json(self) -> dict[str, Any]:
        """The part of a run's result that tells of sessions."""
        return {
            "sessions": self.rows,
            "unseen": [one.to_json() for one in self.unseen],
            "unreached": [{"place": one.name, "reason": one.reason} for one in self.closed],
        }


@dataclass(slots=True)
class Turns:
    """One IP version of the cluster from one place: source addresses that are left, (kind, server) not yet seen.

    `kept` are those addresses, left or not, that persistence keeps on a server. `rotation` are the servers that new
    clients may be given to, None where that is not known.
    """

    kinds: list[dict[str, Any]]
    size: int
    sources: list[str]
    wanted: set[tuple[str, str]]
    family: Family = 4
    kept: Mapping[str, Kept] = field(default_factory=dict)
    rotation: frozenset[str] | None = None
    begun: bool = False

    @property
    def over(self) -> bool:
        return not self.wanted or not self._turn()

    def next(self) -> list[dict[str, Any]]:
        """As many clients as there are real servers at most, each with a source address of its own."""
        now = self._turn()
        for source in now:
            self.sources.remove(source)
        self.begun = True
        return [{"source": source, "kinds": self.kinds} for source in now]

    def _turn(self) -> list[str]:
        """Addresses that may show a server that was not seen; to begin with any, since a proof needs sessions.

        One that is not in rotation nobody can reach. Trying would only tie more addresses to the others, so that it
        stays out of reach for a while after it has come back.
        """
        wanted = {server for _, server in self.wanted}
        near = wanted if self.rotation is None else wanted & self.rotation
        found = templates.turn(self.sources, self.kept, near, self.size if near == wanted else len(near))
        return found if found or self.begun else self.sources[: self.size]


@dataclass(slots=True)
class Proving:
    """One proof on its way. `look` gives what the routers hold; it may wait for that, and raise WorkError."""

    spec: ClusterSpec
    run_id: int
    pair: Pair
    report: Report
    look: Look
    between: Callable[[], None]
    failing: Callable[[], None]
    turns: dict[str, list[Turns]]
    proof: Proof = field(default_factory=Proof)
    given: Given = field(default_factory=Given)
    digest: tuple[str, str] = ("", "")
    odd: dict[str, Why | None] = field(default_factory=dict)
    _held: Mapping[str, Observed] | None = None

    def held(self) -> Mapping[str, Observed]:
        """What the routers hold, {} where they could not be looked at."""
        if self._held is None:
            try:
                self._held = self.look()
            except WorkError:
                self._held = {}
        return self._held


def prove(  # noqa: PLR0913 - everything that a proof has to do with
    spec: ClusterSpec,
    probes: Sequence[Probe],
    pair: Pair,
    report: Report,
    limits: Limits,
    *,
    look: Look,
    run_id: int = 0,
    between: Callable[[], None] = lambda: None,
    failing: Callable[[], None] = lambda: None,
) -> Proof:
    """Sessions through the VIP from every place, each source address in its turn, until each kind saw each server.

    `between` is called several times a second while sessions go on, `failing` as soon as one has failed. A place that
    cannot be used is told in a note; without any the proof has no rows.
    """
    turns = {p.name: _turns(spec, p) for p in probes}
    proving = Proving(spec, run_id, pair, report, look, between, failing, turns)
    with opened(probes, limits) as (there, closed):
        for one in closed:
            _close(proving, one)
        places = there
        while places and not proving.proof.failures:
            _learn(proving)
            going = _going({p.name: proving.turns[p.name] for p in places}, begun=bool(proving.proof.rows))
            if not going:
                break
            report.check()
            shut = _round(proving, [place for place in places if place.name in going])
            places = [place for place in places if place.name not in shut]
    _find_unseen(proving, [place.name for place in places])
    return proving.proof


def _learn(proving: Proving) -> None:
    """What the router has now: earlier sessions' time may be over, new ones' has begun, a server came or went."""
    if not proving.spec.persistence_timeout or not proving.pair:
        return
    known = kept(proving.spec, proving.pair)
    rows = proving.proof.rows
    for place, all_ in proving.turns.items():
        used = {row["client"] for row in rows if row["place"] == place}
        for turns in all_:
            here = [one for one in (*turns.sources, *used) if (":" in one) == (turns.family == 6)]
            turns.kept = templates.kept(proving.spec, turns.family, here, known.of)
            turns.rotation = known.rotation.get(turns.family)


def _going(turns: Mapping[str, Sequence[Turns]], *, begun: bool) -> list[str]:
    """Whose turn it is: to begin with all places side by side, then one by one.

    Two places side by side may go in step with a scheduler like rr: all clients of one get the one server, all of the
    other the other, round by round, until neither has an address left.
    """
    left = [place for place, all_ in turns.items() if any(not one.over for one in all_)]
    return left[:1] if begun else left


def _turns(spec: ClusterSpec, probe: Probe) -> list[Turns]:
    found = []
    for side in spec.sides:
        mine = [client for client in promised(spec) if client.family == side.family]
        names = [s.name for s in spec.servers(side.family) if s.weight]
        kinds = [{**kind_row(client), "address": str(side.vip)} for client in mine]
        wanted = {(label(kind), name) for kind in kinds for name in names}
        size = max(1, len(names))
        found.append(Turns(kinds, size, _sources(spec, probe, side.family, size), wanted, side.family))
    return found


def _sources(spec: ClusterSpec, probe: Probe, family: Family, size: int) -> list[str]:
    """The place's addresses of that IP version that count as clients of their own; '' (its own choice) if none are
    given."""
    given = [source for source in probe.sources if (":" in source) == (family == 6)] or [""]
    sources = reach.clients(spec, family, given)
    return sources if spec.persistence_timeout else (sources * size * _TRIES)[: max(len(sources), size * _TRIES)]


def _round(proving: Proving, places: Sequence[Place]) -> set[str]:
    """The next clients of all places, side by side; the names of places that could not go on."""
    told: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    began = time.monotonic()
    with ThreadPoolExecutor(len(places)) as pool:
        futures = {}
        for place in places:
            clients = [one for turns in proving.turns[place.name] if not turns.over for one in turns.next()]
            futures[place.name] = pool.submit(place.sessions, clients, proving.run_id, SESSION_TIMEOUT, told.put)
        _heed(proving, told, list(futures.values()))
    proving.proof.seconds += time.monotonic() - began
    proving.given.add(proving.pair)
    return {name for name, future in futures.items() if not _taken(proving, name, future)}


def _heed(proving: Proving, told: queue.SimpleQueue[dict[str, Any]], futures: Sequence[Future[Rows]]) -> None:
    """Tells of each session as it ends, before its real server is known, until all have ended."""
    while not all(future.done() for future in futures) or not told.empty():
        proving.between()
        try:
            row = told.get(timeout=_LOOK_EVERY)
        except queue.Empty:
            continue
        came = f"{row['bytes']} bytes from {row['data_from']}" if row["ok"] else failure(row)
        who = f"{row['source'] or 'its own address'} of {row['place']}"
        proving.report.output(PAIR, "sessions", f"{label(row)} from {who}: {came}")
        if not row["ok"]:
            # A refused connection is in the routers' tables for ten seconds only.
            proving.given.add(proving.pair)
            proving.failing()


def _taken(proving: Proving, place: str, future: Future[Rows]) -> bool:
    """The place's rows with names, content compared and failures explained; False if it could not make sessions."""
    try:
        rows = future.result()
    except WorkError as error:
        _close(proving, Closed(place, str(error)))
        return False
    for row in rows:
        _name(proving, row)
        _compare(proving, row)
        _explain(proving, row)
        proving.report.session(row)
        if row["left"]:
            text = f"{row['left']} could not be deleted on {row['real_server'] or 'the server'}: delete it there."
            proving.report.note("warning", text)
    proving.proof.rows += rows
    for turns in proving.turns[place]:
        turns.wanted -= {(label(row), row["real_server"]) for row in rows}
    return True


def _name(proving: Proving, row: dict[str, Any]) -> None:
    names = {str(s.at(f)): s.name for f in (4, 6) for s in proving.spec.servers(f)}
    for field_, port in (("real_server", "client_port"), ("data_server", "data_client_port")):
        address = proving.given.servers.get((row["client"], row[port]), "")
        row[field_] = names.get(address, address)


def _compare(proving: Proving, row: dict[str, Any]) -> None:
    """Every real server must hand out the same file, whole."""
    if not row["ok"] or not row["sha256"]:
        return
    first, server = proving.digest
    if not first:
        proving.digest = row["sha256"], row["real_server"] or "another server"
    elif row["sha256"] != first:
        message = f"the fetched file differs from what {server} gave: {row['bytes']} bytes, {row['sha256'][:12]}…"
        row.update(ok=False, stage="RETR", error="checksum", message=message)


def _explain(proving: Proving, row: dict[str, Any]) -> None:
    kind = label(row)
    if row["ok"] and kind not in proving.odd:
        proving.odd[kind] = disagreement(proving.spec, row, proving.held())
    found = proving.odd[kind] if row["ok"] else why(proving.spec, row, proving.held())
    row["why"] = found.to_json() if found else {}


def _close(proving: Proving, closed: Closed) -> None:
    proving.proof.closed.append(closed)
    # A note and no finding: that a probe host is away says nothing of the routers.
    proving.report.note("warning", f"No FTP session could be made from {closed.name}: {closed.reason}")


def _find_unseen(proving: Proving, places: Sequence[str]) -> None:
    """After a failure nobody went on to look, so nothing is said then."""
    proof, spec = proving.proof, proving.spec
    if proof.failures or not proof.rows:
        return
    held = proving.held()
    holder = held.get(master(spec, held)) if held else None
    reached = {(label(row), row["real_server"]) for row in proof.rows}
    for number, side in enumerate(spec.sides):
        kept = {source: one for turns in proving.turns.values() for source, one in turns[number].kept.items()}
        seen = reach.Seen(proof.rows, holder, proving.given.counts, places, kept)
        wanted = {one for turns in proving.turns.values() for one in turns[number].wanted}
        proof.unseen += reach.unseen(spec, side.family, sorted(wanted - reached), seen)
    for one in proof.unseen:
        proving.report.unseen(one.to_json())


def in_words(proof: Proof) -> str:
    """One sentence about what failed, or about what could not be seen."""
    if proof.failures:
        row = proof.failures[0]
        through = f" on {row['real_server']}" if row["real_server"] else ""
        reason = f" {row['why']['reason']}" if row.get("why") else ""
        return f"FTP in mode {label(row)}{through} failed at {failure(row)}.{reason}"
    if not proof.rows:
        return "No FTP session was made: " + "; ".join(one.reason for one in proof.closed)
    if proof.missing:
        missing = ", ".join(f"{one.kind} on {one.real_server}" for one in proof.missing)
        return f"No session reached: {missing}. {proof.missing[0].reason}"
    kinds = ", ".join(dict.fromkeys(label(row) for row in proof.rows))
    places = list(dict.fromkeys(row["place"] for row in proof.rows))
    where = f" from {' and '.join(places)}" if len(places) > 1 else ""
    left = f" From {', '.join(one.name for one in proof.closed)} none could be made." if proof.closed else ""
    return f"{len(proof.rows)} FTP sessions in {kinds}{where} worked on every real server.{left}"
