"""Addresses that show a page: where somebody is led after signing in, or from an address that only takes forms."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest
from django.urls import Resolver404, resolve, reverse
from django.utils.http import url_has_allowed_host_and_scheme


def wanted_page(request: HttpRequest) -> str:
    """The page that `next` asks for, if it is one of this site; the home page else."""
    given = request.POST.get("next") or request.GET.get("next") or ""
    if not url_has_allowed_host_and_scheme(given, {request.get_host()}, require_https=request.is_secure()):
        return reverse("home")
    parts = urlsplit(given)
    return page_at(f"{parts.path}?{parts.query}" if parts.query else parts.path)


def page_at(address: str) -> str:
    """`address` if it shows a page, else the nearest one above it: /runs/5/ for /runs/5/cancel/."""
    path, _, query = address.partition("?")
    if shows_page(path):
        return f"{path}?{query}" if query else path
    return nearest_page(path)


def nearest_page(path: str) -> str:
    """The first address above `path` that shows a page."""
    return next((each for each in _above(path) if shows_page(each)), reverse("home"))


def shows_page(path: str) -> bool:
    """Whether a browser can be led to `path`: there is a view, it answers GET, and with a whole page."""
    try:
        view = resolve(path).func
    except Resolver404:
        return False
    return not getattr(view, "polled", False) and answers_get(view)


def answers_get(view: Callable[..., Any]) -> bool:
    """Read off Django's own decorators: whether they let GET through. True for a view without any."""
    if kind := getattr(view, "view_class", None):
        return "get" in kind.http_method_names and hasattr(kind, "get")
    step: Callable[..., Any] | None = view
    while step is not None:
        inner = {} if isinstance(step, partial) else inspect.getclosurevars(step).nonlocals
        allowed = inner.get("request_method_list")
        if allowed is not None and "GET" not in allowed:
            return False
        step = getattr(step, "__wrapped__", None) or getattr(step, "func", None)
    return True


def _above(path: str) -> Iterator[str]:
    parts = path.strip("/").split("/")
    for length in range(len(parts) - 1, 0, -1):
        yield "/" + "/".join(parts[:length]) + "/"
