"""What the web server runs: pages over HTTP, hints over WebSocket, the latter for signed-in users of this site only.

Outside in: a context of its own for each connection, static files, the limit of bodies, then Django and the sockets.
"""

from __future__ import annotations

import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lbftp.settings")
# First: it loads the models that the consumers import.
_http = get_asgi_application()

from lbftp.database import limit_waits  # noqa: E402 - Django has to be set up first

limit_waits()

from lbftp.contexts import OwnContext  # noqa: E402
from lbftp.lifespan import Lifespan  # noqa: E402
from lbftp.limits import BoundedBodies  # noqa: E402
from lbftp.live.routing import websocket_urlpatterns  # noqa: E402
from lbftp.statics import with_static_files  # noqa: E402

_sockets = AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns)))
_pages = BoundedBodies(_http)
application = Lifespan(OwnContext(with_static_files(ProtocolTypeRouter({"http": _pages, "websocket": _sockets}))))
