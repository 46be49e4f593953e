"""Who may approve a change, and whether enough people did. Superusers are people like everybody else here.

An approval counts while the person who gave it may decide: active, an operator or administrator of the team now and
already before the change was proposed, with a way to sign in that nobody else gave them since, and no part in what the
change does. It is counted again each time: at the approval, at the apply, and when a worker begins.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple

from django.contrib.auth.models import AbstractBaseUser, User
from django.db.models import QuerySet

from lbftp.accounts import access
from lbftp.accounts.models import Account, Membership, Role
from lbftp.changes import terms
from lbftp.changes.models import Approval, ChangeRequest
from lbftp.daytwo.services import rules
from lbftp.proofs.services import windows

C = ChangeRequest.State
_EDITED: Final = ChangeRequest.Kind.REVISION
_REMEDY: Final = "Somebody who could decide before that has to approve it, or it has to be proposed anew."


class Reason(NamedTuple):
    """Why somebody may not decide on a change: as a sentence to them, and as the end of one about them."""

    you: str
    they: str


def needed(change: ChangeRequest) -> int:
    """How many approvals the change needs: what its cluster asked for when it was proposed, or more if it asks for more
    now; one at least, whatever the rows say."""
    return max(1, change.approvals_needed, change.cluster.approvals_required)


def counted(change: ChangeRequest) -> int:
    """Approvals that cover the present plan and come from people who may decide on it now."""
    return len(counting(change))


def counting(change: ChangeRequest) -> list[Approval]:
    """Those approvals, oldest first."""
    given = change.approvals.filter(approved=True, used_at=None, plan_digest=change.plan_digest)
    others = given.exclude(plan_digest="").exclude(user__in=_part_takers(change))
    return list(others.filter(user__in=_deciding(change)).select_related("user"))


def enough(change: ChangeRequest) -> bool:
    return counted(change) >= needed(change)


def excuse(change: ChangeRequest, now: datetime | None = None) -> str:
    """Why nobody else has to approve this change at `now` (None: just now), as a sentence; '' if somebody has to.

    Somebody has to wherever it was changed how the cluster is tested or guarded and nobody has approved that yet;
    bringing a router back is let through all the same.
    """
    found = windows.excuse(change, now) or rules.excuse(change)
    if found and change.editors.exists() and not windows.brings_back(change):
        return ""

    return found


def late_excuse(change: ChangeRequest) -> str:
    """Why what stands in for an approval elsewhere does not here, as a sentence; '' if there is no such thing."""
    if found := windows.late(change) or rules.late(change):
        return found
    if not (windows.excuse(change) or rules.excuse(change)) or excuse(change):
        return ""

    return (
        "How changes of this cluster are tested or guarded was changed since one was approved, so this one needs an "
        "approval."
    )


def lost(change: ChangeRequest) -> str:
    """ " (bob is locked)" for approvals of the present plan that were good and count no more; '' for none."""
    given = change.approvals.filter(approved=True, used_at=None, plan_digest=change.plan_digest).select_related("user")
    reasons = [(approval.user, ineligible(change, approval.user)) for approval in given]
    words = ", ".join(f"{user} {reason.they}" for user, reason in reasons if reason)
    return f" ({words})" if words else ""


def waits(change: ChangeRequest) -> bool:
    """Whether the change wants approvals: proposed, or approved by people whose approvals count no more."""
    return change.state == C.PROPOSED or (change.state == C.APPROVED and not (enough(change) or excuse(change)))


def word(change: ChangeRequest) -> str:
    """The change's state for people. What needs no approval waits for somebody to start it."""
    waiting = change.state == C.PROPOSED and excuse(change)
    return "Waiting to be started" if waiting else change.get_state_display()


def waiting_for(user: User) -> list[ChangeRequest]:
    """Proposals that wait for this person's decision: in a team where they could decide already, no part of it theirs,
    not decided yet, and not such that need nobody's."""
    acting = user.memberships.exclude(role=Role.VIEWER)
    since = dict(acting.values_list("team", "role_since"))
    account = Account.objects.filter(user=user).first()
    proposed = ChangeRequest.objects.filter(state=C.PROPOSED, cluster__team__in=since)
    others = access.visible(user, proposed).exclude(author=user).exclude(editors=user)
    others = others.exclude(kind=_EDITED, revision__editors=user)
    found = others.select_related("cluster__team", "cluster__applied", "revision", "author").defer("plan")
    mine = Approval.objects.filter(user=user, used_at=None, change__in=others)
    decided = set(mine.values_list("change", "plan_digest"))

    return [
        change
        for change in found
        if (change.pk, change.plan_digest) not in decided
        and since[change.cluster.team_id] < change.created_at
        and _own_way_in(account, change) is None
        and not excuse(change)
    ]


def hindrance(change: ChangeRequest, user: AbstractBaseUser) -> str:
    """Why `user` may not approve the present plan, as a sentence; '' if they may."""
    if reason := ineligible(change, user):
        return reason.you
    if change.state == C.APPROVED and waits(change):
        return _decided(change, user) or terms.outdated(change) or rules.outdated(change)
    if change.state != C.PROPOSED:
        return f"The change is not waiting for approval; it is: {change.get_state_display()}."
    return _decided(change, user) or terms.outdated(change) or rules.outdated(change)


def ineligible(change: ChangeRequest, user: AbstractBaseUser) -> Reason | None:
    """Why `user` may not decide on the change, whatever its state; None if they may."""
    if not user.is_active:
        return Reason("Your account is locked.", "is locked")
    member = Membership.objects.filter(user_id=user.pk, team=change.cluster.team_id).first()
    if member is None or not member.decides:
        they = "is no longer in the team" if member is None else "only reads now"
        return Reason("Approving needs the role operator in this cluster's team.", they)
    if part := _part(change, user):
        return part
    if member.role_since >= change.created_at:
        since = f"{member.role_since:%Y-%m-%d %H:%M} UTC, which is after this was proposed"
        you = f"You can decide in this team since {since}. {_REMEDY}"
        return Reason(you, f"can decide in this team only since {since}")

    return _own_way_in(Account.objects.filter(user=user.pk).first(), change)


def _own_way_in(account: Account | None, change: ChangeRequest) -> Reason | None:
    """Whether somebody else could have acted as this person: they know the password, or gave it since the proposal."""
    if account is None:
        return None
    if account.must_change:
        return Reason(
            "Set a password of your own first: somebody else knows the present one.",
            "has not set a password of their own yet",
        )
    if account.credentials_since and account.credentials_since >= change.created_at:
        since = f"{account.credentials_since:%Y-%m-%d %H:%M} UTC, which is after this was proposed"
        you = f"You got a new way to sign in from somebody else on {since}. {_REMEDY}"
        return Reason(you, f"got a new way to sign in from somebody else on {since}")

    return None


def _part(change: ChangeRequest, user: AbstractBaseUser) -> Reason | None:
    if user.pk == change.author_id:
        return Reason("This is your own change: somebody else has to approve it.", "proposed it")
    if user.pk in _edited(change):
        return Reason("You edited this revision: somebody who did not has to approve it.", "edited the revision")
    if change.editors.filter(pk=user.pk).exists():
        return Reason(
            "You changed how this change is tested or guarded, or which machine it is for: "
            "somebody who did not has to approve it.",
            "changed how it is tested or guarded",
        )

    return None


def _decided(change: ChangeRequest, user: AbstractBaseUser) -> str:
    mine = change.approvals.filter(user_id=user.pk, used_at=None, plan_digest=change.plan_digest)
    return "You have decided on this plan already." if mine.exists() else ""


def _deciding(change: ChangeRequest) -> QuerySet[Membership, Any]:
    """Who may decide in the change's team, and could already before it was proposed."""
    members = Membership.objects.filter(team=change.cluster.team_id, role_since__lt=change.created_at)
    active = members.filter(user__is_active=True).exclude(role=Role.VIEWER)
    owners = active.exclude(user__account__must_change=True)
    return owners.exclude(user__account__credentials_since__gte=change.created_at).values("user")


def _part_takers(change: ChangeRequest) -> list[int]:
    return [change.author_id, *_edited(change), *change.editors.values_list("pk", flat=True)]


def _edited(change: ChangeRequest) -> list[int]:
    """Who made what the change brings. A proof, or a roll-back, brings nothing that was edited: what is applied was
    approved."""
    return list(change.revision.editors.values_list("pk", flat=True)) if change.kind == _EDITED else []
