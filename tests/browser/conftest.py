"""Headless Chromium, a small site of its own for pages, and the whole site for the whole way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from lab import api
from ops import stack as sites
from ops.places import ROOT, free_port
from ops.readiness import ask
from tests.conftest import start_redis
from tests.insider import Insider

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    # Not for the whole session: while it lives its loop is the running one, and asynchronous tests could not start.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Person:
    """One person at one browser. `complaints` are what the browser's console said."""

    context: BrowserContext
    base: str
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda line: self.complaints.append(line.text) if line.type == "error" else None)
        page.goto(self.base + path)
        return page

    def sign_in(self, name: str, password: str) -> Page:
        page = self.open("/")
        page.get_by_label("Username").fill(name)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(self.base + "/")
        return page


@dataclass
class Site:
    base: str
    actor: Insider


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A web server with its own database and Redis, and nobody who works but the actor."""
    var = tmp_path_factory.mktemp("site")
    # A unix socket's path may be 107 bytes long; pytest's folders are not always short.
    socket = Path(f"/tmp/lbftp-{os.getpid()}.sock")
    port = free_port()
    env = {**os.environ, "LBFTP_VAR": str(var), "LBFTP_REDIS_SOCKET": str(socket)}
    redis = start_redis(socket)
    manage = [sys.executable, "manage.py"]
    subprocess.run([*manage, "migrate", "--verbosity", "0"], cwd=ROOT, env=env, check=True)
    server = [
        sys.executable,
        "-m",
        "uvicorn",
        "lbftp.asgi:application",
        "--port",
        str(port),
        "--log-level",
        "warning",
        "--no-proxy-headers",
    ]
    web = subprocess.Popen(server, cwd=ROOT, env=env)
    actor = Insider("tests.browser.actor", env)
    try:
        base = f"http://127.0.0.1:{port}"
        _wait_for(base)
        yield Site(base, actor)
    finally:
        actor.stop()
        web.terminate()
        web.wait(20)
        redis.terminate()
        redis.wait(20)


def _wait_for(base: str) -> None:
    until = time.monotonic() + 60
    while ask(f"{base}/healthz")[0] != 200:
        assert time.monotonic() < until, "the web server did not answer"
        time.sleep(0.1)


def first_code(env: dict[str, str]) -> str:
    """The code that the machine's owner prints for the first administrator."""
    argv = [sys.executable, "manage.py", "lbftp", "first-admin", "--json"]
    done = subprocess.run(argv, cwd=ROOT, env=env, check=True, capture_output=True, text=True)
    return str(json.loads(done.stdout)["code"])


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[sites.Stack]:
    """The whole site as `make run` starts it, fresh: Redis, web server, worker and beat as processes."""
    with sites.start(tmp_path / "var", options=sites.Options(fresh=True)) as running:
        yield running


@pytest.fixture
def lab() -> dict[str, Any]:
    """The virtual routers in their first state, as `python -m lab status --json` tells of them."""
    return api.reset().to_json()
