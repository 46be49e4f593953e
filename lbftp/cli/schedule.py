"""When a cluster is looked at by itself."""

from __future__ import annotations

from typing import Any

from lbftp.changes.models import ChangeRequest
from lbftp.cli import show
from lbftp.cli.ask import Ask
from lbftp.cli.exits import DONE
from lbftp.compliance import services
from lbftp.compliance.models import Policy

_FIELDS = ("cron", "time_zone", "action", "enabled")


def policy(ask: Ask) -> int:
    """Shows the policy; with any option sets it, keeping what is not named. What lets routers be changed by schedule is
    proposed instead."""
    wanted = {field: ask.options[field] for field in _FIELDS if ask.options[field] is not None}
    if wanted:
        person, cluster = ask.person(), ask.cluster_to_act_on()
        row = Policy.objects.filter(cluster=cluster).first()
        present, seen = services.stored_values(row or Policy()), services.stored_values(row)
        found = services.set_policy(user=person, cluster=cluster, seen=seen, **{**present, **wanted})
        if isinstance(found, ChangeRequest):
            return _proposed(ask, found)
    else:
        cluster = ask.cluster()
    row = Policy.objects.filter(cluster=cluster).first()
    data = {"cluster": cluster.name, "policy": _data(row) if row else None}
    ask.answer(data, _text(row) if row else f"{cluster.name} has no policy")
    return DONE


def _proposed(ask: Ask, change: ChangeRequest) -> int:
    row = Policy.objects.filter(cluster=change.cluster).first()
    data = {"cluster": change.cluster.name, "policy": _data(row) if row else None, "change": show.change_data(change)}
    text = (
        f"change #{change.pk} proposed: re-applying by schedule is in force once somebody else approves it; until then "
        "nothing is different."
    )
    ask.answer(data, f"{text}\n{show.change_text(change)}")
    return DONE


def _data(row: Policy) -> dict[str, Any]:
    times = [t.isoformat() for t in services.next_times(row)] if row.enabled else []
    return {**{f: getattr(row, f) for f in _FIELDS}, "in_words": services.in_words(row.cron), "next_times": times}


def _text(row: Policy) -> str:
    data = _data(row)
    word = "enabled" if row.enabled else "disabled"
    lines = [f"{row.cluster.name}: {data['in_words']} ({row.time_zone}), {row.get_action_display()}, {word}"]
    return "\n".join([*lines, *(f"  {t}" for t in data["next_times"])])
