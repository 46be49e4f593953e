from __future__ import annotations

from typing import Any

from django import forms

from lbftp.core.proofs import LET_GO, PUT_BACK, REFUSE
from lbftp.proofs.models import WINDOW_MINUTES
from lbftp.proofs.services.proposing import PATIENCE, PATIENCE_SECONDS
from lbftp.web.editing import EditForm
from lbftp.web.forms import ServiceForm

_FOREIGN = [
    (REFUSE, "Do not restart where there are any"),
    (PUT_BACK, "Put them back exactly as they ran"),
    (LET_GO, "Let them go"),
]


class ProofForm(ServiceForm):
    """A proof about the routers of what is applied."""

    reason = forms.CharField(
        max_length=2000,
        required=False,
        widget=forms.Textarea({"rows": 3}),
        help_text="Why now, and who was told. A ticket number, if there is one.",
    )
    field_order = ["foreign", "routers", "router", "patience", "reason"]

    def __init__(self, *args: Any, routers: list[str], resting: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pair, self.resting = routers, resting
        self.prepare()

    def prepare(self) -> None:
        """Fills in what depends on the routers."""


class RestartForm(ProofForm):
    foreign = forms.ChoiceField(
        label="Rules that others only run",
        choices=_FOREIGN,
        help_text="Rules that run on a router and are in no saved file, such as a container engine's: the restart "
        "of the firewall unit loses them.",
    )


class RebootForm(ProofForm):
    routers = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple, help_text="The backup goes first.")
    patience = forms.IntegerField(
        label="Back within",
        initial=PATIENCE_SECONDS,
        min_value=PATIENCE[0],
        max_value=PATIENCE[1],
        help_text="Seconds within which each router has to answer again.",
    )

    def prepare(self) -> None:
        field = self.fields["routers"]
        assert isinstance(field, forms.MultipleChoiceField)  # noqa: S101 - for the type checker
        field.choices = [(name, name) for name in self.pair]
        field.initial = self.pair


class FailoverForm(ProofForm):
    pass


class MaintenanceForm(ProofForm):
    """One rests: that one comes back. None does: one is taken out."""

    router = forms.ChoiceField()

    def prepare(self) -> None:
        field = self.fields["router"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker
        field.choices = [(name, name) for name in self.resting or self.pair]

    def values(self) -> dict[str, Any]:
        return {**super().values(), "out": not self.resting}


class WindowForm(EditForm):
    cron = forms.CharField(
        label="Opens",
        max_length=100,
        widget=forms.TextInput({"class": "mono", "autocomplete": "off", "spellcheck": "false"}),
        help_text="Minute, hour, day of the month, month, day of the week. 0 2 * * 0 is each Sunday at 02:00.",
    )
    minutes = forms.IntegerField(label="Open for", min_value=WINDOW_MINUTES[0], max_value=WINDOW_MINUTES[1])
    time_zone = forms.CharField(
        max_length=64,
        widget=forms.TextInput({"list": "zones", "autocomplete": "off", "spellcheck": "false"}),
        help_text="Such as UTC or Europe/Berlin.",
    )
    enabled = forms.BooleanField(label="Switched on", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["minutes"].help_text = "Minutes. What was started in time goes on after its end."
