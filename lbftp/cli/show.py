"""Rows as the command line shows them: JSON-ready dicts, and text."""

from __future__ import annotations

from typing import Any

from lbftp.changes import approvals
from lbftp.changes.machines import machines
from lbftp.changes.models import ChangeRequest, Run
from lbftp.changes.view_of_run import fold
from lbftp.clusters.models import Cluster
from lbftp.proofs.services import rests


def cluster_data(cluster: Cluster) -> dict[str, Any]:
    """State, what is applied, what is open, which routers rest, and what was found on FTP servers' machines."""
    open_changes = cluster.changes.exclude(state__in=(ChangeRequest.State.APPLIED, ChangeRequest.State.REJECTED))
    return {
        "cluster": cluster.name,
        "team": cluster.team.name,
        "vip": cluster.draft.get("vip", ""),
        "state": cluster.state,
        "state_at": cluster.state_at,
        "master": cluster.master,
        "guard_seconds": cluster.guard_seconds,
        "confirm_by_hand": cluster.confirm_by_hand,
        "applied": cluster.applied.number if cluster.applied else None,
        "changes": [{"change": c.pk, "title": c.title, "state": c.state} for c in open_changes],
        "runs": [run_line(r) for r in cluster.runs.filter(state__in=(Run.State.QUEUED, Run.State.RUNNING))],
        "maintenance": _resting(cluster),
        "servers": _servers(cluster),
    }


def _resting(cluster: Cluster) -> list[dict[str, Any]]:
    names = [str(item["name"]) for item in cluster.draft.get("routers", [])]
    found = sorted(rests.resting(cluster.team, names).items())
    return [{"router": name, "since": rest.since, "reason": rest.reason} for name, rest in found]


def _servers(cluster: Cluster) -> list[dict[str, Any]]:
    """[] where no server's machine is looked at. `run` is the look."""
    names = [str(item["name"]) for item in cluster.draft.get("real_servers", [])]
    return [
        {"server": name, "state": one.state[1], "run": one.run, "findings": list(one.findings), "reason": one.reason}
        for name, one in machines(cluster, names).items()
    ]


def cluster_text(data: dict[str, Any]) -> str:
    applied = f"r{data['applied']}" if data["applied"] else "nothing"
    lines = [f"{data['cluster']:<16}  {data['state']:<8}  VIP {data['vip'] or '-'}  applied: {applied}"]
    lines += [f"  {r['router']} in maintenance since {r['since']:%Y-%m-%d %H:%M} UTC" for r in data["maintenance"]]
    lines += [
        f"  {s['server']}: {s['state']} on its machine (run {s['run']})" for s in data["servers"] if s["findings"]
    ]
    lines += [f"  change #{c['change']} {c['state']}: {c['title']}" for c in data["changes"]]
    lines += [f"  run {r['run']} {'dry run' if r['dry'] else r['kind']} {r['state']}" for r in data["runs"]]
    return "\n".join(lines)


def run_line(run: Run) -> dict[str, Any]:
    return {
        "run": run.pk,
        "kind": run.kind,
        "dry": run.dry,
        "state": run.state,
        "left": run.left,
        "outcome": run.outcome,
        "started_by": run.started_by.get_username() if run.started_by else None,
        "origin": run.origin,
        "exemption": run.exemption,
    }


def run_data(run: Run) -> dict[str, Any]:
    """The run with everything that was found."""
    view = fold(run.events.all())
    return {
        **run_line(run),
        "cluster": run.cluster.name if run.cluster else None,
        "change": run.change_id,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "findings": view.findings,
        "sessions": [s.to_json() for s in view.sessions],
        "unseen": view.unseen,
        "failed_steps": [{"router": r, "step": s.id, "message": s.message} for r, s in view.failed_steps],
        "result": run.result,
    }


def change_data(change: ChangeRequest) -> dict[str, Any]:
    return {
        "change": change.pk,
        "cluster": change.cluster.name,
        "title": change.title,
        "state": change.state,
        "author": change.author.get_username(),
        "origin": change.origin,
        "revision": change.revision.number,
        "plan_digest": change.plan_digest,
        "plan": change.plan,
        "problems": change.problems,
        "terms": change.terms,
        "approvals": _decisions(change),
        "approvals_required": approvals.needed(change),
        "approvals_counted": approvals.counted(change),
    }


def _decisions(change: ChangeRequest) -> list[dict[str, Any]]:
    """`counts`: towards the approvals that the present plan needs, as things are now. `origin`: how it came."""
    counting = {approval.pk for approval in approvals.counting(change)}
    return [
        {
            "user": one.user.get_username(),
            "approved": one.approved,
            "current": one.plan_digest == change.plan_digest and one.used_at is None,
            "counts": one.pk in counting,
            "origin": one.origin,
        }
        for one in change.approvals.select_related("user")
    ]


def change_text(change: ChangeRequest) -> str:
    lines = [f"change #{change.pk} {change.cluster}: {approvals.word(change)}"]
    lines += [_decision_line(one) for one in _decisions(change)]
    lines += plan_lines(change.plan, change.plan_digest) if change.plan else []
    lines += [f"  {label}: {value}" for label, value in change.terms]
    lines += problem_lines(change.problems)
    return "\n".join(lines)


def problem_lines(problems: list[dict[str, Any]]) -> list[str]:
    return [f"{p['severity']} {p['code']} {p['field']}: {p['reason']} {p['remedy']}".rstrip() for p in problems]


def _decision_line(one: dict[str, Any]) -> str:
    word = "approved" if one["approved"] else "rejected"
    beside = "" if one["counts"] or not one["approved"] else ", which does not count now"
    came = f", {one['origin']}" if one["origin"] else ""
    return f"  {word} by {one['user']}{came}{beside}"


def plan_lines(plan: dict[str, Any], digest: str = "") -> list[str]:
    """Steps and differences of each router. `digest` is what an approval covers; of a plan that nobody proposed, its
    own."""
    lines = [f"plan {(digest or plan['digest'])[:12]}"]
    if plan.get("empty"):
        return [*lines, "nothing to change: the routers hold this already"]
    for part in plan["routers"]:
        lines.append(f"[{part['router']}]")
        lines += [f"  {n}. {step['title']}" for n, step in enumerate(part["steps"], start=1)]
        for difference in part["differences"]:
            lines += ["", f"  {difference['what']}", *(f"    {x}" for x in difference["diff"].splitlines())]
        lines += [f"  note: {note}" for note in part.get("notes", [])]
    return lines + problem_lines(plan.get("warnings", []))
