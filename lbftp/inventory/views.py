from __future__ import annotations

from functools import partial
from typing import Final

from django.contrib import messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lbftp.accounts import access
from lbftp.accounts.models import Role
from lbftp.inventory import hosts, sealing, services
from lbftp.inventory.forms import (
    AddressesForm,
    CredentialForm,
    InterfacesForm,
    ProbeHostForm,
    PurposeForm,
    RealServerForm,
    RouterForm,
    SecretForm,
    ServerHostForm,
)
from lbftp.inventory.models import Credential, ProbeHost, RealServer, Router, ServerHost, SshHost
from lbftp.web.acting import may, person, polled, sent, team_for, teams_with, telling

Host = type[Router] | type[ProbeHost] | type[ServerHost]
_WORDS: Final[dict[type[SshHost], str]] = {Router: "router", ProbeHost: "probe host", ServerHost: "real server"}
_PAGES: Final[dict[type[SshHost], str]] = {Router: "router", ProbeHost: "probe-host", ServerHost: "server-host"}


def _address(host: SshHost) -> str:
    return f"inventory:{_PAGES[type(host)]}"


@require_safe
def routers(request: HttpRequest) -> HttpResponse:
    found = hosts.pages(list(access.visible(request.user, Router).select_related("credential", "team")))
    return render(request, "inventory/routers.html", {"pages": found, "managed": teams_with(request, Role.ADMIN)})


@require_safe
def probe_hosts(request: HttpRequest) -> HttpResponse:
    found = hosts.pages(list(access.visible(request.user, ProbeHost).select_related("credential", "team")))
    return render(request, "inventory/probe_hosts.html", {"pages": found, "managed": teams_with(request, Role.ADMIN)})


@require_http_methods(["GET", "POST"])
def add_host(request: HttpRequest, model: Host) -> HttpResponse:
    team = team_for(request, Role.ADMIN)
    form = (RouterForm if model is Router else ProbeHostForm)(sent(request), team=team)
    verb = services.add_router if model is Router else services.add_probe_host
    if added := form.carry_out(verb, user=person(request), team=team):
        return redirect(_address(added[0]), added[0].pk)
    context = {"form": form, "team": team, "word": _WORDS[model], "teams": teams_with(request, Role.ADMIN)}
    return render(request, "inventory/add_host.html", context, status=form.status)


@require_safe
def host(request: HttpRequest, pk: int, model: Host, template: str = "inventory/host.html") -> HttpResponse:
    """The page of one machine; with the part's template, what its live update gets."""
    found = access.get(request.user, model, pk=pk)
    form = InterfacesForm(router=found) if isinstance(found, Router) and found.facts else None
    context = {"page": hosts.page(found), "host": found, "form": form, "managed": may(request, found, Role.ADMIN)}
    words = {"word": _WORDS[model], "live": f"{_address(found)}-live", "operated": may(request, found)}
    return render(request, template, context | words)


host_live = polled(partial(host, template="inventory/_host.html"))


@require_POST
def confirm(request: HttpRequest, pk: int, model: Host) -> HttpResponse:
    found = access.get_managed(request.user, model, pk=pk)
    with telling(request):
        services.confirm_host_key(user=person(request), host=found, fingerprint=request.POST.get("fingerprint", ""))
        messages.success(request, f"The key of {found.name} is pinned: any other one will be refused.")
    return redirect(_address(found), pk)


@require_POST
def fetch(request: HttpRequest, pk: int, model: Host) -> HttpResponse:
    found = access.get_managed(request.user, model, pk=pk)
    with telling(request):
        services.fetch_host_key(user=person(request), host=found)
    return redirect(_address(found), pk)


@require_POST
def look_again(request: HttpRequest, pk: int, model: Host) -> HttpResponse:
    found = access.get_writable(request.user, model, pk=pk)
    with telling(request):
        services.look_again(user=person(request), host=found)
    return redirect(_address(found), pk)


@require_POST
def set_interfaces(request: HttpRequest, pk: int) -> HttpResponse:
    router = access.get_managed(request.user, Router, pk=pk)
    form = InterfacesForm(request.POST, router=router)
    form.carry_out(services.set_interfaces, user=person(request), router=router)
    if form.status == 200:
        messages.success(request, f"{router.name} is ready to be used in a cluster.")
        return redirect("inventory:router", pk)
    context = {"page": hosts.page(router), "host": router, "form": form, "managed": True, "operated": True}
    return render(
        request,
        "inventory/host.html",
        context | {"word": "router", "live": "inventory:router-live"},
        status=form.status,
    )


@require_http_methods(["GET", "POST"])
def real_servers(request: HttpRequest) -> HttpResponse:
    """The list, and under it the form for one more: they come in series."""
    managed = teams_with(request, Role.ADMIN)
    team = team_for(request, Role.ADMIN) if request.method == "POST" else None
    form = RealServerForm(sent(request))
    if team and (server := form.carry_out(services.add_real_server, user=person(request), team=team)):
        messages.success(request, f"Added {server.name}. Nothing was done on it.")
        return redirect("inventory:real-servers")
    servers = access.visible(request.user, RealServer).select_related("team", "host")
    context = {"servers": servers, "form": form, "managed": managed, "team": team}
    return render(request, "inventory/real_servers.html", context, status=form.status)


@require_http_methods(["GET", "POST"])
def real_server(request: HttpRequest, pk: int) -> HttpResponse:
    """Its addresses, and which clusters have to be proposed again when they change."""
    server = access.get_managed(request.user, RealServer, pk=pk)
    stored = services.stored_addresses(server)
    form = AddressesForm(sent(request), initial=stored, stored=stored, subject=f"addresses {pk}")
    if form.carry_out(services.set_addresses, user=person(request), server=server):
        messages.success(request, f"Saved the addresses of {server.name}. Nothing was done on it or on any router.")
        return redirect("inventory:real-servers")
    context = {"server": server, "form": form, "clusters": services.clusters_with(server)}
    return render(request, "inventory/real_server.html", context, status=form.status)


@require_http_methods(["GET", "POST"])
def give_access(request: HttpRequest, pk: int) -> HttpResponse:
    """Where the real server is reached over SSH, and how to log in; once only, then it has a page of its own."""
    server = access.get_managed(request.user, RealServer, pk=pk)
    if found := ServerHost.objects.filter(server=server).first():
        return redirect(_address(found), found.pk)
    form = ServerHostForm(sent(request), team=server.team, initial={"address": server.addresses[0], "port": 22})
    if added := form.carry_out(services.give_access, user=person(request), server=server):
        return redirect(_address(added[0]), added[0].pk)
    context = {"form": form, "team": server.team, "server": server, "word": _WORDS[ServerHost]}
    return render(request, "inventory/add_host.html", context, status=form.status)


@require_safe
def credentials(request: HttpRequest) -> HttpResponse:
    found = list(access.visible(request.user, Credential).select_related("team"))
    context = {"credentials": found, "managed": teams_with(request, Role.ADMIN), "lost": sealing.lost_of(found)}
    return render(request, "inventory/credentials.html", context)


@require_http_methods(["GET", "POST"])
def add_credential(request: HttpRequest) -> HttpResponse:
    team = team_for(request, Role.ADMIN)
    form = CredentialForm(sent(request))
    if credential := form.carry_out(services.add_credential, user=person(request), team=team):
        messages.success(request, f"Added the credential “{credential.name}”.")
        return redirect("inventory:credentials")
    context = {"form": form, "team": team, "teams": teams_with(request, Role.ADMIN)}
    return render(request, "inventory/add_credential.html", context, status=form.status)


@require_POST
def set_purpose(request: HttpRequest, pk: int) -> HttpResponse:
    credential = access.get_managed(request.user, Credential, pk=pk)
    with telling(request):
        services.set_purpose(user=person(request), credential=credential, purpose=request.POST.get("purpose", ""))
        messages.success(request, f"“{credential.name}” is for {credential.get_purpose_display()} alone now.")
    return redirect("inventory:credential", pk)


@require_http_methods(["GET", "POST"])
def replace_secret(request: HttpRequest, pk: int) -> HttpResponse:
    credential = access.get_managed(request.user, Credential, pk=pk)
    form = SecretForm(sent(request), stored=services.stored_edition(credential), subject=f"secret {pk}")
    form.carry_out(services.replace_secret, user=person(request), credential=credential)
    if form.is_bound and form.status == 200:
        messages.success(request, f"“{credential.name}” has a new secret.")
        return redirect("inventory:credentials")
    purpose = PurposeForm(initial={"purpose": credential.purpose})
    context = {"form": form, "credential": credential, "purpose": purpose, "used_by": services.users_of(credential)}
    return render(request, "inventory/replace_secret.html", context, status=form.status)


@require_POST
def remove(request: HttpRequest, pk: int, model: type[Model], back: str) -> HttpResponse:
    thing = access.get_managed(request.user, model, pk=pk)
    with telling(request):
        services.remove(user=person(request), thing=thing)  # type: ignore[arg-type]
        messages.success(request, f"Removed {thing} from lbftp. Nothing was done on the machine.")
    return redirect(back)
