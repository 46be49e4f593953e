"""What all answers get."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.deprecation import MiddlewareMixin

from lbftp.web.errors import not_allowed


class NotAllowedMiddleware(MiddlewareMixin):
    """A page for the bare 405 of Django's decorators; machines still find what is allowed in its header.

    By Django's mixin, which works on the event loop as well: one that is synchronous only would take every page from
    loop to thread to loop to thread.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if response.status_code != 405 or request.headers.get("HX-Request") == "true":
            return response
        page = not_allowed(request)
        page["Allow"] = response.get("Allow", "")
        return page
