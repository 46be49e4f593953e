from __future__ import annotations

from typing import Any

from django import forms
from django.utils import timezone

from lbftp.accounts.models import Role
from lbftp.accounts.services.throttle import TooManyTries
from lbftp.changes.errors import ServiceError
from lbftp.web.forms import ServiceForm

_NEW_PASSWORD = forms.PasswordInput(attrs={"autocomplete": "new-password"})


class NewPasswordForm(ServiceForm):
    """A password of the person's own choice, typed twice."""

    password = forms.CharField(
        label="Password", strip=False, widget=_NEW_PASSWORD, help_text="At least 10 characters, not a common one."
    )
    again = forms.CharField(label="Password again", strip=False, widget=_NEW_PASSWORD)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("password") and values.pop("again", None) != values["password"]:
            self.add_error("again", "The two passwords differ: type the same one twice.")
        values.pop("again", None)
        return values


class OwnPasswordForm(NewPasswordForm):
    present = forms.CharField(
        label="Present password", strip=False, widget=forms.PasswordInput({"autocomplete": "current-password"})
    )
    field_order = ("present", "password", "again")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"].label = "New password"
        self.fields["again"].label = "New password again"


class WelcomeForm(NewPasswordForm):
    """The first person of a fresh site, and the team that everything will belong to."""

    code = forms.CharField(
        label="One-time code",
        max_length=64,
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false", "class": "mono"}),
        help_text="Printed by “make run”. For a new one: “manage.py lbftp first-admin” on this site's machine.",
    )
    username = forms.CharField(
        label="Your user name", max_length=64, widget=forms.TextInput({"autocomplete": "username"})
    )
    team = forms.CharField(label="Name of your team", max_length=64, help_text="Such as “Network operations”.")
    field_order = ("code", "username", "password", "again", "team")


class SignInForm(ServiceForm):
    username = forms.CharField(
        label="Username",
        max_length=150,
        widget=forms.TextInput({"autocomplete": "username", "autofocus": True, "autocapitalize": "none"}),
    )
    password = forms.CharField(
        label="Password", strip=False, widget=forms.PasswordInput({"autocomplete": "current-password"})
    )
    # Until the next password is looked at; 0: at once.
    seconds = 0

    def refuse(self, error: ServiceError) -> None:
        super().refuse(error)
        if isinstance(error, TooManyTries):
            self.seconds = max(1, round((error.until - timezone.now()).total_seconds()))

    @property
    def status(self) -> int:
        """429 while no password is looked at."""
        return 429 if self.seconds else super().status


class InviteForm(ServiceForm):
    username = forms.CharField(
        label="User name",
        max_length=64,
        widget=forms.TextInput({"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
        help_text="Letters a to z, digits and . _ @ -. No name that reads like another person here.",
    )
    role = forms.ChoiceField(label="Role", choices=Role.choices, initial=Role.OPERATOR)

    def clean_role(self) -> Role:
        return Role(self.cleaned_data["role"])


class RoleForm(ServiceForm):
    """An empty role takes the person out of the team."""

    role = forms.ChoiceField(label="Role", choices=[*Role.choices, ("", "Take out of the team")], required=False)
    seen = forms.ChoiceField(choices=Role.choices, required=False)

    def clean_role(self) -> Role | None:
        return Role(self.cleaned_data["role"]) if self.cleaned_data["role"] else None
