"""The form of a cluster: the guide's defaults filled in, machines of the team to choose from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.forms.boundfield import BoundField

from lbftp.accounts.models import Team
from lbftp.clusters.drafts import PRIORITIES, draft_defaults
from lbftp.clusters.models import Cluster
from lbftp.core.spec import SCHEDULERS
from lbftp.inventory.models import Credential, ProbeHost, RealServer, Router
from lbftp.web.forms import ServiceForm

_MONO: Final = {"class": "mono", "autocomplete": "off", "spellcheck": "false"}
_PLAIN: Final = ("name", "comment", "probe_host", "probe_account", "probe_path")
_NUMBERS: Final = (
    "mark",
    "control_port",
    "persistence_timeout",
    "vrid",
    "advert_int",
    "passive_low",
    "passive_high",
    "delay_loop",
    "connect_timeout",
    "retry",
)
_SCHEDULER_WORDS: Final = {
    "wlc": "weighted least connections",
    "lc": "least connections",
    "wrr": "weighted round robin",
    "rr": "round robin",
    "sh": "source hashing",
    "sed": "shortest expected delay",
    "nq": "never queue",
    "mh": "Maglev hashing",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """One machine to take or leave, with its number (a router's priority or a server's weight)."""

    row: Router | RealServer
    taken: BoundField
    number: BoundField


class ClusterForm(ServiceForm):
    """Fields are named as the spec and its problems name them. Addresses may be left open in a draft."""

    name = forms.CharField(
        max_length=16,
        widget=forms.TextInput({**_MONO, "placeholder": "ftp-public"}),
        help_text="Lower-case letters, digits, hyphens. It becomes part of file and chain names.",
    )
    comment = forms.CharField(max_length=200, required=False, help_text="For colleagues: what it serves, whom to ask.")
    vip = forms.CharField(
        label="Virtual IP (VIP)",
        required=False,
        widget=forms.TextInput({**_MONO, "placeholder": "192.0.2.100"}),
        help_text="The public floating address that clients connect to.",
    )
    floating = forms.CharField(
        label="Internal floating address",
        required=False,
        widget=forms.TextInput({**_MONO, "placeholder": "10.0.50.1"}),
        help_text="The real servers' default route. It moves together with the VIP.",
    )
    internal_network = forms.CharField(
        label="Internal network", required=False, widget=forms.TextInput({**_MONO, "placeholder": "10.0.50.0/24"})
    )
    mark = forms.IntegerField(
        label="Firewall mark",
        min_value=1,
        max_value=0xFFFFFFFF,
        help_text="Ties control and data connections together. The guide uses 21.",
    )
    control_port = forms.IntegerField(label="Control port", min_value=1, max_value=65535)
    passive_low = forms.IntegerField(
        label="Passive ports from",
        min_value=1024,
        max_value=65535,
        help_text="The same range as in every real server's configuration.",
    )
    passive_high = forms.IntegerField(label="Passive ports to", min_value=1024, max_value=65535)
    scheduler = forms.ChoiceField(
        choices=[
            (name, f"{name}: {_SCHEDULER_WORDS[name]}" if name in _SCHEDULER_WORDS else name) for name in SCHEDULERS
        ]
    )
    persistence_timeout = forms.IntegerField(
        label="Persistence (s)",
        min_value=0,
        max_value=31 * 86400,
        help_text="How long a client stays with its real server; at least the server's idle timeout (300).",
    )
    vrid = forms.IntegerField(
        label="Virtual router ID", min_value=1, max_value=255, help_text="Unique on the networks that carry VRRP."
    )
    advert_int = forms.IntegerField(label="VRRP interval (s)", min_value=1, max_value=255)
    delay_loop = forms.IntegerField(label="Check every (s)", min_value=1, max_value=3600)
    connect_timeout = forms.IntegerField(label="Connect within (s)", min_value=1, max_value=300)
    retry = forms.IntegerField(label="Tries", min_value=0, max_value=100)
    probe_host = forms.ModelChoiceField(ProbeHost.objects.none(), required=False, empty_label="none")
    probe_account = forms.ModelChoiceField(
        Credential.objects.none(), label="FTP account", required=False, empty_label="none"
    )
    probe_path = forms.CharField(
        label="File to fetch",
        max_length=200,
        required=False,
        widget=forms.TextInput({**_MONO, "placeholder": "pub/probe.bin"}),
        help_text="Every real server has to hold it, with the same content.",
    )

    def __init__(self, *args: Any, team: Team, cluster: Cluster | None = None, **kwargs: Any) -> None:
        self.team, self.cluster = team, cluster
        super().__init__(*args, **kwargs)
        self.machines = (list(team.routers.order_by("name")), list(team.real_servers.order_by("name")))
        self._add_machines()
        self.fields["probe_host"].queryset = team.probehosts.all()  # type: ignore[attr-defined]
        passwords = team.credentials.filter(kind=Credential.Kind.PASSWORD)
        self.fields["probe_account"].queryset = passwords  # type: ignore[attr-defined]
        self.initial = {**_initial(cluster, self), **self.initial}

    @property
    def routers(self) -> Iterator[Choice]:
        return self._choices("router", "priority", self.machines[0])

    @property
    def real_servers(self) -> Iterator[Choice]:
        return self._choices("server", "weight", self.machines[1])

    def typed_draft(self) -> dict[str, Any]:
        """The draft as it stands while somebody types: what is no number yet stays as it was typed."""
        return self._draft({name: _number(self.data.get(name, "")) for name in self.fields})

    def values(self) -> dict[str, Any]:
        """The arguments of `save_draft`."""
        return {**{name: self.cleaned_data[name] for name in _PLAIN}, "draft": self._draft(self.cleaned_data)}

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        for kind, number, rows in (("router", "priority", self.machines[0]), ("server", "weight", self.machines[1])):
            for row in rows:
                if values.get(f"{kind}-{row.pk}") and values.get(f"{number}-{row.pk}") is None:
                    self.add_error(f"{number}-{row.pk}", f"Give {row.name} a {number}.")
        return values

    def _draft(self, given: dict[str, Any]) -> dict[str, Any]:
        draft: dict[str, Any] = {name: given[name] for name in ("vip", "floating", "internal_network", "scheduler")}
        draft |= {name: given[name] for name in _NUMBERS[:5]}
        draft["passive"] = {"low": given["passive_low"], "high": given["passive_high"]}
        draft["check"] = {name: given[name] for name in _NUMBERS[7:]}
        draft["routers"] = self._taken(given, "router", "priority", self.machines[0])
        draft["real_servers"] = self._taken(given, "server", "weight", self.machines[1])
        return draft

    def _taken(self, given: dict[str, Any], kind: str, number: str, rows: Any) -> list[dict[str, Any]]:
        return [{"name": r.name, number: given[f"{number}-{r.pk}"]} for r in rows if given.get(f"{kind}-{r.pk}")]

    def _choices(self, kind: str, number: str, rows: Any) -> Iterator[Choice]:
        return (Choice(row, self[f"{kind}-{row.pk}"], self[f"{number}-{row.pk}"]) for row in rows)

    def _add_machines(self) -> None:
        for router in self.machines[0]:
            self.fields[f"router-{router.pk}"] = forms.BooleanField(label=router.name, required=False)
            self.fields[f"priority-{router.pk}"] = _small(f"Priority of {router.name}", 1, 254)
        for server in self.machines[1]:
            self.fields[f"server-{server.pk}"] = forms.BooleanField(label=server.name, required=False)
            self.fields[f"weight-{server.pk}"] = _small(f"Weight of {server.name}", 0, 65535)


def _small(label: str, low: int, high: int) -> forms.IntegerField:
    return forms.IntegerField(label=label, min_value=low, max_value=high, required=False)


def _number(typed: str) -> Any:
    typed = str(typed).strip()
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 12 else typed


def _initial(cluster: Cluster | None, form: ClusterForm) -> dict[str, Any]:
    """What the fields show before anybody types: the draft, or the guide's values and the obvious choices."""
    draft = {**draft_defaults(), **(cluster.draft if cluster else {})}
    first: dict[str, Any] = {k: v for k, v in draft.items() if not isinstance(v, (dict, list))}
    first |= {"passive_low": draft["passive"]["low"], "passive_high": draft["passive"]["high"], **draft["check"]}
    if cluster:
        first |= {name: getattr(cluster, name) for name in _PLAIN}
    routers = {item["name"]: item.get("priority") for item in draft["routers"]}
    servers = {item["name"]: item.get("weight", 1) for item in draft["real_servers"]}
    for place, router in enumerate(form.machines[0]):
        # A fresh form takes the first two routers; with more, the person has to say which.
        first[f"router-{router.pk}"] = router.name in routers or (cluster is None and len(form.machines[0]) == 2)
        first[f"priority-{router.pk}"] = routers.get(router.name) or PRIORITIES[min(place, 1)]
    for server in form.machines[1]:
        first[f"server-{server.pk}"] = server.name in servers or cluster is None
        first[f"weight-{server.pk}"] = servers.get(server.name, 1)
    return first
