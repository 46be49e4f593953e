from __future__ import annotations

import re
from ipaddress import IPv4Address
from typing import Any

from django import forms

from lbftp.accounts.models import Team
from lbftp.inventory import services, suggest
from lbftp.inventory.fields import host_name_validator, user_name_validator
from lbftp.inventory.models import Credential, Router
from lbftp.web.editing import EditForm
from lbftp.web.forms import SecretArea, ServiceForm

_MONO = {"class": "mono", "autocomplete": "off", "spellcheck": "false"}
_KEY_HELP = "A private key without passphrase, the whole file; or the password. It is encrypted and never shown again."


class CredentialForm(ServiceForm):
    """What an FTP account has no use for is hidden (lbftp.css): it is a password, and runs no commands."""

    name = forms.CharField(max_length=64, help_text="What you call it, such as “routers, root”.")
    purpose = forms.ChoiceField(
        label="What it is for",
        choices=Credential.Purpose.choices,
        help_text="FTP sends the password in clear, and operators choose the account: give it an account of its own.",
    )
    username = forms.CharField(
        label="User on the machine",
        max_length=32,
        validators=[user_name_validator],
        widget=forms.TextInput({**_MONO, "placeholder": "root"}),
    )
    kind = forms.ChoiceField(choices=Credential.Kind.choices, required=False)
    secret = forms.CharField(label="Key or password", strip=False, widget=SecretArea({"rows": 6}), help_text=_KEY_HELP)
    use_sudo = forms.BooleanField(
        label="Run commands through sudo", required=False, help_text="For users other than root."
    )
    sudo_password = forms.CharField(
        required=False,
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "off"}),
        help_text="Empty where sudo asks for none.",
    )

    def clean_kind(self) -> str:
        """The choice is hidden for an FTP account, which is always a password."""
        if self.cleaned_data.get("purpose") == Credential.Purpose.FTP:
            return Credential.Kind.PASSWORD
        return str(self.cleaned_data["kind"] or Credential.Kind.KEY)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        sudo = values.get("use_sudo") or values.get("sudo_password")
        if values.get("purpose") == Credential.Purpose.FTP and sudo:
            self.add_error("purpose", "An FTP account runs no commands: leave sudo and its password out.")
        return values


class PurposeForm(ServiceForm):
    """What a credential is for; only while nothing uses it."""

    purpose = forms.ChoiceField(label="What it is for", choices=Credential.Purpose.choices)


class SecretForm(EditForm):
    conflict_template = "inventory/_secret_conflict.html"
    never_shown = ("secret", "sudo_password")

    secret = forms.CharField(
        label="New key or password", strip=False, widget=SecretArea({"rows": 6}), help_text=_KEY_HELP
    )
    sudo_password = forms.CharField(
        label="New sudo password",
        required=False,
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "off"}),
        help_text="Empty: it stays as it is.",
    )

    def clean_sudo_password(self) -> str | None:
        return self.cleaned_data["sudo_password"] or None


class RouterForm(ServiceForm):
    """A machine to enrol: where it is and how to log in."""

    name = forms.CharField(
        max_length=32, validators=[host_name_validator], widget=forms.TextInput({**_MONO, "placeholder": "r1"})
    )
    address = forms.CharField(
        max_length=255,
        validators=[host_name_validator],
        widget=forms.TextInput({**_MONO, "placeholder": "192.0.2.2"}),
        help_text="IP address or host name for SSH.",
    )
    port = forms.IntegerField(label="SSH port", min_value=1, max_value=65535, initial=22)
    credential = forms.ModelChoiceField(Credential.objects.none(), empty_label=None)

    def __init__(self, *args: Any, team: Team, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        logins = team.credentials.filter(purpose=Credential.Purpose.SSH)
        self.fields["credential"].queryset = logins  # type: ignore[attr-defined]


class ServerHostForm(RouterForm):
    """The name is the real server's."""

    name = None  # type: ignore[assignment]


class ProbeHostForm(RouterForm):
    source_addresses = forms.CharField(
        required=False,
        widget=forms.TextInput({**_MONO, "placeholder": "192.0.2.50, 192.0.2.51"}),
        help_text="Its addresses to connect from. Several let one probe see every real server in spite of persistence.",
    )

    def clean_source_addresses(self) -> list[str]:
        typed = [word for word in re.split(r"[\s,]+", self.cleaned_data["source_addresses"]) if word]
        try:
            return [str(IPv4Address(word)) for word in typed]
        except ValueError as error:
            raise forms.ValidationError(f"{error}. Give IPv4 addresses with commas between.") from error


class RealServerForm(ServiceForm):
    name = forms.CharField(
        max_length=32, validators=[host_name_validator], widget=forms.TextInput({**_MONO, "placeholder": "ftp1"})
    )
    address = forms.GenericIPAddressField(
        label="IPv4 address",
        protocol="IPv4",
        required=False,
        widget=forms.TextInput({**_MONO, "placeholder": "10.0.50.11"}),
        help_text="On the network behind the routers.",
    )
    address6 = forms.GenericIPAddressField(
        label="IPv6 address",
        protocol="IPv6",
        required=False,
        widget=forms.TextInput({**_MONO, "placeholder": "fd00:50::11"}),
        help_text="Only for clusters that serve IPv6.",
    )


class AddressesForm(EditForm, RealServerForm):
    """The same for a server that is there already: it keeps its name, which clusters know it by."""

    name = None  # type: ignore[assignment]


class InterfacesForm(EditForm):
    """Which interface faces clients, and which the real servers. Before anybody chose, a guess from the facts."""

    public_interface = forms.ChoiceField(label="Public interface", help_text="Clients and the VIP are on this side.")
    internal_interface = forms.ChoiceField(label="Internal interface", help_text="Real servers are on this side.")

    def __init__(self, *args: Any, router: Router, **kwargs: Any) -> None:
        stored = services.stored_interfaces(router)
        super().__init__(*args, stored=stored, subject=f"interfaces {router.pk}", **kwargs)
        found = [one for one in router.facts.get("interfaces", []) if one["name"] != "lo"]
        choices = [(one["name"], f"{one['name']}  {', '.join(one['addresses'])}") for one in found]
        for name in stored:
            self.fields[name].choices = choices  # type: ignore[attr-defined]
        servers = [address for server in router.team.real_servers.all() for address in server.addresses]
        guess = suggest.sides(found, servers)
        self.initial.setdefault("public_interface", router.public_interface or guess[0])
        self.initial.setdefault("internal_interface", router.internal_interface or guess[1])
