"""The machines a team owns, how to reach them, and the host keys people confirmed."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from lbftp.accounts.models import Team
from lbftp.inventory.fields import SecretField, host_name_validator, interface_validator, user_name_validator


class Credential(models.Model):
    """How to log in somewhere. The secret can be replaced, never read back by a page.

    FTP sends passwords in clear, and operators choose the account that sessions are made with: a secret is for one
    purpose alone, which an administrator gives. An FTP account is a password, without key and without sudo.
    """

    class Purpose(models.TextChoices):
        SSH = "ssh", "SSH login to machines"
        FTP = "ftp", "FTP account for test sessions"

    class Kind(models.TextChoices):
        KEY = "key", "SSH private key"
        PASSWORD = "password", "Password"

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="credentials")
    name = models.CharField(max_length=64)
    purpose = models.CharField(max_length=8, choices=Purpose.choices, default=Purpose.SSH)
    username = models.CharField(max_length=32, validators=[user_name_validator])
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.KEY)
    secret = SecretField()
    use_sudo = models.BooleanField(default=False, help_text="Not root: commands are run through sudo.")
    sudo_password = SecretField(blank=True, help_text="Empty where sudo asks for none.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "name"], name="one_credential_name_per_team"),
            models.CheckConstraint(
                condition=models.Q(purpose="ssh") | models.Q(kind="password", use_sudo=False, sudo_password=""),
                name="ftp_account_is_a_password",
            ),
        ]
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def blocking_reason(self, purpose: Credential.Purpose) -> str:
        """Why it may not be used for `purpose`, in a sentence; '' if it may."""
        if self.purpose == purpose:
            return ""
        if purpose == self.Purpose.FTP:
            return f"{self.name} is an SSH credential: FTP would send its secret over the network in clear."
        return (
            f"{self.name} is an FTP account: its password was sent in clear before, so no machine is reached with it."
        )


class SshHost(models.Model):
    """What every machine reached over SSH has. `host_key` is empty until a person confirmed its fingerprint."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="%(class)ss")
    name = models.CharField(max_length=32, validators=[host_name_validator])
    address = models.CharField(max_length=255, validators=[host_name_validator], help_text="IP address or host name.")
    port = models.PositiveIntegerField(default=22, validators=[MinValueValidator(1), MaxValueValidator(65535)])
    credential = models.ForeignKey(Credential, on_delete=models.PROTECT, related_name="+")
    offered_key = models.TextField(
        blank=True, help_text="What the machine showed when it was enrolled; not yet trusted."
    )
    host_key = models.TextField(blank=True, help_text="The confirmed key, as 'ssh-ed25519 AAAA…'.")
    confirmed_by = models.ForeignKey("auth.User", null=True, on_delete=models.SET_NULL, related_name="+")
    confirmed_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["team", "name"], name="one_%(class)s_name_per_team")]

    def __str__(self) -> str:
        return self.name


class Router(SshHost):
    """An LVS router. `facts` is what was last observed (see lbftp.core.observe.facts), {} before the first look."""

    facts = models.JSONField(default=dict, blank=True)
    facts_at = models.DateTimeField(null=True)
    public_interface = models.CharField(max_length=15, blank=True, validators=[interface_validator])
    internal_interface = models.CharField(max_length=15, blank=True, validators=[interface_validator])


class ProbeHost(SshHost):
    """A machine on the clients' side from which real FTP sessions are made. Python 3 has to be there."""

    source_addresses = models.JSONField(
        default=list,
        blank=True,
        help_text="Addresses to connect from, so that persistence lets one probe see every server.",
    )


class RealServer(models.Model):
    """An FTP server behind the routers. It has an IPv4 address, an IPv6 address or both."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="real_servers")
    name = models.CharField(max_length=32, validators=[host_name_validator])
    address = models.GenericIPAddressField(protocol="IPv4", null=True)
    address6 = models.GenericIPAddressField(protocol="IPv6", null=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["team", "name"], name="one_real_server_name_per_team"),
            models.UniqueConstraint(fields=["team", "address"], name="one_real_server_address_per_team"),
            models.UniqueConstraint(fields=["team", "address6"], name="one_real_server_address6_per_team"),
            models.CheckConstraint(
                condition=models.Q(address__isnull=False) | models.Q(address6__isnull=False),
                name="real_server_has_an_address",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(self.addresses)})"

    @property
    def addresses(self) -> list[str]:
        """Those it has, IPv4 first."""
        return [address for address in (self.address, self.address6) if address]


class ServerHost(SshHost):
    """How lbftp gets to look at a real server's own machine, where people want that. It is named like the server."""

    server = models.OneToOneField(RealServer, on_delete=models.CASCADE, related_name="host")
