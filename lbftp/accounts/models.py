"""Teams and who belongs to them. Every object that people work on belongs to one team."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class Role(models.TextChoices):
    """What a member may do. Each role includes the ones before it."""

    VIEWER = "viewer", "Viewer: sees everything of the team"
    OPERATOR = "operator", "Operator: proposes, approves others' changes, applies"
    ADMIN = "admin", "Administrator: also enrols routers, credentials and people"


class Team(models.Model):
    name = models.CharField(max_length=64, unique=True)
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, through="Membership", related_name="teams")

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """Who is in a team, and as what.

    `role_since` is when the member became what counts for approvals: somebody who decides on changes (operator or
    administrator), or somebody who does not. Nobody approves what was proposed before it.
    """

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.VIEWER)
    joined_at = models.DateTimeField(default=timezone.now)
    role_since = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "user"], name="one_membership_per_team_and_user")]

    def __str__(self) -> str:
        return f"{self.user} in {self.team}: {self.role}"

    @property
    def decides(self) -> bool:
        """Whether the role lets the member decide on changes."""
        return self.role != Role.VIEWER


class Account(models.Model):
    """What is known of a person's way in, beside Django's own user. People of older sites may have no row."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="account")
    # When the password last came by way of somebody else: an invitation, a new link, a first password that had to be
    # changed. Until then others could have acted as this person. None: not since this is kept.
    credentials_since = models.DateTimeField(null=True, default=None)
    # The password was typed by somebody else: nothing but changing it is possible until its owner did.
    must_change = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"account of {self.user}"


class FirstCode(models.Model):
    """The one-time code that lets somebody become the first administrator; at most one row. The lock as well: whoever
    uses a code holds its row."""

    code_hash = models.CharField(max_length=64)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"code until {self.expires_at:%Y-%m-%d %H:%M}"
