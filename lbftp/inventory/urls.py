from __future__ import annotations

from typing import Any

from django.urls import URLPattern, path

from lbftp.inventory import views
from lbftp.inventory.models import Credential, ProbeHost, RealServer, Router, ServerHost, SshHost


def _hosts(prefix: str, name: str, model: type[SshHost], back: str) -> list[URLPattern]:
    """Routers, probe hosts and real servers that are given access to are enrolled alike."""
    kwargs = {"model": model}
    return [
        path(f"{prefix}/<id:pk>/", views.host, kwargs, name=name),
        path(f"{prefix}/<id:pk>/live/", views.host_live, kwargs, name=f"{name}-live"),
        path(f"{prefix}/<id:pk>/confirm/", views.confirm, kwargs, name=f"{name}-confirm"),
        path(f"{prefix}/<id:pk>/fetch/", views.fetch, kwargs, name=f"{name}-fetch"),
        path(f"{prefix}/<id:pk>/look/", views.look_again, kwargs, name=f"{name}-look"),
        path(f"{prefix}/<id:pk>/remove/", views.remove, {"model": model, "back": back}, name=f"{name}-remove"),
    ]


def _listed(prefix: str, name: str, model: type[SshHost], listing: Any) -> list[URLPattern]:
    return [
        path(f"{prefix}/", listing, name=f"{name}s"),
        path(f"{prefix}/add/", views.add_host, {"model": model}, name=f"add-{name}"),
        *_hosts(prefix, name, model, f"inventory:{name}s"),
    ]


app_name = "inventory"
urlpatterns = [
    *_listed("routers", "router", Router, views.routers),
    path("routers/<id:pk>/interfaces/", views.set_interfaces, name="router-interfaces"),
    *_listed("probe-hosts", "probe-host", ProbeHost, views.probe_hosts),
    path("real-servers/", views.real_servers, name="real-servers"),
    path("real-servers/<id:pk>/", views.real_server, name="real-server"),
    path(
        "real-servers/<id:pk>/remove/",
        views.remove,
        {"model": RealServer, "back": "inventory:real-servers"},
        name="real-server-remove",
    ),
    path("real-servers/<id:pk>/access/", views.give_access, name="give-access"),
    *_hosts("server-hosts", "server-host", ServerHost, "inventory:real-servers"),
    path("credentials/", views.credentials, name="credentials"),
    path("credentials/add/", views.add_credential, name="add-credential"),
    path("credentials/<id:pk>/", views.replace_secret, name="credential"),
    path("credentials/<id:pk>/purpose/", views.set_purpose, name="credential-purpose"),
    path(
        "credentials/<id:pk>/remove/",
        views.remove,
        {"model": Credential, "back": "inventory:credentials"},
        name="credential-remove",
    ),
]
