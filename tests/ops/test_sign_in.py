"""Guessing at a whole site, forty at a time, as `make run` starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ops import stack as stacks
from ops.demo.site import Visitor
from ops.places import ROOT, StackError
from ops.stack import Options, Stack

pytestmark = pytest.mark.timeout(300)
PASSWORD = "a long enough one"


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with stacks.start(tmp_path, None, Options(extra={"LBFTP_BEAT_TICK_SECONDS": "1"})) as running:
        argv = [sys.executable, "manage.py", "lbftp", "first-admin", "--json"]
        done = subprocess.run(argv, cwd=ROOT, env=running.env, check=True, capture_output=True, text=True)
        visitor = Visitor(running.base_url)
        visitor.get("/welcome/")
        form = {"username": "ann", "password": PASSWORD, "again": PASSWORD, "team": "ops"}
        visitor.post("/welcome/", {**form, "code": json.loads(done.stdout)["code"]})
        assert visitor.signed_in
        yield running


def guess(stack: Stack, typed: str, claimed: str = "") -> int:
    """The status of one try from a browser of its own; `claimed` is an address that it says it came from."""
    visitor = Visitor(stack.base_url)
    if claimed:
        visitor.headers["X-Forwarded-For"] = claimed
    visitor.get("/sign-in/")
    status, _page = visitor.post("/sign-in/", {"username": "ann", "password": typed})
    return 0 if visitor.signed_in else status


def test_forty_at_once_get_five_looked_at_and_a_claimed_address_helps_nobody(stack: Stack) -> None:
    with ThreadPoolExecutor(40) as pool:
        found = list(pool.map(lambda number: guess(stack, f"wrong {number}", f"203.0.113.{number}"), range(40)))
    assert sorted(found) == [422] * 5 + [429] * 35
    assert guess(stack, PASSWORD) == 429
    assert guess(stack, PASSWORD, "198.51.100.9") == 429


def test_the_log_of_the_web_server_has_no_link_that_sets_a_password(stack: Stack) -> None:
    assert Visitor(stack.base_url).get("/invitation/a-secret-part/")[0] == 410
    log = (stack.place.log / "web.log").read_text()
    assert "/invitation/" in log
    assert "a-secret-part" not in log


def test_behind_a_proxy_that_is_trusted_each_client_counts_alone(tmp_path: Path) -> None:
    extra = {"LBFTP_BEAT_TICK_SECONDS": "1", "LBFTP_TRUSTED_PROXIES": "127.0.0.1"}
    with stacks.start(tmp_path, None, Options(extra=extra)) as running:
        make = f"from django.contrib.auth.models import User\nUser.objects.create_user('ann', password={PASSWORD!r})"
        argv = [sys.executable, "manage.py", "shell", "-c", make]
        subprocess.run(argv, cwd=ROOT, env=os.environ | running.env, check=True, capture_output=True)
        found = [guess(running, "wrong", "203.0.113.1, 192.0.2.77") for _ in range(6)]
        # What the client wrote itself stands left of what the proxy wrote.
        assert found == [422] * 5 + [429]
        assert guess(running, PASSWORD, "203.0.113.2, 192.0.2.77") == 429
        assert guess(running, PASSWORD, "198.51.100.9") == 0


def test_everybody_is_no_proxy(tmp_path: Path) -> None:
    for given in ("*", "10.0.0.0/33", "proxy.example"):
        with pytest.raises(StackError, match="LBFTP_TRUSTED_PROXIES"):
            stacks.start(tmp_path, None, Options(extra={"LBFTP_TRUSTED_PROXIES": given}))
