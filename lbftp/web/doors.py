"""One door for what comes in and what goes out: requests that nothing could store, and the headers of every page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.deprecation import MiddlewareMixin

from lbftp.limits import REFUSED
from lbftp.web import errors

# What a page has no use for, and a script that got in should not have either.
_PERMISSIONS: Final = ", ".join(
    f"{feature}=()"
    for feature in ("camera", "display-capture", "geolocation", "microphone", "payment", "serial", "usb")
)


class Requests(MiddlewareMixin):
    """Refuses what is too large or too slow (lbftp.limits), and texts with NUL, which no database column holds."""

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        scope = getattr(request, "scope", {})
        if status := scope.get(REFUSED):
            return errors.unread(request, status)

        if any("\0" in text for text in _texts(request)):
            return errors.unstorable(request)
        return None


class Headers(MiddlewareMixin):
    """Pages are never stored: after signing out, the back button and a shared computer's disk show nothing."""

    def process_response(self, _request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault("X-Frame-Options", "DENY")
        response.headers.setdefault("Permissions-Policy", _PERMISSIONS)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        return response


def _texts(request: HttpRequest) -> Iterable[str]:
    """Every name and value that a view, a form or a session may look up."""
    yield request.path_info
    yield from request.COOKIES.values()
    for given in (request.GET, request.POST):
        for name, values in given.lists():
            yield name
            yield from values
