"""Drains: begun and ended by what is applied, kept up by looks at the routers' connection tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import Q

from lbftp import database
from lbftp.alone import each_alone, reason
from lbftp.changes import states
from lbftp.changes.errors import ServiceError
from lbftp.changes.models import ChangeRequest
from lbftp.changes.services.jobs import accesses
from lbftp.clusters.drafts import complete
from lbftp.clusters.models import Cluster
from lbftp.clusters.services import note
from lbftp.clusters.values import values
from lbftp.core import day_two
from lbftp.core.job import Access
from lbftp.core.sessions_left import Left, Table
from lbftp.core.spec import ClusterSpec, RealServerSpec, SpecError, from_json
from lbftp.database import AWAY
from lbftp.daytwo.models import Drain
from lbftp.daytwo.services import rules
from lbftp.live import publish
from lbftp.outside import told

S = Drain.State

log = structlog.get_logger(__name__)


def follow(change: ChangeRequest, user: User | None) -> None:
    """What the end of applying `change` means: drains begin and end, and a day-two change reaches the draft as well.

    To be called before the cluster is said to have the change's revision.
    """
    before = change.cluster.applied
    if before is not None:
        was, now = from_json(before.spec), from_json(change.revision.spec)
        _keep_draft(change, was, now)
        _compare(change, user, was, now)


def _keep_draft(change: ChangeRequest, was: ClusterSpec, now: ClusterSpec) -> None:
    """The same one change in the draft, so that a later proposal does not undo it; what is unfinished there stays."""
    action = day_two.between(was, now)
    if rules.marked(change) is None or action is None:
        return
    row = Cluster.objects.select_for_update(of=("self",)).select_related("applied").get(pk=change.cluster_id)
    _keep_editors(row, change)
    before = values(row)
    row.draft = day_two.on_draft(complete(row.draft), action)
    Cluster.objects.filter(pk=row.pk).update(draft=row.draft)
    note(row, change.author, before=before, what="Draft follows a day-two change", reason=str(change))


def _keep_editors(row: Cluster, change: ChangeRequest) -> None:
    """Who edited what was proposed and never applied has a part in the draft still, though a newer revision is
    applied now (changes.services.requests counts those since the applied one)."""
    since = row.applied.number if row.applied else 0
    pending = row.revisions.filter(number__gt=since).exclude(pk=change.revision_id)
    editors = pending.exclude(changes__params__has_key="day_two").values_list("editors", flat=True)
    row.draft_editors.add(*{pk for pk in editors if pk is not None})


def _compare(change: ChangeRequest, user: User | None, was: ClusterSpec, now: ClusterSpec) -> None:
    earlier = {s.name: s for s in was.real_servers}
    drained = {s.name: earlier[s.name] for s in now.real_servers if _drained(s) and s.name in earlier}
    for drain in Drain.objects.filter(cluster=change.cluster, ended_at=None).exclude(server__in=drained):
        end(drain, user, f"#{change.pk} {change.title}")
    for before in drained.values():
        if not _drained(before):
            _begin(change, user, before)


def _drained(server: RealServerSpec) -> bool:
    return server.weight == 0 and not server.disabled


def _begin(change: ChangeRequest, user: User | None, before: RealServerSpec) -> None:
    values = {"weight": before.weight, "started_by": change.author, "started_at": database.now()}
    row = {"cluster": change.cluster, "server": before.name, "ended_at": None}
    drain, _ = Drain.objects.get_or_create(**row, defaults=values)
    states.left(drain, "", drain.state, user=user, reason=f"#{change.pk} {change.title}")


def end(drain: Drain, user: User | None, reason: str) -> None:
    """The server is no longer one that is being drained."""
    states.move(drain, drain.state, S.ENDED, user=user, reason=reason, ended_at=database.now())


@dataclass(frozen=True, slots=True)
class Question:
    """One cluster whose drains are to be looked at now; `asked_at` is the claim."""

    cluster_id: int
    asked_at: datetime
    spec: ClusterSpec
    routers: tuple[Access, ...]


def claim(*, now: datetime) -> list[Question]:
    """Clusters whose drains were not looked at within the interval, each given to one caller only."""
    late = Q(asked_at=None) | Q(asked_at__lte=now - timedelta(seconds=settings.DRAIN_SECONDS * 0.9))
    going_on = Drain.objects.filter(ended_at=None, cluster__applied__isnull=False)
    clusters = sorted(set(going_on.filter(late).values_list("cluster_id", flat=True)))
    found = each_alone(clusters, lambda cluster_id: _asked(cluster_id, late, now), what="drain_not_asked")
    return [question for question in found if question]


def _asked(cluster_id: int, late: Q, now: datetime) -> Question | None:
    mine = Drain.objects.filter(late, cluster_id=cluster_id, ended_at=None)
    return _question(cluster_id, now) if mine.update(asked_at=now) else None


def _question(cluster_id: int, now: datetime) -> Question | None:
    """None, and noted, where nobody can log in to the routers, or the applied revision cannot be read."""
    cluster = Cluster.objects.select_related("team", "applied").get(pk=cluster_id)
    try:
        spec = from_json(cluster.applied.spec if cluster.applied else {})
        return Question(cluster_id, now, spec, accesses(cluster.team, [r.name for r in spec.routers]))
    except AWAY:
        raise
    except (ServiceError, SpecError, ImproperlyConfigured) as error:
        _note(cluster, now, str(error))
    except Exception as error:
        log.exception("drain_without_question", cluster=cluster_id)
        _note(cluster, now, reason(error))
    return None


def take(*, question: Question, found: Table | str, at: datetime) -> list[Drain]:
    """What the routers said to a question, or why they said nothing. Returns the drains that became empty by it."""
    with transaction.atomic():
        cluster = Cluster.objects.select_for_update(of=("self",)).select_related("team").get(pk=question.cluster_id)
        if isinstance(found, str):
            _note(cluster, question.asked_at, found)
            return []
        rows = list(Drain.objects.filter(cluster=cluster, ended_at=None, asked_at=question.asked_at))
        transaction.on_commit(partial(publish.fleet_hint, cluster.team_id))
        seen = [row for row in rows if row.server in found.left]
        empty = each_alone(
            seen,
            lambda row: row if _seen(row, found, at) else None,
            what="drain_not_seen",
            failed=lambda row, error: Drain.objects.filter(pk=row.pk).update(problem=told(reason(error))[:300]),
        )
        return [row for row in empty if row]


def _note(cluster: Cluster, asked_at: datetime, text: str) -> None:
    """The last numbers stay, with their time; what was not seen is not called empty."""
    mine = Drain.objects.filter(cluster=cluster, ended_at=None, asked_at=asked_at)
    mine.update(problem=told(text)[:300])
    transaction.on_commit(partial(publish.fleet_hint, cluster.team_id))


def _seen(drain: Drain, found: Table, now: datetime) -> bool:
    """Whether the drain became empty."""
    left = found.left[drain.server]
    # Where routers forget the clients of a drained server, none of them is brought back.
    clients = 0 if found.forgets else left.clients
    columns: dict[str, Any] = {
        "sessions_left": left.sessions,
        "transfers_left": left.transfers,
        "clients_left": clients,
        "until": now + timedelta(seconds=left.clients_for) if clients else None,
        "looked_at": now,
        "problem": "",
    }
    empty = not left.sessions and not left.transfers
    if empty == (drain.state == S.EMPTY):
        Drain.objects.filter(pk=drain.pk, ended_at=None).update(**columns)
        return False
    new, reason = (S.EMPTY, _empty(drain, left, clients)) if empty else (S.DRAINING, _again(drain))
    moved = states.move(drain, drain.state, new, reason=reason, **columns, empty_at=now if empty else None)
    return moved and empty


def _again(drain: Drain) -> str:
    return f"A client came back to {drain.server}: persistence brought it, since its time was not over."


def _empty(drain: Drain, left: Left, clients: int) -> str:
    kept = f" Persistence would bring {clients} back within {left.clients_for} s." if clients else ""
    return f"{drain.server} has no session and no transfer left.{kept}"
