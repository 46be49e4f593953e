"""Stylesheets and scripts come before Django, under names that say what is in them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.templatetags.static import static
from django.test import Client

from lbftp.statics import with_static_files

HASHED = re.compile(r"/static/lbftp/lbftp\.[0-9a-f]{12}\.css")


async def nobody(scope: Any, receive: Any, send: Any) -> None:
    """Stands where Django does, and says that it was asked."""
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def fetch(path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    application: Any = with_static_files(nobody)
    given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": given}
    communicator: Any = ApplicationCommunicator
    asked = communicator(application, scope)
    start = await asked.receive_output(5)
    body = b""
    while (part := await asked.receive_output(5)).get("more_body"):
        body += part["body"]
    # To its end: what it opened is closed after the last part.
    await asked.wait()
    return start["status"], {k.decode(): v.decode() for k, v in start["headers"]}, body + part["body"]


async def test_a_name_with_the_digest_is_kept_for_good() -> None:
    address = static("lbftp/lbftp.css")
    assert HASHED.fullmatch(address)
    status, headers, body = await fetch(address)
    assert (status, body) == (200, (settings.BASE_DIR / "lbftp/static/lbftp/lbftp.css").read_bytes())
    assert "immutable" in headers["cache-control"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-type"].startswith("text/css")


async def test_the_plain_name_is_asked_about_again() -> None:
    status, headers, _ = await fetch("/static/lbftp/lbftp.css")
    assert (status, headers["cache-control"]) == (200, "max-age=60, public")
    status, headers, body = await fetch("/static/lbftp/lbftp.css", if_none_match=headers["etag"])
    assert (status, body) == (304, b"")


@pytest.mark.parametrize("path", ["/static/lbftp/none.css", "/static/../settings.py", "/static/lbftp/", "/sign-in/"])
async def test_everything_else_is_djangos(path: str) -> None:
    assert (await fetch(path))[0] == 299


async def test_files_are_only_read() -> None:
    assert (await fetch("/static/lbftp/lbftp.css", "POST"))[0] == 405


@pytest.mark.django_db
def test_every_file_that_a_page_names_is_there(client: Client) -> None:
    names = re.findall(r'(?:href|src)="(/static/[^"]+)"', client.get("/sign-in/", follow=True).content.decode())
    served: Any = with_static_files(nobody)
    assert len(names) >= 5
    assert [name for name in names if name not in served.files] == []


def test_collected_files_have_the_same_names(tmp_path: Path) -> None:
    """For a web server in front that serves them itself."""
    argv = [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"]
    subprocess.run(argv, cwd=settings.BASE_DIR, env=os.environ | {"LBFTP_STATIC_ROOT": str(tmp_path)}, check=True)
    served: Any = with_static_files(nobody)
    missing = [name for name in served.files if not (tmp_path / name.removeprefix("/static/")).exists()]
    assert missing == []
