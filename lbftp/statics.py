"""Stylesheets, scripts and icons: named by their content, served before Django is asked.

No step puts them together: they are served from where they are written, and a name says what is in the file, so that a
browser keeps it for good and an upgrade is seen at once. `manage.py collectstatic` makes the same names for a web
server in front that shall serve them itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final, cast
from wsgiref.headers import Headers

from asgiref.typing import ASGI3Application
from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.core.files.base import ContentFile
from servestatic import ServeStaticASGI

# What a browser may keep without asking; a name with the content's digest for as long as it likes.
_SECONDS: Final = 60


class NamedByContent(ManifestStaticFilesStorage):
    """Like Django's, but needs no collected copy: the digest is that of the file where it is written."""

    manifest_strict = False

    def read_manifest(self) -> str:
        """An empty one: what an earlier version's `collectstatic` left would give names that are no more."""
        return '{"version": "1.1", "paths": {}}'

    def hashed_name(self, name: str, content: Any = None, filename: str | None = None) -> str:
        if content is None:
            return str(_digest_name(name))
        return str(super().hashed_name(name, content, filename))


@cache
def _digest_name(name: str) -> str:
    found = finders.find(name)
    if found is None:
        raise ValueError(f"There is no static file {name}.")
    return str(NamedByContent().hashed_name(name, ContentFile(Path(found).read_bytes())))


def with_static_files(application: ASGI3Application) -> ASGI3Application:
    """Answers what is under STATIC_URL and exists; everything else is for `application`.

    Not as Django middleware: that would take each page through one more thread. Found once, at the start, except
    where LBFTP_DEBUG is on.
    """
    served: Any = ServeStaticASGI(
        application,
        autorefresh=settings.DEBUG,
        max_age=_SECONDS,
        allow_all_origins=False,
        add_headers_function=_guard,
    )
    for name, path, root in _files():
        if settings.DEBUG:
            served.add_files(root, prefix=settings.STATIC_URL)
            continue
        for address in (name, _digest_name(name)):
            served.add_file_to_dictionary(settings.STATIC_URL + address, path)
    return cast("ASGI3Application", served)


def _files() -> Iterator[tuple[str, str, str]]:
    """Name, path and folder of each file that a finder knows; of two with one name the first counts, as for Django."""
    seen: set[str] = set()
    for finder in finders.get_finders():
        for name, storage in finder.list(None):
            if name not in seen:
                seen.add(name)
                yield name, storage.path(name), str(storage.location)


def _guard(headers: Headers, path: str, url: str) -> None:  # noqa: ARG001 - ServeStatic's signature
    """What Django's SecurityMiddleware says on every page."""
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = settings.SECURE_REFERRER_POLICY
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    if settings.SECURE_HSTS_SECONDS:
        headers["Strict-Transport-Security"] = f"max-age={settings.SECURE_HSTS_SECONDS}"
