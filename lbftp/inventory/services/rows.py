"""What all verbs of the inventory share: a row that is checked before it is saved, and its row of the audit."""

from __future__ import annotations

from typing import Any, TypeVar

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model, ProtectedError

from lbftp.accounts.models import Role
from lbftp.accounts.services import require
from lbftp.changes import editing, trail
from lbftp.changes.errors import Invalid, Refused
from lbftp.clusters.models import Cluster
from lbftp.inventory.models import Credential, ProbeHost, RealServer, Router, ServerHost, SshHost

Thing = Credential | RealServer | SshHost
_M = TypeVar("_M", bound=Model)


def remove(*, user: User, thing: Router | ProbeHost | RealServer | ServerHost | Credential) -> None:
    """Deletes what no cluster uses. Nothing is done on the machine itself."""
    require(user, thing.team, Role.ADMIN)
    if users := clusters_with(thing):
        raise Refused(f"{thing.name} is used by {', '.join(map(str, users))}: take it out of there first.")
    gone, before = named(thing), shown(thing)
    try:
        with transaction.atomic():
            thing.delete()
            trail.record(**gone, user=user, what="Removed.", before=before)
    except ProtectedError as error:
        raise Refused(f"{thing.name} is still used by {len(error.protected_objects)} other entries.") from error


def clusters_with(thing: Model) -> list[Cluster]:
    """The clusters whose draft names this router or real server, or whose sessions are made from this probe host."""
    if isinstance(thing, ProbeHost):
        return list(thing.clusters.all())
    part = {Router: "routers", RealServer: "real_servers"}.get(type(thing))
    if part is None:
        return []
    team, name = thing.team, thing.name  # type: ignore[attr-defined]
    return [c for c in team.clusters.all() if name in [item.get("name") for item in c.draft.get(part, [])]]


def saved(row: _M) -> _M:
    try:
        # What is not known yet is stored as NULL; only forms would have to ask for it.
        row.full_clean(exclude=[f.name for f in row._meta.fields if f.null and f.value_from_object(row) is None])
    except ValidationError as error:
        raise Invalid.of_validation(error) from error
    row.save()
    return row


def noted(
    user: User, thing: Thing, what: str, *, before: dict[str, Any] | None = None, after: dict[str, Any] | None = None
) -> None:
    """The row of the audit, in the caller's transaction."""
    trail.record(**named(thing), user=user, what=what, before=before, after=after)


def named(thing: Thing) -> dict[str, Any]:
    subject = "credential" if isinstance(thing, Credential) else "machine"
    word = "SSH access to real server" if isinstance(thing, ServerHost) else thing._meta.verbose_name
    name = thing.name if subject == "credential" else f"{str(word).capitalize()} {thing.name}"
    return {"team": thing.team, "subject": subject, "subject_id": thing.pk, "name": name}


def shown(thing: Thing) -> dict[str, Any]:
    """What the audit says of a machine or credential: nothing secret."""
    if isinstance(thing, Credential):
        return {
            "purpose": thing.get_purpose_display(),
            "kind": thing.get_kind_display(),
            "user": thing.username,
            "sudo": thing.use_sudo,
        }
    if isinstance(thing, RealServer):
        return {"addresses": thing.addresses}

    shown = {"address": thing.address, "port": thing.port, "credential": thing.credential.name}
    if isinstance(thing, ProbeHost):
        shown["source_addresses"] = thing.source_addresses
    return shown


def thing_of(row: Router | RealServer | Credential) -> editing.Thing:
    subject = "credential" if isinstance(row, Credential) else "machine"
    return editing.Thing(row.team, subject, row.pk, row.name)
