"""Schedules: set by people, claimed by the tick. Two ticks give one run; a time that was missed is a row."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice, takewhile
from typing import Any, Final

import cron_descriptor
from django.contrib.auth.models import User
from django.db import transaction

from lbftp import database
from lbftp.accounts.models import Role
from lbftp.accounts.services import require
from lbftp.alone import each_alone, reason
from lbftp.changes import cron as times
from lbftp.changes import editing, states
from lbftp.changes.editing import Values
from lbftp.changes.errors import Invalid
from lbftp.changes.models import ChangeRequest, Run
from lbftp.changes.services import comply
from lbftp.changes.services.policies import propose_policy
from lbftp.clusters.models import Cluster
from lbftp.compliance.models import Occurrence, Policy
from lbftp.core.job import CHANGING
from lbftp.outside import told

# After a long standstill the newest times are enough to see that there was one.
MOST_MISSED: Final = 50
_FIELDS: Final = ("cron", "time_zone", "action", "enabled")
_OFF: Final = "Not looked at by itself."


def set_policy(  # noqa: PLR0913 - the form's fields
    *,
    user: User,
    cluster: Cluster,
    cron: str,
    time_zone: str,
    action: str,
    enabled: bool,
    seen: Values | None = None,
) -> Policy | ChangeRequest:
    """When the cluster is looked at by itself and what is done about drift. Replaces the policy that is there.

    To re-apply by schedule, or by another schedule than now, lets routers be changed without anybody: that is proposed,
    and in force once it is approved. The change is returned then. Everything else is set at once.

    `seen` are the values that the person had before them: raises Conflict where somebody else set others since.
    """
    require(user, cluster.team, Role.OPERATOR)
    cron = " ".join(cron.split())
    _check(cron, time_zone, action)
    values = {"cron": cron, "time_zone": time_zone, "action": action, "enabled": enabled}
    with transaction.atomic():
        cluster = Cluster.objects.select_for_update(of=("self",)).select_related("applied", "team").get(pk=cluster.pk)
        before = Policy.objects.filter(cluster=cluster).first()
        editing.refuse_unseen(_thing(cluster), seen=seen, stored=stored_values(before), wanted=values)
        if _needs_approval(before, values):
            return _proposed(user, cluster, before, values)
        return put_in_force(user=user, cluster=cluster, values=values)


def put_in_force(*, user: User, cluster: Cluster, values: dict[str, Any], seen: Values | None = None) -> Policy:
    """Sets the policy to `values`, which were checked, and approved where that is needed. `seen` are those that it was
    to stand instead of: raises Conflict where others were set since."""
    policy = Policy(cluster=cluster, **values)
    due = next_time(policy, database.now()) if policy.enabled else None
    with transaction.atomic():
        # Two who set the first schedule at once would not meet in a row of its own.
        Cluster.objects.select_for_update().get(pk=cluster.pk)
        before = Policy.objects.filter(cluster=cluster).first()
        thing, stored = _thing(cluster), stored_values(before)
        editing.refuse_unseen(thing, seen=seen, stored=stored, wanted=values)
        row = Policy.objects.update_or_create(cluster=cluster, defaults={**values, "next_due": due})[0]
        words = _told(row)
        if words != (_told(before) if before else _OFF):
            told = {"before": thing.told(stored), "after": thing.told(stored_values(row))}
            states.left(cluster, cluster.state, cluster.state, user=user, reason=words, **told)
    return row


def stored_values(policy: Policy | None) -> dict[str, Any]:
    """What people set of it; {} where there is none."""
    return {name: getattr(policy, name) for name in _FIELDS} if policy else {}


def _thing(cluster: Cluster) -> editing.Thing:
    return editing.Thing(cluster.team, "cluster", cluster.pk, f"the schedule of {cluster}", "schedule_")


def _needs_approval(before: Policy | None, values: dict[str, Any]) -> bool:
    """Whether routers would be changed by schedule otherwise than now. Reporting and switching off change nothing."""
    if not values["enabled"] or values["action"] != Policy.Action.REAPPLY:
        return False
    if before is None or not before.enabled or before.action != Policy.Action.REAPPLY:
        return True

    return (before.cron, before.time_zone) != (values["cron"], values["time_zone"])


def _proposed(user: User, cluster: Cluster, before: Policy | None, values: dict[str, Any]) -> ChangeRequest:
    wanted = Policy(cluster=cluster, **values)
    when = in_words(wanted.cron)
    covers = [
        ["Schedule", f"{when} ({wanted.cron}, {wanted.time_zone})"],
        ["On drift", "both routers are set to the applied revision again, without asking anybody"],
        ["Applied revision", "the one that was approved and applied last at each time"],
        ["Instead of", _told(before) if before else _OFF],
    ]
    title = f"Re-apply {cluster} by schedule: {when}"[:120]
    seen = stored_values(before)
    return propose_policy(user=user, cluster=cluster, values=values, instead_of=seen, covers=covers, title=title)


def _told(policy: Policy) -> str:
    """The policy as a sentence, for whoever reads later what was changed."""
    if not policy.enabled:
        return _OFF
    when = f"{in_words(policy.cron)} ({policy.cron}, {policy.time_zone})"
    return f"Looked at by itself: {when}. {policy.get_action_display()}."


def next_times(policy: Policy, n: int = 5, after: datetime | None = None) -> list[datetime]:
    """The next `n` due times, in the policy's zone; summer time as Debian's cron does it. None of a row that tells
    no times: the next tick switches it off, and says why."""
    try:
        _check(policy.cron, policy.time_zone, policy.action)
    except Invalid:
        return []
    return list(islice(_times(policy, after or database.now()), n))


def next_time(policy: Policy, after: datetime) -> datetime:
    """The first due time after `after`, in UTC."""
    return next(_times(policy, after)).astimezone(UTC)


def in_words(cron: str) -> str:
    """The expression as an English sentence; the expression itself where there is none."""
    try:
        return str(cron_descriptor.get_description(cron))
    except (cron_descriptor.FormatException, cron_descriptor.MissingFieldException, ValueError):
        return cron


def claim_due(*, now: datetime) -> list[Run]:
    """Starts what is due, each due time once whatever the number of ticks. Returns the runs.

    A policy whose times cannot be told is switched off, and says why; the others go on.
    """
    due = Policy.objects.filter(enabled=True, next_due__lte=now).select_related("cluster__team", "cluster__applied")
    begun = each_alone(
        due,
        lambda policy: _claim(policy, policy.next_due or now, now),
        what="policy_failed",
        failed=lambda policy, error: _pass_over(policy, now, error),
    )
    return [run for run in begun if run]


def _pass_over(policy: Policy, now: datetime, error: Exception) -> None:
    """This due time comes to nothing, which its row says; a policy without a next one is switched off."""
    due = policy.next_due or now
    try:
        _check(policy.cron, policy.time_zone, policy.action)
        following, why = next_time(policy, now), reason(error)
    except Invalid as wrong:
        following, why = None, f"Switched off: {wrong.problems[0]['reason']} Set the schedule anew."
    mine = Policy.objects.filter(pk=policy.pk, enabled=True, next_due=due)
    if mine.update(next_due=following, enabled=following is not None) != 1:
        return
    skipped = {"state": Occurrence.State.SKIPPED, "reason": told(why)[:200]}
    Occurrence.objects.get_or_create(policy=policy, due=due, defaults=skipped)
    if following is None:
        states.left(policy.cluster, policy.cluster.state, policy.cluster.state, user=None, reason=why)


def _claim(policy: Policy, due: datetime, now: datetime) -> Run | None:
    with transaction.atomic():
        mine = Policy.objects.filter(pk=policy.pk, enabled=True, next_due=due)
        if mine.update(next_due=next_time(policy, now)) != 1:
            return None
        *missed, latest = _due_between(policy, due, now)
        states = Occurrence.State
        reason = "No tick came: was the beat or every worker down?"
        Occurrence.objects.bulk_create(
            (Occurrence(policy=policy, due=t, state=states.MISSED, reason=reason) for t in missed),
            ignore_conflicts=True,
        )
        return _begin(policy, latest)


def _begin(policy: Policy, due: datetime) -> Run | None:
    hindrance = _hindrance(policy.cluster)
    state = Occurrence.State.SKIPPED if hindrance else Occurrence.State.STARTED
    entry, new = Occurrence.objects.get_or_create(
        policy=policy, due=due, defaults={"state": state, "reason": hindrance}
    )
    if hindrance or not new:
        return None
    entry.run = comply(user=None, cluster=policy.cluster, reapply=policy.action == Policy.Action.REAPPLY)
    entry.save(update_fields=["run"])
    return entry.run


def _hindrance(cluster: Cluster) -> str:
    """Why a due time is passed over, as a sentence; '' if nothing stands against it."""
    if cluster.applied is None:
        return "Nothing was applied to this cluster yet."
    going_on = (Run.State.QUEUED, Run.State.RUNNING)
    changing = cluster.runs.filter(kind__in=CHANGING, dry=False)
    if run := changing.filter(state__in=going_on).first():
        return f"Run {run.pk} ({run.title}) was still going on."
    return ""


def _due_between(policy: Policy, first: datetime, now: datetime) -> list[datetime]:
    """Due times from `first` to `now`, oldest first, the newest `MOST_MISSED` + 1 of them; `first` if there is none."""
    backwards = (t.astimezone(UTC) for t in times.times_back(policy.cron, policy.time_zone, now))
    found = list(islice(takewhile(lambda t: t >= first, backwards), MOST_MISSED + 1))
    return found[::-1] or [first]


def _times(policy: Policy, after: datetime) -> Iterator[datetime]:
    return times.times(policy.cron, policy.time_zone, after)


def _check(cron: str, time_zone: str, action: str) -> None:
    if action not in Policy.Action.values:
        raise Invalid.at("action", f"{action[:40]!r} is not an action.", f"Use {' or '.join(Policy.Action.values)}.")
    times.check(cron, time_zone, example="*/15 * * * *")
