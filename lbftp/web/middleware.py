"""What all answers get."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from lbftp.web.errors import not_allowed


class NotAllowedMiddleware:
    """A page for the bare 405 of Django's decorators; machines still find what is allowed in its header."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._answer = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self._answer(request)
        if answer.status_code != 405 or request.headers.get("HX-Request") == "true":
            return answer
        page = not_allowed(request)
        page["Allow"] = answer.get("Allow", "")
        return page
