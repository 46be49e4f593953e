"""The fields of a cluster's form, one for each value of a draft. Their kind follows from the model's defaults."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from django import forms

from lbftp.clusters.drafts import PATHS, draft_defaults, flat
from lbftp.core.spec import SCHEDULER_FLAGS, SCHEDULERS

MONO: Final = {"class": "mono", "autocomplete": "off", "spellcheck": "false"}


class PortsField(forms.CharField):
    """Ports as people list them: "21, 2121" and [21, 2121]. What is no number is left for the model to refuse."""

    widget = forms.TextInput

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value

    def to_python(self, value: Any) -> Any:
        return [number(word) for word in re.split(r"[\s,]+", str(value or "").strip()) if word]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(self.prepare_value(initial)) != self.to_python(data))


def number(typed: object) -> Any:
    """What was typed as a number if it is one, else as it is."""
    word = str(typed).strip()
    return int(word) if word.isascii() and word.isdigit() and len(word) < 12 else word


@dataclass(frozen=True, slots=True)
class Words:
    label: str
    help: str = ""
    example: str = ""


_WORDS: Final[dict[str, Words]] = {
    "vip": Words("Virtual IP (VIP)", "The public floating address that clients connect to.", "192.0.2.100"),
    "floating": Words(
        "Internal floating address", "The real servers' default route. It moves with the VIP.", "10.0.50.1"
    ),
    "internal_network": Words("Internal network", "", "10.0.50.0/24"),
    "vip6": Words("VIP (IPv6)", "Leave empty for a cluster without IPv6.", "2001:db8::100"),
    "floating6": Words("Internal floating address (IPv6)", "", "fd00:50::1"),
    "internal_network6": Words("Internal network (IPv6)", "", "fd00:50::/64"),
    "mark": Words("Firewall mark", "Ties control and data connections together. The guide uses 21."),
    "control_ports": Words("Control ports", "Where clients log in; commas between several.", "21, 2121"),
    "implicit_ports": Words("Ports with TLS from the first byte", "Usually 990, or none.", "990"),
    "tls": Words("Clients may ask for TLS on the control ports (AUTH TLS)"),
    "passive_low": Words("Passive ports from", "The same range as in every real server's configuration."),
    "passive_high": Words("Passive ports to"),
    "persistence_timeout": Words(
        "Persistence (s)", "How long a client stays with its real server; at least the server's idle timeout (300)."
    ),
    "persistence_granularity": Words("Clients count as one by prefix, IPv4", "32: each address for itself."),
    "persistence_granularity6": Words("… and IPv6", "128: each address for itself."),
    "quorum": Words("Quorum", "With fewer live real servers the cluster counts as down."),
    "sorry_server": Words("Sorry server", "Gets the clients while the quorum is missed.", "10.0.50.99"),
    "sorry_server6": Words("Sorry server (IPv6)", "", "fd00:50::99"),
    "inhibit_on_failure": Words("Give a failed server weight 0 instead of taking it out"),
    "expected_sessions": Words("Sessions at a time", "What you reckon with, to compare with the ports; 0: unknown."),
    "delay_loop": Words("Check every (s)"),
    "connect_timeout": Words("Answer within (s)"),
    "retry": Words("Further tries"),
    "vrid": Words("Virtual router ID, public", "Unique on the network of the VIP."),
    "internal_vrid": Words("Virtual router ID, internal", "The group's; unique on the internal network."),
    "advert_int": Words("Interval (s)", "The backup takes over after about three."),
    "preempt": Words("The router with the higher priority takes the addresses back when it returns"),
    "preempt_delay": Words("… after a delay of (s)"),
    "unicast": Words("Talk to the peer directly (unicast) instead of by multicast"),
    "track_interfaces": Words("Give the addresses up when the link of either side is lost"),
    "sync_connections": Words("Send open connections to the backup, so that they survive a failover"),
}
_CHOICES: Final[dict[str, tuple[str, list[tuple[str, str]]]]] = {
    "mode": ("Mode", [("helper", "Plain FTP"), ("advertise", "Plain and TLS")]),
    "forwarding": ("Forwarding", [("NAT", "NAT"), ("DR", "Direct routing"), ("TUN", "Tunnelling")]),
    "active": (
        "Connections that real servers open (active mode)",
        [
            ("masquerade", "leave from the router's own address (masquerade, the guide)"),
            ("snat", "leave from the VIP (SNAT), as careful clients expect"),
            ("none", "do not leave: clients use passive mode only"),
        ],
    ),
    "check": (
        "A real server lives when",
        [("tcp", "its control port answers (TCP)"), ("ftp", "a login succeeds (FTP)")],
    ),
    "scheduler": ("Scheduler", []),
}
# One plain sentence for each choice that comes first.
SENTENCES: Final = {
    "helper": "The router rewrites the addresses that FTP sends. TLS hides them from it.",
    "advertise": "Each FTP server announces the VIP itself; the router rewrites nothing.",
    "NAT": "Answers come back through the routers. Real servers need nothing but a default route.",
    "DR": "Answers go straight to the client. Real servers are on the routers' network and hold the VIP as well.",
    "TUN": "The same through a tunnel, for real servers in other networks.",
}
_SCHEDULER_WORDS: Final = {
    "wlc": "weighted least connections",
    "lc": "least connections",
    "wrr": "weighted round robin",
    "rr": "round robin",
    "lblc": "locality, least connections",
    "lblcr": "the same with replication",
    "dh": "destination hashing",
    "sh": "source hashing",
    "sed": "shortest expected delay",
    "nq": "never queue",
    "fo": "failover to the next by weight",
    "ovf": "overflow to the next by weight",
    "mh": "Maglev hashing",
}


def build() -> dict[str, forms.Field]:
    """A field for each value of a draft, in the model's order."""
    defaults = flat(draft_defaults())
    return {name: _choice(name) or _plain(name, defaults[name]) for name in PATHS}


def _choice(name: str) -> forms.Field | None:
    if name == "scheduler_flags":
        flags = [(flag, flag) for known in SCHEDULER_FLAGS.values() for flag in known]
        return forms.MultipleChoiceField(
            choices=flags, label="Options of the scheduler", required=False, widget=forms.CheckboxSelectMultiple
        )
    if name not in _CHOICES:
        return None
    label, choices = _CHOICES[name]
    if name == "scheduler":
        choices = [(one, f"{one}: {_SCHEDULER_WORDS[one]}" if one in _SCHEDULER_WORDS else one) for one in SCHEDULERS]
    widget = forms.RadioSelect if name in ("mode", "forwarding") else forms.Select
    return forms.ChoiceField(choices=choices, label=label, widget=widget)


def _plain(name: str, default: Any) -> forms.Field:
    words = _WORDS.get(name, Words(name.replace("_", " ").capitalize()))
    common: dict[str, Any] = {"label": words.label, "help_text": words.help}
    typed = forms.TextInput({**MONO, "placeholder": words.example})
    if isinstance(default, bool):
        return forms.BooleanField(required=False, **common)
    if isinstance(default, int):
        return forms.IntegerField(min_value=0, **common)
    if isinstance(default, list):
        return PortsField(required=False, widget=typed, **common)
    return forms.CharField(required=False, max_length=64, widget=typed, **common)
