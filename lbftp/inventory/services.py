"""What people do with machines and credentials. Administrators of the team only: these open the way to routers."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_interface
from typing import Any, Final, TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model, ProtectedError

from lbftp import database
from lbftp.accounts.models import Role, Team
from lbftp.accounts.services import require
from lbftp.changes import editing, terms, trail
from lbftp.changes.editing import Values
from lbftp.changes.errors import Invalid, Refused
from lbftp.changes.models import Run
from lbftp.changes.services import runs
from lbftp.clusters.models import Cluster
from lbftp.core import enrolment, hostkey
from lbftp.core.spec import SpecError
from lbftp.core.spec.values import parsed
from lbftp.inventory.crypto import Sealed, SecretLost
from lbftp.inventory.fields import seal
from lbftp.inventory.models import Credential, ProbeHost, RealServer, Router, ServerHost, SshHost
from lbftp.outside import told

Thing = Credential | RealServer | SshHost
_M = TypeVar("_M", bound=Model)
_A = TypeVar("_A", IPv4Address, IPv6Address)

HOST_KINDS: Final[dict[str, type[SshHost]]] = {"router": Router, "probehost": ProbeHost, "serverhost": ServerHost}


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
        _saved(credential)
        _told(user, credential, "Added.", after=_shown(credential))
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
        thing, stored = _thing(credential), stored_edition(credential)
        editing.refuse_unseen(thing, seen=seen, stored=stored, wanted={"secret": "a new one"})
        credential.save(update_fields=fields)
        editing.note(thing, user=user, before={}, after={"secret": "a new one"}, what="Secret replaced.")


def stored_edition(credential: Credential) -> dict[str, int]:
    """Stands for the stored secret, which no form holds: the number of the last row about it."""
    return {"secret": editing.newest(_thing(credential))}


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


def add_router(  # noqa: PLR0913
    *, user: User, team: Team, name: str, address: str, port: int, credential: Credential
) -> tuple[Router, Run]:
    """A router not yet trusted, and the run that fetches the host key it offers."""
    require(user, team, Role.ADMIN)
    return _enrolled(user, Router(team=team, name=name, address=address, port=port, credential=credential))


def add_probe_host(  # noqa: PLR0913
    *,
    user: User,
    team: Team,
    name: str,
    address: str,
    port: int,
    credential: Credential,
    source_addresses: list[str] | None = None,
) -> tuple[ProbeHost, Run]:
    """A probe host not yet trusted, and the run that fetches the host key it offers."""
    require(user, team, Role.ADMIN)
    host = ProbeHost(team=team, name=name, address=address, port=port, credential=credential)
    host.source_addresses = [str(s) for s in source_addresses or []]
    return _enrolled(user, host)


def give_access(
    *, user: User, server: RealServer, address: str, port: int, credential: Credential
) -> tuple[ServerHost, Run]:
    """A way to look at a real server's own machine, not yet trusted, and the run that fetches its host key."""
    require(user, server.team, Role.ADMIN)
    host = ServerHost(
        team=server.team, server=server, name=server.name, address=address, port=port, credential=credential
    )
    return _enrolled(user, host)


def add_real_server(*, user: User, team: Team, name: str, address: str = "", address6: str = "") -> RealServer:
    """An FTP server behind the routers, with an address of one IP version or of both; nothing is done on it."""
    require(user, team, Role.ADMIN)
    with transaction.atomic():
        server = _addressed(RealServer(team=team, name=name), address, address6)
        _told(user, server, "Added.", after=_shown(server))
    return server


def set_addresses(
    *, user: User, server: RealServer, address: str, address6: str, seen: Values | None = None
) -> RealServer:
    """Where a real server is now. Routers learn of it when its clusters are proposed and applied again.

    That makes `user` one of those who edited these clusters, who may not approve them. `seen` are the addresses that
    the person had before them: raises Conflict where somebody else set others since.
    """
    require(user, server.team, Role.ADMIN)
    with transaction.atomic():
        row = RealServer.objects.select_for_update().get(pk=server.pk)
        wanted = {
            "address": _address(IPv4Address, "address", address) or "",
            "address6": _address(IPv6Address, "address6", address6) or "",
        }
        before = stored_addresses(row)
        editing.refuse_unseen(_thing(row), seen=seen, stored=before, wanted=wanted)
        editing.note(_thing(row), user=user, before=before, after=wanted, what="Addresses changed.")
        _edits_drafts(user, server)
        return _addressed(server, address, address6)


def stored_addresses(server: RealServer) -> dict[str, str]:
    """Where it is, as the form has it: '' for an address that it has not."""
    return {"address": server.address or "", "address6": server.address6 or ""}


def confirm_host_key(*, user: User, host: SshHost, fingerprint: str) -> Run | None:
    """Pins the offered key if `fingerprint` is its own. For a router the first look at it follows (a FACTS run).

    Raises Refused if the fingerprints differ or the machine has offered another key meanwhile.
    """
    require(user, host.team, Role.ADMIN)
    offered = host.offered_key
    if not offered:
        raise Refused(f"{host.name} has not offered a host key yet: fetch it first.")
    theirs = hostkey.fingerprint(offered)
    if fingerprint.strip() != theirs:
        raise Refused(
            f"{host.name} offers {theirs}, you confirmed {fingerprint.strip()[:80]}: "
            "compare with `ssh-keygen -lf` on the machine's own console."
        )
    return _pin(user, host, offered)


def fetch_host_key(*, user: User, host: SshHost) -> Run:
    """Asks the machine for its key again, say after it was rebuilt. The pinned key stays until one is confirmed."""
    require(user, host.team, Role.ADMIN)
    return runs.start(kind=Run.Kind.ENROL, team=host.team, user=user, host=host)


def look_again(*, user: User, host: SshHost) -> Run:
    """A new look at a machine: a router's facts once its key is confirmed, else the key it offers."""
    require(user, host.team, Role.OPERATOR)
    kind = Run.Kind.FACTS if isinstance(host, Router) and host.host_key else Run.Kind.ENROL
    return runs.start(kind=kind, team=host.team, user=user, host=host)


def set_interfaces(
    *, user: User, router: Router, public_interface: str, internal_interface: str, seen: Values | None = None
) -> None:
    """Which of the router's interfaces faces clients and which the real servers; without NAT one may do both.

    That makes `user` one of those who edited the router's clusters, who may not approve them. `seen` are those that the
    person had before them: raises Conflict where somebody else chose others since.
    """
    require(user, router.team, Role.ADMIN)
    known = {i["name"]: i.get("addresses", []) for i in router.facts.get("interfaces", [])}
    for field, name in (("public_interface", public_interface), ("internal_interface", internal_interface)):
        if name not in known:
            raise Invalid.at(
                field, f"{router.name} has no interface {name[:40]!r}.", f"Choose one of {', '.join(known)}."
            )
        if not any(not ip_interface(address).ip.is_link_local for address in known[name]):
            raise Invalid.at(field, f"{name} of {router.name} has no address.", "Choose another, or look again.")
    wanted = {"public_interface": public_interface, "internal_interface": internal_interface}
    with transaction.atomic():
        row = Router.objects.select_for_update().get(pk=router.pk)
        before = stored_interfaces(row)
        editing.refuse_unseen(_thing(row), seen=seen, stored=before, wanted=wanted)
        _edits_drafts(user, router)
        router.public_interface, router.internal_interface = public_interface, internal_interface
        router.save(update_fields=list(wanted))
        editing.note(_thing(row), user=user, before=before, after=wanted, what="Interfaces chosen.")


def stored_interfaces(router: Router) -> dict[str, str]:
    """Which ones people chose; '' where nobody did yet."""
    return {"public_interface": router.public_interface, "internal_interface": router.internal_interface}


def _thing(row: Router | RealServer | Credential) -> editing.Thing:
    subject = "credential" if isinstance(row, Credential) else "machine"
    return editing.Thing(row.team, subject, row.pk, row.name)


def remove(*, user: User, thing: Router | ProbeHost | RealServer | ServerHost | Credential) -> None:
    """Deletes what no cluster uses. Nothing is done on the machine itself."""
    require(user, thing.team, Role.ADMIN)
    if users := clusters_with(thing):
        raise Refused(f"{thing.name} is used by {', '.join(map(str, users))}: take it out of there first.")
    gone, before = _named(thing), _shown(thing)
    try:
        with transaction.atomic():
            thing.delete()
            trail.record(**gone, user=user, what="Removed.", before=before)
    except ProtectedError as error:
        raise Refused(f"{thing.name} is still used by {len(error.protected_objects)} other entries.") from error


def store_offered_key(*, host_kind: str, host_id: int, key: str) -> None:
    """What an ENROL run got. `key` is 'ssh-ed25519 AAAA…'; not yet trusted."""
    hostkey.fingerprint(key)
    HOST_KINDS[host_kind]._default_manager.filter(pk=host_id).update(offered_key=key)


def store_facts(*, router_id: int, facts: dict[str, Any]) -> None:
    """What a look at a router found. Interfaces stay as people chose them."""
    Router.objects.filter(pk=router_id).update(facts=told(facts), facts_at=database.now())


def _pin(user: User, host: SshHost, offered: str) -> Run | None:
    now = database.now()
    before = hostkey.fingerprint(host.host_key) if host.host_key else ""
    with transaction.atomic():
        rows = type(host)._default_manager.filter(pk=host.pk, offered_key=offered)
        if rows.update(host_key=offered, confirmed_by=user, confirmed_at=now) != 1:
            raise Refused(f"{host.name} has offered another key meanwhile: look at the new fingerprint.")
        host.host_key, host.confirmed_by, host.confirmed_at = offered, user, now
        key = hostkey.fingerprint(offered)
        if key != before:
            terms.edited_machine(user, host)
        _told(user, host, "Host key confirmed.", before={"host_key": before}, after={"host_key": key})
        if not isinstance(host, Router):
            return None
        return runs.start(kind=Run.Kind.FACTS, team=host.team, user=user, host=host)


_H = TypeVar("_H", Router, ProbeHost, ServerHost)


def _enrolled(user: User, host: _H) -> tuple[_H, Run]:
    if host.credential.team_id != host.team_id:
        raise Refused("That credential belongs to another team.")
    if reason := enrolment.blocking_reason(host.address, settings.ENROL_NETWORKS):
        raise Invalid.at("address", reason)
    with transaction.atomic():
        # As it is now: it may have been given another purpose since the form was opened.
        credential = Credential.objects.select_for_update().get(pk=host.credential_id)
        if reason := credential.blocking_reason(Credential.Purpose.SSH):
            raise Invalid.at("credential", reason, "Choose an SSH credential.")
        _saved(host)
        _told(user, host, "Added.", after=_shown(host))
        return host, runs.start(kind=Run.Kind.ENROL, team=host.team, user=user, host=host)


def _edits_drafts(user: User, thing: Router | RealServer) -> None:
    """`user` has a part in what is proposed next of the clusters that name the machine. Their rows are held: a proposal
    has either both, the old value and the old editors, or both new ones."""
    names = [cluster.pk for cluster in clusters_with(thing)]
    for cluster in Cluster.objects.select_for_update().filter(pk__in=names).order_by("pk"):
        cluster.draft_editors.add(user)


def _told(
    user: User, thing: Thing, what: str, *, before: dict[str, Any] | None = None, after: dict[str, Any] | None = None
) -> None:
    """The row of the audit, in the caller's transaction."""
    trail.record(**_named(thing), user=user, what=what, before=before, after=after)


def _named(thing: Thing) -> dict[str, Any]:
    subject = "credential" if isinstance(thing, Credential) else "machine"
    word = "SSH access to real server" if isinstance(thing, ServerHost) else thing._meta.verbose_name
    name = thing.name if subject == "credential" else f"{str(word).capitalize()} {thing.name}"
    return {"team": thing.team, "subject": subject, "subject_id": thing.pk, "name": name}


def _shown(thing: Thing) -> dict[str, Any]:
    """What the audit says of a machine or credential: nothing secret."""
    if isinstance(thing, Credential):
        return {
            "purpose": thing.get_purpose_display(),
            "kind": thing.get_kind_display(),
            "user": thing.username,
            "sudo": thing.use_sudo,
        }
    if isinstance(thing, RealServer):
        return {"addresses": thing.addresses}

    shown = {"address": thing.address, "port": thing.port, "credential": thing.credential.name}
    if isinstance(thing, ProbeHost):
        shown["source_addresses"] = thing.source_addresses
    return shown


def _addressed(server: RealServer, address: str, address6: str) -> RealServer:
    server.address = _address(IPv4Address, "address", address)
    server.address6 = _address(IPv6Address, "address6", address6)
    if not server.addresses:
        raise Invalid.at("address", "It has no address.", "Give an IPv4 address, an IPv6 address or both.")
    return _saved(server)


def _address(wanted: type[_A], field: str, typed: str) -> str | None:
    """`typed` in the one canonical form; None for nothing. Raises Invalid for what no router could send to."""
    if not typed.strip():
        return None
    try:
        address = parsed(wanted, field, typed.strip())
    except SpecError as error:
        raise Invalid.of(error) from error
    if address.is_link_local:
        raise Invalid.at(field, f"{address} is link-local.", "Give one that routers can send to on any interface.")
    if reason := enrolment.blocking_reason(str(address), settings.ENROL_NETWORKS):
        raise Invalid.at(field, reason)
    return str(address)


def _saved(row: _M) -> _M:
    try:
        # What is not known yet is stored as NULL; only forms would have to ask for it.
        row.full_clean(exclude=[f.name for f in row._meta.fields if f.null and f.value_from_object(row) is None])
    except ValidationError as error:
        raise Invalid.of_validation(error) from error
    row.save()
    return row


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


def clusters_with(thing: Model) -> list[Cluster]:
    """The clusters whose draft names this router or real server, or whose sessions are made from this probe host."""
    if isinstance(thing, ProbeHost):
        return list(thing.clusters.all())
    part = {Router: "routers", RealServer: "real_servers"}.get(type(thing))
    if part is None:
        return []
    team, name = thing.team, thing.name  # type: ignore[attr-defined]
    return [c for c in team.clusters.all() if name in [item.get("name") for item in c.draft.get(part, [])]]
