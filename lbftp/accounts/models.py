"""Teams and who belongs to them. Every object that people work on belongs to one team."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from lbftp import database


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
    joined_at = models.DateTimeField(default=database.now)
    role_since = models.DateTimeField(default=database.now)

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
    # Somebody made the account and its owner has not come yet: it is not active, and no password fits.
    invited = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"account of {self.user}"


class Invitation(models.Model):
    """A link with which a person sets their own password: the first one, or a new one for one they forgot.

    It says who made it, for whom, from which address it was made and used: whoever makes a link could use it.
    """

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="invitations")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="invitations")
    token_hash = models.CharField(max_length=64, unique=True)
    # '' for the command line.
    made_by = models.CharField(max_length=150, default="")
    made_from = models.CharField(max_length=64, default="")
    made_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, default=None)
    used_from = models.CharField(max_length=64, default="")
    # Taken back, or replaced by a newer one.
    ended_at = models.DateTimeField(null=True, default=None)

    class Meta:
        indexes = [models.Index(fields=["user", "made_at"], name="invitation_of_user")]

    def __str__(self) -> str:
        return f"link for {self.user}"

    @property
    def same_address(self) -> bool:
        """Whether it was used from where it was made: then one person may be both."""
        return self.used_at is not None and self.used_from != "" and self.used_from == self.made_from


class FirstCode(models.Model):
    """The one-time code that lets somebody become the first administrator; at most one row. The lock as well: whoever
    uses a code holds its row."""

    code_hash = models.CharField(max_length=64)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"code until {self.expires_at:%Y-%m-%d %H:%M}"


class SignIn(models.Model):
    """One session of one person: it lasts while this row says so, whatever the browser or the session's row say."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="sign_ins")
    session_key = models.CharField(max_length=40, unique=True)
    # Where it came from, and the network that counts as one place (an IPv6 address stands for its /64).
    address = models.CharField(max_length=64, default="")
    network = models.CharField(max_length=64, default="")
    started_at = models.DateTimeField(default=timezone.now)
    # The last thing that the person did; pages that ask by themselves do not count.
    active_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, default=None)

    class Meta:
        indexes = [
            models.Index(fields=["user", "ended_at"], name="sign_in_of_user"),
            models.Index(fields=["started_at"], name="sign_in_started"),
        ]

    def __str__(self) -> str:
        return f"{self.user} from {self.address}"


class PasswordTry(models.Model):
    """A password that is being checked, or was wrong. A right one takes its row away."""

    # A hash of the name that was typed: people type passwords there by mistake.
    name_hash = models.CharField(max_length=64)
    network = models.CharField(max_length=64)
    # Whether the account had signed in from this network lately.
    known = models.BooleanField(default=False)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["name_hash", "at"], name="try_at_name"),
            models.Index(fields=["network", "at"], name="try_from_network"),
            models.Index(fields=["at"], name="try_at"),
        ]

    def __str__(self) -> str:
        return f"try from {self.network}"


class Gate(models.Model):
    """One row, for whoever counts before they write: its holder counts alone (SQLite has one writer anyway)."""

    name = models.CharField(max_length=32, unique=True)

    def __str__(self) -> str:
        return self.name
