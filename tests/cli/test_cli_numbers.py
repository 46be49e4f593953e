"""`manage.py lbftp numbers`."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from lbftp.core.observe.numbers import parse
from lbftp.numbers import services
from tests.core.numbers_cases import IDLE, MASTER
from tests.worlds import World, applied


def call(*words: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("lbftp", "numbers", *words, stdout=out, stderr=out)
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue()
    return 0, out.getvalue()


def look(found: dict[str, Any]) -> None:
    now = timezone.now()
    services.watch_all(now=now)
    for one in services.claim_due(now=now):
        services.take(look=one, found=found[one.access.name], at=now)


def test_what_routers_said(world: World) -> None:
    applied(world)
    look({"r1": parse(MASTER), "r2": parse(IDLE)})
    status, text = call("web")
    assert status == 0
    assert "r1: MASTER, answered " in text
    assert "r2: BACKUP" in text
    rows = [line.split() for line in text.splitlines()]
    assert ["ftp2", "1", "4", "13", "2", "2", "1", "17482", "1075952"] in rows
    status, text = call("web", "--json")
    data = json.loads(text)
    assert (status, data["master"], data["passive_ports"]) == (0, "r1", 10001)
    assert data["routers"][0]["measures"]["servers"][1]["sessions"] == 2
    assert data["routers"][1]["state"] == "BACKUP"


def test_nobody_holds_the_vip(world: World) -> None:
    applied(world)
    look({"r1": "r1: no SSH connection to 127.0.0.1 port 2201.", "r2": parse(IDLE)})
    status, text = call("web")
    assert status == 1
    assert "r1: no answer (r1: no SSH connection to 127.0.0.1 port 2201.)" in text
    assert "No single router says that it holds the virtual address." in text


def test_nothing_applied(world: World) -> None:
    assert call("web") == (1, "web: nothing is applied, so no router is asked.\n")


@pytest.mark.usefixtures("world")
def test_strangers_learn_nothing() -> None:
    assert call("web", "--user", "mallory")[0] == 2
