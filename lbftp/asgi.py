"""What the web server runs: pages over HTTP, hints over WebSocket, the latter for signed-in users of this site only."""

from __future__ import annotations

import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lbftp.settings")
# First: it loads the models that the consumers import.
_http = get_asgi_application()

from lbftp.live.routing import websocket_urlpatterns  # noqa: E402 - Django has to be set up first

application = ProtocolTypeRouter(
    {
        "http": _http,
        "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))),
    }
)
