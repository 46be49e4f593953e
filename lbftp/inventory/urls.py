from __future__ import annotations

from typing import Any

from django.urls import URLPattern, path

from lbftp.inventory import views
from lbftp.inventory.models import Credential, ProbeHost, RealServer, Router


def _hosts(prefix: str, name: str, model: type[Router] | type[ProbeHost], listing: Any) -> list[URLPattern]:
    """Routers and probe hosts are enrolled alike."""
    kwargs = {"model": model}
    return [
        path(f"{prefix}/", listing, name=f"{name}s"),
        path(f"{prefix}/add/", views.add_host, kwargs, name=f"add-{name}"),
        path(f"{prefix}/<int:pk>/", views.host, kwargs, name=name),
        path(f"{prefix}/<int:pk>/live/", views.host_live, kwargs, name=f"{name}-live"),
        path(f"{prefix}/<int:pk>/confirm/", views.confirm, kwargs, name=f"{name}-confirm"),
        path(f"{prefix}/<int:pk>/fetch/", views.fetch, kwargs, name=f"{name}-fetch"),
        path(f"{prefix}/<int:pk>/look/", views.look_again, kwargs, name=f"{name}-look"),
        path(
            f"{prefix}/<int:pk>/remove/",
            views.remove,
            {"model": model, "back": f"inventory:{name}s"},
            name=f"{name}-remove",
        ),
    ]


app_name = "inventory"
urlpatterns = [
    *_hosts("routers", "router", Router, views.routers),
    path("routers/<int:pk>/interfaces/", views.set_interfaces, name="router-interfaces"),
    *_hosts("probe-hosts", "probe-host", ProbeHost, views.probe_hosts),
    path("real-servers/", views.real_servers, name="real-servers"),
    path("real-servers/<int:pk>/", views.real_server, name="real-server"),
    path(
        "real-servers/<int:pk>/remove/",
        views.remove,
        {"model": RealServer, "back": "inventory:real-servers"},
        name="real-server-remove",
    ),
    path("credentials/", views.credentials, name="credentials"),
    path("credentials/add/", views.add_credential, name="add-credential"),
    path("credentials/<int:pk>/", views.replace_secret, name="credential"),
    path(
        "credentials/<int:pk>/remove/",
        views.remove,
        {"model": Credential, "back": "inventory:credentials"},
        name="credential-remove",
    ),
]
