"""Who may approve a change, and whether enough people did. Superusers are people like everybody else here."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser

from lbftp.accounts import access
from lbftp.accounts.models import Role
from lbftp.changes.models import ChangeRequest
from lbftp.daytwo.services import rules
from lbftp.proofs.services import windows


def needed(change: ChangeRequest) -> int:
    """How many approvals the cluster asks for: one at least, whatever the row says."""
    return max(1, change.cluster.approvals_required)


def counted(change: ChangeRequest) -> int:
    """Approvals that cover the present plan and come from people who had no part in it."""
    parties = {change.author_id, *change.revision.editors.values_list("pk", flat=True)}
    decisions = change.approvals.filter(approved=True, plan_digest=change.plan_digest)
    return decisions.exclude(plan_digest="").exclude(user__in=parties).count()


def enough(change: ChangeRequest) -> bool:
    return counted(change) >= needed(change)


def excuse(change: ChangeRequest) -> str:
    """Why nobody else has to approve this change just now, as a sentence; '' if somebody has to."""
    return windows.excuse(change) or rules.excuse(change)


def hindrance(change: ChangeRequest, user: AbstractBaseUser) -> str:
    """Why `user` may not approve the present plan, as a sentence; '' if they may."""
    if not access.has_role(user, change.cluster.team, Role.OPERATOR):
        return "Approving needs the role operator in this cluster's team."
    if user.pk == change.author_id:
        return "This is your own change: somebody else has to approve it."
    if change.revision.editors.filter(pk=user.pk).exists():
        return "You edited this revision: somebody who did not has to approve it."
    if change.state != ChangeRequest.State.PROPOSED:
        return f"The change is not waiting for approval; it is: {change.get_state_display()}."
    if change.approvals.filter(user_id=user.pk, plan_digest=change.plan_digest).exists():
        return "You have decided on this plan already."
    return rules.outdated(change)
