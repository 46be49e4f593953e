"""Addresses of the sockets."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from lbftp.live.consumers import FleetConsumer, RunConsumer

websocket_urlpatterns: list[URLPattern | URLResolver] = [
    path("ws/runs/<id:run_id>/", RunConsumer.as_asgi()),
    path("ws/fleet/", FleetConsumer.as_asgi()),
]
