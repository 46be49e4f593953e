"""Pages for requests that came to nothing. They ask nothing of the database: that may be what failed."""

from __future__ import annotations

import sys

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from lbftp.database import AWAY


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001 - Django's signature
    return _page(request, 400, "That request made no sense", "Go back, load the page again and try once more.")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(request, 403, "Not yours to do", "You may see this, but not change it.", str(exception))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001
    return _page(
        request, 404, "Nothing here", "There is no such page, or it belongs to a team that you are not a member of."
    )


def broken(request: HttpRequest) -> HttpResponse:
    """Called while the exception is handled (django.core.handlers.exception)."""
    if isinstance(sys.exception(), AWAY):
        return _without_database(request)
    text = "lbftp made a mistake; it is in the log. Nothing on a router was changed by this page: only runs do that."
    return _page(request, 500, "Something broke here", text)


def _without_database(request: HttpRequest) -> HttpResponse:
    text = (
        "The page will be there again when it does: try again in a moment. If it stays away, ask whoever runs this "
        "site; /readyz says what is missing. No router is left half changed: a run waits for a while, and then each "
        "router puts back by itself what nobody confirmed."
    )
    response = _page(request, 503, "The database does not answer", text)
    response["Retry-After"] = "5"
    return response


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001
    return _page(request, 403, "This form is too old", "Your session changed since it was opened. Load the page again.")


def _page(request: HttpRequest, status: int, title: str, text: str, reason: str = "") -> HttpResponse:
    context = {"status": status, "title": title, "text": text, "reason": reason}
    return render(request, "web/error.html", context, status=status)
