from __future__ import annotations

from typing import Any

from django import forms

from lbftp.web.forms import ServiceForm


class ServerForm(ServiceForm):
    """One button of one real server."""

    server = forms.CharField(max_length=64)
    reason = forms.CharField(max_length=500, required=False)


class EnableForm(ServerForm):
    """Without a weight it gets the one that it had."""

    weight = forms.IntegerField(min_value=1, max_value=65535, required=False)


class WeightForm(ServerForm):
    weight = forms.IntegerField(min_value=0, max_value=65535)


class SorryForm(ServiceForm):
    address = forms.GenericIPAddressField(label="IPv4", protocol="IPv4", required=False)
    address6 = forms.GenericIPAddressField(label="IPv6", protocol="IPv6", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs.update({"class": "mono", "autocomplete": "off", "spellcheck": "false"})
        self.fields["address"].help_text = "Answers while no real server does. Empty: nobody."


class AloneForm(ServiceForm):
    alone = forms.BooleanField(required=False, label="Operators may do these alone")
