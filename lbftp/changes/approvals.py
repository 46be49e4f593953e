"""Who may approve a change, and whether enough people did. Superusers are people like everybody else here."""

from __future__ import annotations

from typing import Final

from django.contrib.auth.models import AbstractBaseUser, User

from lbftp.accounts import access
from lbftp.accounts.models import Role
from lbftp.changes.models import Approval, ChangeRequest
from lbftp.daytwo.services import rules
from lbftp.proofs.services import windows

_EDITED: Final = ChangeRequest.Kind.REVISION


def needed(change: ChangeRequest) -> int:
    """How many approvals the cluster asks for: one at least, whatever the row says."""
    return max(1, change.cluster.approvals_required)


def counted(change: ChangeRequest) -> int:
    """Approvals that cover the present plan and come from people who had no part in it."""
    decisions = change.approvals.filter(approved=True, plan_digest=change.plan_digest)
    return decisions.exclude(plan_digest="").exclude(user__in=[change.author_id, *_editors(change)]).count()


def _editors(change: ChangeRequest) -> list[int]:
    """Who made what the change brings. A proof, or a roll-back, brings nothing that was edited: what is applied was
    approved."""
    return list(change.revision.editors.values_list("pk", flat=True)) if change.kind == _EDITED else []


def enough(change: ChangeRequest) -> bool:
    return counted(change) >= needed(change)


def excuse(change: ChangeRequest) -> str:
    """Why nobody else has to approve this change just now, as a sentence; '' if somebody has to."""
    return windows.excuse(change) or rules.excuse(change)


def word(change: ChangeRequest) -> str:
    """The change's state for people. What needs no approval waits for somebody to start it."""
    waits = change.state == ChangeRequest.State.PROPOSED and excuse(change)
    return "Waiting to be started" if waits else change.get_state_display()


def waiting_for(user: User) -> list[ChangeRequest]:
    """Proposals that wait for this person's decision: in a team where they act, no part of it theirs, not decided yet,
    and not such that need nobody's."""
    acting = user.memberships.exclude(role=Role.VIEWER).values("team")
    proposed = ChangeRequest.objects.filter(state=ChangeRequest.State.PROPOSED, cluster__team__in=acting)
    others = access.visible(user, proposed).exclude(author=user).exclude(kind=_EDITED, revision__editors=user)
    found = others.select_related("cluster__team", "cluster__applied", "revision", "author").defer("plan")
    decided = set(Approval.objects.filter(user=user, change__in=others).values_list("change", "plan_digest"))
    return [change for change in found if (change.pk, change.plan_digest) not in decided and not excuse(change)]


def hindrance(change: ChangeRequest, user: AbstractBaseUser) -> str:
    """Why `user` may not approve the present plan, as a sentence; '' if they may."""
    if not access.has_role(user, change.cluster.team, Role.OPERATOR):
        return "Approving needs the role operator in this cluster's team."
    if user.pk == change.author_id:
        return "This is your own change: somebody else has to approve it."
    if user.pk in _editors(change):
        return "You edited this revision: somebody who did not has to approve it."
    if change.state != ChangeRequest.State.PROPOSED:
        return f"The change is not waiting for approval; it is: {change.get_state_display()}."
    if change.approvals.filter(user_id=user.pk, plan_digest=change.plan_digest).exists():
        return "You have decided on this plan already."
    return rules.outdated(change)
