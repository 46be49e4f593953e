"""What the People page tells of each member of a team."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import User

from lbftp.accounts.models import Account, Invitation, Membership, Team


@dataclass(frozen=True, slots=True)
class Row:
    """`link` is the person's latest one: the one that is open, or the one they came with."""

    member: Membership
    user: User
    link: Invitation | None
    account: Account | None

    @property
    def invited(self) -> bool:
        return bool(self.account and self.account.invited)

    @property
    def locked(self) -> bool:
        return not self.user.is_active and not self.invited

    @property
    def must_change(self) -> bool:
        return bool(self.account and self.account.must_change)


def rows(team: Team) -> list[Row]:
    """The team's members by name; three queries, however many they are."""
    members = list(team.memberships.select_related("user__account").order_by("user__username"))
    links = Invitation.objects.filter(user__in=[member.user_id for member in members]).order_by("made_at", "pk")
    latest = {link.user_id: link for link in links}
    found = []
    for member in members:
        account = getattr(member.user, "account", None)
        found.append(Row(member, member.user, latest.get(member.user_id), account))
    return found
