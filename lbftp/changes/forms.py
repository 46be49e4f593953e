from __future__ import annotations

from django import forms

from lbftp.web.forms import ServiceForm


class ProposeForm(ServiceForm):
    title = forms.CharField(
        max_length=120, widget=forms.TextInput({"placeholder": "Widen the passive range for the nightly transfers"})
    )
    reason = forms.CharField(
        max_length=2000,
        required=False,
        widget=forms.Textarea({"rows": 5}),
        help_text="Why, and what whoever approves it should look at. A ticket number, if there is one.",
    )


class RejectForm(ServiceForm):
    reason = forms.CharField(
        label="Reason", max_length=500, widget=forms.Textarea({"rows": 2}), help_text="The author reads it."
    )
