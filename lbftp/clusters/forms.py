"""The form of a cluster: the guide's defaults filled in, machines of the team to choose from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.forms.boundfield import BoundField

from lbftp.accounts.models import Team
from lbftp.changes import editing
from lbftp.changes.errors import Edit
from lbftp.clusters import fields
from lbftp.clusters.drafts import MACHINES, PATHS, PRIORITIES, complete, flat, nested
from lbftp.clusters.fields import MONO
from lbftp.clusters.models import Cluster
from lbftp.clusters.sections import BESIDE, SECTIONS, Section, Summary, summaries
from lbftp.clusters.services import thing_of
from lbftp.clusters.values import values
from lbftp.core.job import GUARD_BOUNDS
from lbftp.inventory.models import Credential, ProbeHost, RealServer, Router
from lbftp.web.editing import EditForm, Raw
from lbftp.web.forms import RowsField

_PROBE: Final = ("probe_hosts", "probe_worker", "probe_account", "probe_path", "probe_upload_folder")
_PLAIN: Final = ("name", "comment", *_PROBE, *BESIDE)
# Draft field -> prefix of the boxes to tick; which number has to be given with a tick; its range.
_KINDS: Final = {"routers": ("router", "priority", (1, 254)), "real_servers": ("server", "weight", (0, 65535))}
# What is not typed in the form: day-two changes set it, and giving a weight takes it back.
_KEPT: Final = ("disabled",)
# Settings that the chosen mode or forwarding has no use for are hidden by these classes (lbftp.css).
_ONLY: Final = {
    "forwarding": "if-advertise",
    "tls": "if-advertise",
    "implicit_ports": "if-advertise",
    "floating": "if-nat",
    "internal_network": "if-nat",
    "floating6": "if-nat",
    "internal_network6": "if-nat",
    "scheduler_flags": "if-flags",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """One machine to take or leave, with its number (a router's priority or a server's weight) and its limits."""

    row: Router | RealServer
    taken: BoundField
    number: BoundField
    limits: tuple[BoundField, ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """A field of a section, and the class that hides it where it is of no use."""

    field: BoundField
    css: str


@dataclass(frozen=True, slots=True)
class Fold:
    """A folded section as it is drawn. It begins open where something in it was refused."""

    section: Section
    summary: Summary
    settings: tuple[Setting, ...]

    @property
    def opened(self) -> bool:
        return any(setting.field.errors for setting in self.settings)


class ClusterForm(EditForm):
    """Fields are named as the spec and its problems name them. Addresses may be left open in a draft."""

    name = forms.CharField(
        max_length=16,
        widget=forms.TextInput({**MONO, "placeholder": "ftp-public"}),
        help_text="Lower-case letters, digits, hyphens. It becomes part of file and chain names.",
    )
    comment = forms.CharField(max_length=200, required=False, help_text="For colleagues: what it serves, whom to ask.")
    probe_hosts = RowsField(
        ProbeHost.objects.none(), label="Probe hosts", required=False, widget=forms.CheckboxSelectMultiple
    )
    probe_worker = forms.BooleanField(
        label="From the worker's own machine as well",
        required=False,
        help_text="Only where it can reach the virtual address: a session that fails there is a failed session.",
    )
    probe_account = forms.ModelChoiceField(
        Credential.objects.none(), label="FTP account", required=False, empty_label="none"
    )
    probe_path = forms.CharField(
        label="File to fetch",
        max_length=200,
        required=False,
        widget=forms.TextInput({**MONO, "placeholder": "pub/probe.bin"}),
        help_text="Every real server has to hold it, with the same content.",
    )
    probe_upload_folder = forms.CharField(
        label="Folder to upload into",
        max_length=200,
        required=False,
        widget=forms.TextInput({**MONO, "placeholder": "incoming"}),
        help_text="Each session puts a small file there, fetches it, compares and deletes it. Empty: no uploads.",
    )
    guard_seconds = forms.IntegerField(
        label="Guard (s)",
        min_value=GUARD_BOUNDS[0],
        max_value=GUARD_BOUNDS[1],
        help_text="A router puts a change back by itself if nobody confirms it for so long. Each phase starts it anew.",
    )
    confirm_by_hand = forms.BooleanField(
        label="A person confirms",
        required=False,
        help_text="What was proven and kept stays only if somebody says so on the run's page within the guard's time.",
    )

    def __init__(self, *args: Any, team: Team, cluster: Cluster | None = None, **kwargs: Any) -> None:
        self.team, self.cluster = team, cluster
        stored, subject = (values(cluster), f"cluster {cluster.pk}") if cluster else ({}, "cluster")
        super().__init__(*args, stored=stored, subject=subject, **kwargs)
        self.machines: dict[str, Sequence[Router | RealServer]] = {
            "routers": list(team.routers.order_by("name")),
            "real_servers": list(team.real_servers.order_by("name")),
        }
        self.fields |= fields.build()
        self.fields["group"] = _group_field(team, cluster)
        self._add_machines()
        self.fields["probe_hosts"].queryset = team.probehosts.all()  # type: ignore[attr-defined]
        accounts = team.credentials.filter(purpose=Credential.Purpose.FTP)
        self.fields["probe_account"].queryset = accounts  # type: ignore[attr-defined]
        self.initial = {**_initial(cluster, self), **self.initial}

    @property
    def routers(self) -> Iterator[Choice]:
        return self._choices("routers")

    @property
    def real_servers(self) -> Iterator[Choice]:
        return self._choices("real_servers")

    @property
    def only(self) -> dict[str, str]:
        return _ONLY

    @property
    def sentences(self) -> dict[str, str]:
        return fields.SENTENCES

    @property
    def folds(self) -> Iterator[Fold]:
        for section, summary in zip(SECTIONS, self.summaries(), strict=True):
            settings = tuple(Setting(self[name], _ONLY.get(name, "")) for name in section.fields)
            yield Fold(section, summary, settings)

    @property
    def limits(self) -> Summary:
        """Whether any real server takes only so many connections."""
        found = [choice.row.name for choice in self.real_servers if any(_set(limit) for limit in choice.limits)]
        return Summary("limits", f"for {', '.join(found)}" if found else "none", bool(found))

    def summaries(self) -> list[Summary]:
        """Each folded section's values in a line, as the form stands."""
        names = (*PATHS, *BESIDE)
        return summaries({name: self._typed(name) if self.is_bound else self.initial[name] for name in names})

    def typed_draft(self) -> dict[str, Any]:
        """The draft as it stands while somebody types: what is no number yet stays as it was typed."""
        return self._draft({name: self._typed(name) for name in self.fields})

    def values(self) -> dict[str, Any]:
        """The arguments of `save_draft`."""
        return {**{name: self.cleaned_data[name] for name in _PLAIN}, "draft": self._draft(self.cleaned_data)}

    def edits(self, keys: list[str]) -> Mapping[str, Edit]:
        return editing.edits(thing_of(self.cluster), keys) if self.cluster else {}

    def label(self, key: str) -> str:
        part, _, name = key.partition(".")
        return f"{_SINGULAR[part]} {name}" if name else super().label(key)

    def shown(self, key: str, value: Any) -> str:
        part, _, name = key.partition(".")
        if name:
            return _machine_words(part, value)
        if key in ("probe_hosts", "probe_account"):
            names = value if isinstance(value, list) else [value]
            return ", ".join(filter(None, names)) or "none"
        return super().shown(key, value)

    def raw(self, key: str, value: Any) -> Raw:
        part, _, name = key.partition(".")
        if name:
            return self._raw_machine(part, name, value)
        if key == "probe_hosts":
            rows = self.team.probehosts.filter(name__in=value or [])
            return {key: [str(row.pk) for row in rows]}
        if key == "probe_account":
            row = self.team.credentials.filter(name=value or "").first()
            return {key: [str(row.pk) if row else ""]}
        return super().raw(key, value)

    def _raw_machine(self, part: str, name: str, value: dict[str, Any] | None) -> Raw:
        """Its box and its numbers; nothing for a machine that is not in the inventory any more."""
        row = next((row for row in self.machines[part] if row.name == name), None)
        if row is None:
            return {}
        numbers = value or {**MACHINES[part], **({"priority": PRIORITIES[0]} if part == "routers" else {})}
        box = {f"{_KINDS[part][0]}-{row.pk}": ["on"] if value else []}
        return {**box, **{f"{one}-{row.pk}": [str(numbers.get(one, ""))] for one in _typed_of(part)}}

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        for part, (kind, number, _) in _KINDS.items():
            for row in self.machines[part]:
                if values.get(f"{kind}-{row.pk}") and values.get(f"{number}-{row.pk}") is None:
                    self.add_error(f"{number}-{row.pk}", f"Give {row.name} a {number}.")
        return values

    def _typed(self, name: str) -> Any:
        field = self.fields[name]
        raw = field.widget.value_from_datadict(self.data, self.files, self.add_prefix(name))
        if isinstance(field, forms.BooleanField | forms.MultipleChoiceField):
            return raw
        if isinstance(field, fields.PortsField):
            return field.to_python(raw)
        return fields.number(raw or "") if isinstance(field, forms.IntegerField) else str(raw or "").strip()

    def _draft(self, given: dict[str, Any]) -> dict[str, Any]:
        taken = {part: self._taken(given, part) for part in _KINDS}
        return complete({**nested(given), **taken})

    def _taken(self, given: dict[str, Any], part: str) -> list[dict[str, Any]]:
        kind = _KINDS[part][0]
        rows = [row for row in self.machines[part] if given.get(f"{kind}-{row.pk}")]
        return [{"name": row.name, **self._numbers(given, part, row)} for row in rows]

    def _numbers(self, given: dict[str, Any], part: str, row: Router | RealServer) -> dict[str, Any]:
        """A machine's numbers; a limit that is left empty is none."""
        found = {name: given.get(f"{name}-{row.pk}") for name in _typed_of(part)}
        numbers = {name: value for name, value in found.items() if name == _KINDS[part][1] or value not in ("", None)}
        return {**numbers, **({"disabled": True} if numbers.get("weight") == 0 and row.name in self._disabled else {})}

    def _choices(self, part: str) -> Iterator[Choice]:
        kind, number, _ = _KINDS[part]
        limits = [name for name in _typed_of(part) if name != number]
        for row in self.machines[part]:
            bound = tuple(self[f"{name}-{row.pk}"] for name in limits)
            yield Choice(row, self[f"{kind}-{row.pk}"], self[f"{number}-{row.pk}"], bound)

    def _add_machines(self) -> None:
        for part, (kind, number, bounds) in _KINDS.items():
            for row in self.machines[part]:
                self.fields[f"{kind}-{row.pk}"] = forms.BooleanField(label=row.name, required=False)
                self.fields[f"{number}-{row.pk}"] = _small(f"{number.capitalize()} of {row.name}", *bounds)
                for name in _typed_of(part):
                    self.fields.setdefault(f"{name}-{row.pk}", _small(_LIMITS.get(name, name), 0, None))

    @property
    def _disabled(self) -> set[str]:
        """Real servers that the draft has out of rotation."""
        servers = complete(self.cluster.draft)["real_servers"] if self.cluster else []
        return {item["name"] for item in servers if item.get("disabled")}


_SINGULAR: Final = {"routers": "Router", "real_servers": "Real server"}
_NUMBER_WORDS: Final = {
    "priority": "priority {}",
    "weight": "weight {}",
    "upper_threshold": "no new clients above {}",
    "lower_threshold": "again below {}",
}


def _machine_words(part: str, value: dict[str, Any] | None) -> str:
    """What a draft says of one machine: its number, and its limits where it has any."""
    if value is None:
        return "not in the cluster"
    first = _KINDS[part][1]
    words = [text.format(value[n]) for n, text in _NUMBER_WORDS.items() if n in value and (n == first or value[n])]
    return ", ".join(words + (["disabled"] if value.get("disabled") else []))


def _typed_of(part: str) -> list[str]:
    return [name for name in MACHINES[part] if name not in _KEPT]


def _set(limit: BoundField) -> bool:
    return limit.value() not in (0, "0", "", None)


_LIMITS: Final = {"upper_threshold": "No new clients above", "lower_threshold": "and again below"}


def _small(label: str, low: int, high: int | None) -> forms.IntegerField:
    return forms.IntegerField(label=label, min_value=low, max_value=high, required=False)


def _group_field(team: Team, cluster: Cluster | None) -> forms.ChoiceField:
    """The groups there are: each other cluster's, and what the draft says now."""
    others = team.clusters.exclude(pk=cluster.pk) if cluster else team.clusters.all()
    found: dict[str, str] = {}
    for other in others:
        draft = complete(other.draft)
        name = draft["vrrp"]["group"] or other.name
        routers = ", ".join(item["name"] for item in draft["routers"])
        found.setdefault(name, f"with {name}" + (f" on {routers}" if routers else ""))
    if cluster and (now := complete(cluster.draft)["vrrp"]["group"]):
        found.setdefault(now, f"with {now}")
    return forms.ChoiceField(
        choices=[("", "by itself"), *sorted(found.items())],
        label="The addresses move",
        required=False,
        help_text="Clusters that move together share the internal floating address and what is set below.",
    )


def _free(team: Team, guide: dict[str, Any]) -> dict[str, int]:
    """The guide's numbers, or the next ones that no other cluster of the team has: each needs its own."""
    others = [flat(complete(draft)) for draft in team.clusters.values_list("draft", flat=True)]
    taken = {name: {other[name] for other in others} for name in ("mark", "vrid", "internal_vrid")}
    return {name: next(n for n in range(guide[name], 1 << 16) if n not in used) for name, used in taken.items()}


def _plain(cluster: Cluster) -> dict[str, Any]:
    values = {name: getattr(cluster, name) for name in _PLAIN}
    return {**values, "probe_hosts": [host.pk for host in cluster.probe_hosts.all()]}


def _initial(cluster: Cluster | None, form: ClusterForm) -> dict[str, Any]:
    """What the fields show before anybody types: the draft, or the guide's values and the obvious choices."""
    draft = complete(cluster.draft if cluster else {})
    first = flat(draft)
    first |= _plain(cluster) if cluster else {**_free(form.team, first), **BESIDE}
    for part, (kind, _, _) in _KINDS.items():
        there = {item["name"]: item for item in draft[part]}
        rows = form.machines[part]
        # A fresh form takes all servers, and the two routers; with more, the person has to say which.
        obvious = cluster is None and (part == "real_servers" or len(rows) == 2)
        for place, row in enumerate(rows):
            guess = {**MACHINES[part], **({"priority": PRIORITIES[min(place, 1)]} if part == "routers" else {})}
            first[f"{kind}-{row.pk}"] = row.name in there or obvious
            first |= {f"{name}-{row.pk}": there.get(row.name, {}).get(name, guess[name]) for name in _typed_of(part)}
    return first
