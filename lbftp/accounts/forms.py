from __future__ import annotations

from typing import Any

from django import forms

from lbftp.accounts.models import Role
from lbftp.web.forms import ServiceForm

_NEW_PASSWORD = forms.PasswordInput(attrs={"autocomplete": "new-password"})


class WelcomeForm(ServiceForm):
    """The first person of a fresh site, and the team that everything will belong to."""

    code = forms.CharField(
        label="One-time code",
        max_length=64,
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false", "class": "mono"}),
        help_text="`make run` printed it. A new one: `manage.py lbftp first-admin`, on the machine of this site.",
    )
    username = forms.CharField(
        label="Your user name", max_length=64, widget=forms.TextInput({"autocomplete": "username"})
    )
    password = forms.CharField(label="Password", widget=_NEW_PASSWORD, help_text="At least 10 characters.")
    again = forms.CharField(label="Password again", widget=_NEW_PASSWORD)
    team = forms.CharField(label="Name of your team", max_length=64, help_text="Such as “Network operations”.")

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("password") and values.pop("again", None) != values["password"]:
            self.add_error("again", "The two passwords differ: type the same one twice.")
        return values


class PersonForm(ServiceForm):
    username = forms.CharField(label="User name", max_length=150, widget=forms.TextInput({"autocomplete": "off"}))
    password = forms.CharField(
        label="First password", widget=_NEW_PASSWORD, help_text="At least 10 characters. Hand it over in person."
    )
    role = forms.ChoiceField(label="Role", choices=Role.choices, initial=Role.OPERATOR)

    def clean_role(self) -> Role:
        return Role(self.cleaned_data["role"])


class RoleForm(ServiceForm):
    """An empty role takes the person out of the team."""

    role = forms.ChoiceField(label="Role", choices=[*Role.choices, ("", "Take out of the team")], required=False)

    def clean_role(self) -> Role | None:
        return Role(self.cleaned_data["role"]) if self.cleaned_data["role"] else None
