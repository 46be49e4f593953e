"""Pages for requests that came to nothing. They ask nothing of the database: that may be what failed."""

from __future__ import annotations

import sys
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from lbftp.database import AWAY
from lbftp.limits import MOST_BYTES, TOO_SLOW
from lbftp.web.landing import nearest_page

# The site works: there is somewhere to go on from here.
_WITH_MENU: Final = (403, 404, 405)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001 - Django's signature
    return _page(request, 400, "That request made no sense", "Go back, load the page again and try once more.")


def unread(request: HttpRequest, status: int) -> HttpResponse:
    """For a body that was not read to its end (lbftp.limits)."""
    if status == TOO_SLOW:
        return _page(request, status, "The request took too long", "Nothing was saved. Load the page and try again.")
    text = (
        f"lbftp takes requests of up to {MOST_BYTES >> 20} MiB, and no files: this one was not read, and nothing was "
        "saved. Go back and paste less, such as a private key instead of an archive."
    )
    return _page(request, status, "The request is too large", text)


def unstorable(request: HttpRequest) -> HttpResponse:
    text = "It holds a NUL character, which cannot be stored. Nothing was saved. Go back, and type that text again."
    return _page(request, 400, "That request made no sense", text)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(request, 403, "Not yours to do", "You may see this, but not change it.", str(exception))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001
    return _page(
        request, 404, "Nothing here", "There is no such page, or it belongs to a team that you are not a member of."
    )


def not_allowed(request: HttpRequest) -> HttpResponse:
    """For an address that only takes forms, opened as if it were a page."""
    text = "This address only takes a form that a page sends; nothing was done. The page is one step up."
    return _page(request, 405, "This is not a page", text)


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
    text = (
        "Somebody signed in or out since the form was opened, and nothing was saved. Go back with your browser: what "
        "you typed is still there. Then load the page again, or open it in another tab and type it there."
    )
    return _page(request, 403, "Session changed", text)


def _page(request: HttpRequest, status: int, title: str, text: str, reason: str = "") -> HttpResponse:
    context: dict[str, object] = {"status": status, "title": title, "text": text, "reason": reason}
    if status in _WITH_MENU:
        context["near"] = nearest_page(request.path)
    return render(request, "web/error.html", context, status=status)
