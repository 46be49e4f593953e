from __future__ import annotations

from zoneinfo import available_timezones

from django import forms

from lbftp.compliance.models import Policy
from lbftp.web.editing import EditForm


class PolicyForm(EditForm):
    cron = forms.CharField(
        label="When",
        max_length=100,
        widget=forms.TextInput({"class": "mono", "autocomplete": "off", "spellcheck": "false"}),
        help_text="Minute, hour, day of the month, month, day of the week. */15 * * * * is every 15 minutes.",
    )
    time_zone = forms.CharField(
        max_length=64,
        widget=forms.TextInput({"list": "zones", "autocomplete": "off", "spellcheck": "false"}),
        help_text="Such as UTC or Europe/Berlin.",
    )
    action = forms.ChoiceField(label="On drift", choices=Policy.Action.choices)
    enabled = forms.BooleanField(label="Switched on", required=False)


def zones() -> list[str]:
    """Names to offer while somebody types."""
    return sorted(available_timezones())
