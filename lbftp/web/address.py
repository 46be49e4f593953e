"""Where a request came from."""

from __future__ import annotations

from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The client's address; '' where there is none (a unix socket, a test).

    What a proxy says of its client was believed or not before (uvicorn, LBFTP_TRUSTED_PROXIES): a header alone, that
    anybody can send, is never read here.
    """
    return str(request.META.get("REMOTE_ADDR") or "")
