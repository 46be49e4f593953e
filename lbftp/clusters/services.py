"""Editing drafts of clusters: from the form, and from YAML files (clusters as code)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from lbftp import waiting
from lbftp.accounts.models import Role, Team
from lbftp.accounts.services import require
from lbftp.changes import editing, states, terms
from lbftp.changes.editing import Values
from lbftp.changes.errors import Invalid, Refused
from lbftp.clusters.drafts import DRAFT_FIELDS, complete
from lbftp.clusters.models import Cluster
from lbftp.clusters.specs import check_values
from lbftp.clusters.values import values, version
from lbftp.core.durations import Need
from lbftp.core.job import GUARD_BOUNDS, GUARD_SECONDS
from lbftp.core.spec import SpecError, cluster_name
from lbftp.inventory.models import Credential, ProbeHost

# No quotes, braces, semicolons, dollar signs, backslashes or line breaks: a comment may end up beside configuration.
_COMMENT: Final = re.compile(r"[\w .,:/()+@#%&=!?*-]{0,200}")
_PATH: Final = re.compile(r"[\w./+@=-]{0,200}")
# `host` is from when there was one; a file of then still loads.
_PROBE_FIELDS: Final = ("hosts", "worker", "account", "path", "upload_folder")
# Which values say how changes are tested and guarded: approvals cover them (changes/terms.py).
_SECURED: Final = (
    "guard_seconds",
    "confirm_by_hand",
    "probe_hosts",
    "probe_worker",
    "probe_account",
    "probe_path",
    "probe_upload_folder",
)
# What a file holds beside the draft.
_BESIDE: Final = ("name", "comment", "guard_seconds", "confirm_by_hand", "probe", "version")


def save_draft(  # noqa: PLR0913 - the form's fields
    *,
    user: User,
    team: Team,
    cluster: Cluster | None,
    name: str,
    comment: str,
    draft: dict[str, Any],
    probe_account: Credential | None,
    probe_path: str,
    probe_hosts: Iterable[ProbeHost] = (),
    probe_worker: bool = False,
    probe_upload_folder: str = "",
    guard_seconds: int = GUARD_SECONDS,
    confirm_by_hand: bool = False,
    seen: Values | None = None,
    loaded: bool = False,
) -> Cluster:
    """Creates a cluster (None) or edits its draft. Whoever changes the spec is remembered as an editor.

    A draft may be incomplete; values that could never be right raise Invalid. Nothing happens on any router.
    `seen` are the values (clusters/values.py) that the person had before them: raises Conflict where this would remove
    what somebody else saved since. `loaded`: they come from a file, and the audit says so.
    """
    require(user, team, Role.OPERATOR)
    draft = complete({k: v for k, v in draft.items() if k != "name"})
    _check(name, comment, draft)
    hosts = tuple(probe_hosts)
    _check_paths(probe_path=probe_path, probe_upload_folder=probe_upload_folder)
    _check_guard(guard_seconds, confirm_by_hand)
    with transaction.atomic():
        # As it is stored now, and nobody else writes until this has ended.
        row = _locked_row(cluster) if cluster else Cluster(team=team)
        _check_probe(team, hosts, _locked(probe_account))
        stored = values(row) if cluster else {}
        changed = (row.name, row.draft) != (name, draft)
        _check_rename(row, team, name)
        row.name, row.comment, row.draft = name, comment, draft
        row.probe_account, row.probe_path = probe_account, probe_path
        row.probe_worker, row.probe_upload_folder = probe_worker, probe_upload_folder
        settings = _settings(row, guard_seconds=guard_seconds, confirm_by_hand=confirm_by_hand) if row.pk else ""
        row.guard_seconds, row.confirm_by_hand = guard_seconds, confirm_by_hand
        wanted = values(row, [host.name for host in hosts])
        if cluster:
            editing.refuse_unseen(thing_of(row), seen=seen, stored=stored, wanted=wanted)
        saved = _store(row, hosts, user if changed else None)
        what = "Setting changed" if settings else "Draft edited"
        _tell(user, saved, before=stored, what=editing.LOADED if loaded else what, reason=settings)
        return saved


def _tell(user: User, saved: Cluster, *, before: Values, what: str, reason: str) -> None:
    """The audit's row, and whose part it is where that is about how changes are tested and guarded."""
    note(saved, user, before=before, what=what, reason=reason)
    now = values(saved)

    if any(before.get(name) != now[name] for name in _SECURED):
        terms.edited(user, saved)


def _locked_row(cluster: Cluster) -> Cluster:
    rows = Cluster.objects.select_related("probe_account").select_for_update(of=("self",))
    row = rows.filter(pk=cluster.pk).first()
    if row is None:
        raise Refused(f"{cluster.name} was removed meanwhile.")
    return row


def thing_of(row: Cluster) -> editing.Thing:
    """A cluster's draft and settings, as the audit names what was edited."""
    return editing.Thing(row.team, "cluster", row.pk, row.name)


def note(row: Cluster, user: User | None, *, before: Values, what: str, reason: str = "") -> None:
    """A row of the audit for what became of the values `before`; {} for a cluster that is new."""
    after = values(row)
    now = {editing.VERSION: version(after)}
    if not before:
        editing.note(
            thing_of(row), user=user, before={}, after={"name": row.name, **now}, what=editing.MADE, reason=reason
        )
    elif before != after:
        was = {**before, editing.VERSION: version(before)}
        editing.note(thing_of(row), user=user, before=was, after={**after, **now}, what=what, reason=reason)


def load(*, user: User, team: Team, data: object, force: bool = False) -> Cluster:
    """Creates or edits the draft of the cluster that `data` names (the form that `dump` gives).

    What `data` leaves out gets the guide's default, so that a file means the same whatever was there before. Names of
    earlier versions (control_port, vrid, advert_int) are translated.

    Raises Conflict where that would remove an edit the file knows nothing of: with a `version` (as `dump` gives it)
    any since then, without one what somebody else edited after `user` last did. `force` removes it all the same.
    """
    if not isinstance(data, dict):
        raise Invalid.at("cluster", "It is not a mapping of fields.", "Begin with `name:` and the fields of `dump`.")
    draft = complete({k: v for k, v in data.items() if k not in _BESIDE})
    known = {*_BESIDE, *DRAFT_FIELDS}
    if unknown := sorted(map(str, set(draft) - known)):
        raise Invalid.at(unknown[0], "It is not a field of a cluster.", f"Known fields: {', '.join(sorted(known))}.")
    name = str(data.get("name", ""))
    with transaction.atomic():
        row = Cluster.objects.select_for_update().filter(team=team, name=name).first()
        return save_draft(
            user=user,
            team=team,
            cluster=row,
            name=name,
            comment=str(data.get("comment") or ""),
            draft=draft,
            guard_seconds=GUARD_SECONDS if data.get("guard_seconds") is None else data["guard_seconds"],
            confirm_by_hand=False if data.get("confirm_by_hand") is None else data["confirm_by_hand"],
            seen=_known_to_file(user, row, data.get("version")) if row and not force else None,
            loaded=True,
            **_probe(team, data.get("probe") or {}),
        )


def _known_to_file(user: User, row: Cluster, given: object) -> Values:
    """What of the stored values whoever wrote a file for `load` can have known."""
    stored, thing = values(row), thing_of(row)
    if given is None:
        others = set(editing.unseen_by(user, thing, stored))
    else:
        since = editing.unseen_since(user, thing, old=str(given), now=version(stored))
        # A version that nobody knows of: the file may have been written in sight of anything.
        others = set(stored) if since is None else since
    return {key: value for key, value in stored.items() if key not in others}


def dump(cluster: Cluster) -> dict[str, Any]:
    """The draft as `load` takes it, fields in a fixed order. No secret is in it.

    `version` lets `load` find out whether anybody edited the draft since.
    """
    probe = {
        "hosts": [host.name for host in cluster.probe_hosts.all()],
        "worker": cluster.probe_worker,
        "account": cluster.probe_account.name if cluster.probe_account else None,
        "path": cluster.probe_path,
        "upload_folder": cluster.probe_upload_folder,
    }
    data: dict[str, Any] = {"version": version(values(cluster)), "name": cluster.name, "comment": cluster.comment}
    data |= {field: cluster.draft[field] for field in DRAFT_FIELDS if field in cluster.draft}
    data |= {"guard_seconds": cluster.guard_seconds, "confirm_by_hand": cluster.confirm_by_hand}
    return {**data, "probe": {k: v for k, v in probe.items() if v}}


def set_approvals_required(*, user: User, cluster: Cluster, number: int) -> None:
    """How many people have to approve a change of this cluster. For administrators."""
    require(user, cluster.team, Role.ADMIN)
    if not 1 <= number <= 20:
        raise Invalid.at(
            "approvals_required", f"{number} is not from 1 to 20.", "Every change needs one approval at least."
        )
    with transaction.atomic():
        row = Cluster.objects.select_for_update().get(pk=cluster.pk)
        if row.approvals_required != number:
            reason = f"A change needs {number} approvals; before: {row.approvals_required}."
            states.left(row, row.state, row.state, user=user, reason=reason)
        Cluster.objects.filter(pk=row.pk).update(approvals_required=number)
    cluster.approvals_required = number


def _settings(row: Cluster, *, guard_seconds: int, confirm_by_hand: bool) -> str:
    """What changes of how changes are secured, in sentences; '' if nothing does. None of it is in a revision."""
    words = []
    if row.confirm_by_hand != confirm_by_hand:
        words.append("A person confirms each change." if confirm_by_hand else "No person confirms changes any more.")
    if row.guard_seconds != guard_seconds:
        words.append(f"Routers put back after {guard_seconds} s what nobody confirms; before: {row.guard_seconds} s.")
    return " ".join(words)


def _check(name: str, comment: str, draft: dict[str, Any]) -> None:
    try:
        check_values(draft, cluster_name(name))
    except SpecError as error:
        raise Invalid.of(error) from error
    if not _COMMENT.fullmatch(comment):
        remedy = "Use up to 200 letters, digits, spaces and .,:/()+@#%&=!?*- on one line."
        raise Invalid.at("comment", "It holds a character that is not allowed, or is too long.", remedy)


def _check_paths(**paths: str) -> None:
    for field, path in paths.items():
        if not _PATH.fullmatch(path) or ".." in path:
            remedy = (
                "Give a path on the FTP servers such as pub/probe.bin, a folder such as incoming or . (the account's)."
            )
            raise Invalid.at(field, "It is not a plain path.", remedy)


def _locked(account: Credential | None) -> Credential | None:
    """The account as it is now; it keeps its purpose until this transaction ends. Raises Refused if it is gone."""
    if account is None:
        return None
    found = Credential.objects.select_for_update().filter(pk=account.pk).first()
    if found is None:
        raise Refused("The FTP account was removed meanwhile: choose another one.")
    return found


def _check_probe(team: Team, hosts: Sequence[ProbeHost], account: Credential | None) -> None:
    if any(host.team_id != team.pk for host in hosts) or (account and account.team_id != team.pk):
        raise Refused("The probe hosts and the FTP account have to belong to the cluster's team.")
    if account and (reason := account.blocking_reason(Credential.Purpose.FTP)):
        raise Invalid.at("probe_account", reason, "Choose an FTP account; an administrator adds one (Credentials).")


def _check_guard(seconds: object, by_hand: object) -> None:
    if not isinstance(by_hand, bool):
        raise Invalid.at("confirm_by_hand", f"{str(by_hand)[:40]!r} is neither true nor false.", "Give true or false.")

    low, high = GUARD_BOUNDS
    # bool is a kind of int, and `yes` in a file is one.
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not low <= seconds <= high:
        remedy = f"Give {low} to {high} seconds, longer than the slowest phase takes."
        raise Invalid.at("guard_seconds", f"{str(seconds)[:40]!r} is not a whole number from {low} to {high}.", remedy)
    if reason := waiting.too_long(Need("apply", settings.RUN_SECONDS, guard=seconds, by_hand=by_hand)):
        raise Invalid.at("guard_seconds", f"Runs could not wait for guards of {seconds} s.", reason)


def _check_rename(cluster: Cluster, team: Team, name: str) -> None:
    if cluster._state.adding:
        return
    if cluster.team_id != team.pk:
        raise Refused("That cluster belongs to another team.")
    if cluster.name != name and cluster.revisions.exists():
        remedy = "Its name is in the chains and files on the routers; define another cluster."
        raise Invalid.at("name", f"{cluster.name} was proposed before and keeps its name.", remedy)


def _store(row: Cluster, hosts: Sequence[ProbeHost], editor: User | None) -> Cluster:
    columns = ["name", "comment", "draft", "guard_seconds", "confirm_by_hand"]
    columns += ["probe_worker", "probe_account", "probe_path", "probe_upload_folder"]
    try:
        with transaction.atomic():
            row.save(update_fields=columns if row.pk else None)
            row.probe_hosts.set(hosts)
            if editor is not None:
                row.draft_editors.add(editor)
    except IntegrityError as error:
        remedy = "Choose another name, or edit the cluster that has it."
        raise Invalid.at("name", f"There is a cluster {row.name} in this team already.", remedy) from error
    return row


def _probe(team: Team, given: Any) -> dict[str, Any]:
    if not isinstance(given, dict) or set(given) - {*_PROBE_FIELDS, "host"}:
        raise Invalid.at("probe", "It has the wrong form.", f"Give a mapping with {', '.join(_PROBE_FIELDS)}.")
    hosts, account, worker = given.get("hosts") or [], given.get("account"), given.get("worker") or False
    if not isinstance(hosts, list) or not isinstance(worker, bool):
        field = "worker" if isinstance(hosts, list) else "hosts"
        raise Invalid.at(
            f"probe.{field}", "It has the wrong form.", "Give a list of hosts, and true or false for worker."
        )
    names = [*hosts, *([given["host"]] if given.get("host") else [])]
    return {
        "probe_hosts": [_named(ProbeHost, team, "probe.hosts", name) for name in names],
        "probe_worker": worker,
        "probe_account": _named(Credential, team, "probe.account", account) if account else None,
        "probe_path": str(given.get("path") or ""),
        "probe_upload_folder": str(given.get("upload_folder") or ""),
    }


def _named(model: Any, team: Team, field: str, name: str) -> Any:
    row = model.objects.filter(team=team, name=str(name)).first()
    if row is None:
        raise Invalid.at(
            field, f"The team has no {model._meta.verbose_name} {str(name)[:40]!r}.", "Add it in the site first."
        )
    return row
