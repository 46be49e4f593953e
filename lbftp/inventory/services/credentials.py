"""Ways to log in. Administrators of the team only: these open the way to routers."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key
from django.contrib.auth.models import User
from django.db import transaction

from lbftp.accounts.models import Role, Team
from lbftp.accounts.services import require
from lbftp.changes import editing, trail
from lbftp.changes.editing import Values
from lbftp.changes.errors import Invalid, Refused
from lbftp.clusters.models import Cluster
from lbftp.inventory.crypto import Sealed, SecretLost
from lbftp.inventory.fields import seal
from lbftp.inventory.models import Credential, ProbeHost, Router, ServerHost, SshHost
from lbftp.inventory.services.rows import noted, saved, shown, thing_of


def add_credential(  # noqa: PLR0913 - the columns of the row
    *,
    user: User,
    team: Team,
    name: str,
    username: str,
    kind: str,
    secret: str,
    purpose: str = Credential.Purpose.SSH,
    use_sudo: bool = False,
    sudo_password: str = "",
) -> Credential:
    """A way to log in. `secret` is a private key without passphrase (OpenSSH or PEM) or a password, by `kind`.

    It is used for `purpose` alone; an FTP account is a password, and has no sudo.
    """
    require(user, team, Role.ADMIN)
    _check_purpose(purpose, kind, use_sudo=use_sudo or bool(sudo_password))
    secret, sudo_password = _secret(kind, secret), _one_line("sudo_password", sudo_password)
    credential = Credential(
        team=team,
        name=name,
        purpose=purpose,
        username=username,
        kind=kind,
        secret=_sealed(secret),
        use_sudo=use_sudo,
        sudo_password=_sealed(sudo_password),
    )
    with transaction.atomic():
        saved(credential)
        noted(user, credential, "Added.", after=shown(credential))
    return credential


def replace_secret(
    *,
    user: User,
    credential: Credential,
    secret: str,
    sudo_password: str | None = None,
    seen: Values | None = None,
) -> None:
    """A new key or password in place of the old one; `sudo_password` None leaves that as it is.

    `seen` is what `stored_edition` told when the person opened the form: raises Conflict where somebody else replaced
    the secret since.
    """
    require(user, credential.team, Role.ADMIN)
    credential.secret = _sealed(_secret(credential.kind, secret))
    fields = ["secret"]
    if sudo_password is not None:
        _check_purpose(credential.purpose, credential.kind, use_sudo=bool(sudo_password))
        credential.sudo_password = _sealed(_one_line("sudo_password", sudo_password))
        fields.append("sudo_password")
    with transaction.atomic():
        Credential.objects.select_for_update().get(pk=credential.pk)
        thing, stored = thing_of(credential), stored_edition(credential)
        editing.refuse_unseen(thing, seen=seen, stored=stored, wanted={"secret": "a new one"})
        credential.save(update_fields=fields)
        editing.note(thing, user=user, before={}, after={"secret": "a new one"}, what="Secret replaced.")


def stored_edition(credential: Credential) -> dict[str, int]:
    """Stands for the stored secret, which no form holds: the number of the last row about it."""
    return {"secret": editing.newest(thing_of(credential))}


def set_purpose(*, user: User, credential: Credential, purpose: str) -> None:
    """What a credential is for from now on, while nothing uses it. Raises Refused once something does."""
    require(user, credential.team, Role.ADMIN)
    with transaction.atomic():
        # Whoever takes it into use locks the same row first.
        row = Credential.objects.select_for_update().get(pk=credential.pk)
        _check_purpose(purpose, row.kind, use_sudo=row.use_sudo)
        if row.purpose == purpose:
            return
        if used_by := users_of(row):
            raise Refused(f"{row} is used by {', '.join(used_by)}: give them another credential first.")
        trail.record(
            team=row.team,
            user=user,
            subject="credential",
            subject_id=row.pk,
            name=row.name,
            what="It is for something else now.",
            before={"purpose": row.purpose},
            after={"purpose": purpose},
        )
        Credential.objects.filter(pk=row.pk).update(purpose=purpose)
    credential.purpose = purpose


def users_of(credential: Credential) -> list[str]:
    """What logs in with it: routers, probe hosts, real servers' access, and clusters whose FTP account it is."""
    kinds: tuple[type[SshHost], ...] = (Router, ProbeHost, ServerHost)
    hosts = [str(host) for kind in kinds for host in kind._default_manager.filter(credential=credential)]
    return hosts + [
        f"the cluster {name}"
        for name in Cluster.objects.filter(probe_account=credential).values_list("name", flat=True)
    ]


def _sealed(secret: str) -> str | Sealed:
    """As it is stored. Raises Refused if nothing can be sealed, in the words of whoever knows the key file."""
    try:
        return seal(secret)
    except SecretLost as error:
        raise Refused(f"Nothing was saved. {error}") from error


def _check_purpose(purpose: str, kind: str, *, use_sudo: bool) -> None:
    if purpose not in Credential.Purpose.values:
        raise Invalid.at("purpose", "It is for nothing that is known.", "Choose SSH or FTP.")
    if purpose != Credential.Purpose.FTP:
        return
    if kind != Credential.Kind.PASSWORD:
        raise Invalid.at("kind", "An FTP account is no private key.", "FTP needs a user name with a password.")
    if use_sudo:
        raise Invalid.at("use_sudo", "An FTP account runs no commands.", "Leave sudo and its password out.")


def _one_line(field: str, password: str) -> str:
    """`password` if it can be sent as it is. A line break would end FTP's PASS, and what follows would be commands."""
    if any(ord(character) < 32 or ord(character) == 127 for character in password):
        remedy = "Type the password alone, without the end of its line; a private key is no password."
        raise Invalid.at(field, "It holds a line break or another control character.", remedy)
    return password


def _secret(kind: str, secret: str) -> str:
    """`secret` as it is stored. Raises Invalid for a private key that nothing could log in with."""
    if not secret.strip():
        raise Invalid.at("secret", "It is empty.", "Paste the private key or type the password.")
    if kind != Credential.Kind.KEY:
        return _one_line("secret", secret)
    text = secret.replace("\r\n", "\n").strip() + "\n"
    load = load_ssh_private_key if "OPENSSH" in text.split("\n", 1)[0] else load_pem_private_key
    try:
        load(text.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        remedy = "Paste the whole file, such as ~/.ssh/id_ed25519, made without a passphrase."
        raise Invalid.at("secret", "It is not a private key that can be opened.", remedy) from error
    return text
