"""Passwords that others keep on routers: a plan, its differences and findings show a mark, and the plan notices a
change; what is written to the router has every byte."""

from __future__ import annotations

import dataclasses
import json
import time

import pytest
from django.core import serializers
from django.test import Client

from lbftp.changes import services
from lbftp.changes.models import ChangeRequest, RunEvent
from lbftp.changes.services import outcomes, runs
from lbftp.core.job import Event
from lbftp.core.observe import keepalived
from lbftp.core.observe.observed import Observed
from lbftp.core.plan import Plan, change, plan, to_json
from lbftp.core.steps import sha256
from tests.core.cases import GUIDE, pair
from tests.worlds import World, claimed

pytestmark = pytest.mark.django_db
FIRST, SECOND = "Canary-vrrp-1", "Canary-vrrp-2"
OTHERS = """vrrp_instance other {{
    authentication {{
        auth_type PASS
        auth_pass {}
    }}
}}
"""


def held(password: str) -> dict[str, Observed]:
    """A fresh pair whose r1 has a foreign VRRP instance with a password in its main file."""
    both = pair("fresh")
    files = {**both["r1"].files, keepalived.MAIN: OTHERS.format(password)}
    return {**both, "r1": dataclasses.replace(both["r1"], files=files)}


def planned(world: World, made: Plan) -> ChangeRequest:
    given = services.propose(user=world.alice, cluster=world.cluster, title="First", reason="x")
    run = given.runs.get()
    job = claimed(run)
    outcomes.store_plan(run_id=run.pk, fence=job.fence, plan=to_json(made), digest=made.digest, problems=[])
    runs.finish(run_id=run.pk, fence=job.fence, state="succeeded", outcome="Planned.", result={})
    given.refresh_from_db()
    return given


def shown(given: ChangeRequest) -> str:
    """The difference of keepalived's main file on r1."""
    assert given.plan is not None
    found = [d for r in given.plan["routers"] if r["router"] == "r1" for d in r["differences"]]
    return str(next(d["diff"] for d in found if d["what"] == keepalived.MAIN))


def test_a_plan_keeps_no_password_of_others_and_notices_another_one(world: World, client: Client) -> None:
    first, second = plan(GUIDE, held(FIRST)), plan(GUIDE, held(SECOND))
    assert first.digest != second.digest
    given = planned(world, first)
    assert "auth_pass [secret " in shown(given)
    assert FIRST not in serializers.serialize("json", [given])
    client.force_login(world.bob)
    page = client.get(f"/changes/{given.pk}/").content.decode()
    assert "auth_pass" in page
    assert FIRST not in page
    services.reject(user=world.bob, change=given, reason="again")
    assert shown(planned(world, second)) != shown(given)


def test_what_is_written_has_every_byte() -> None:
    step = next(s for s in plan(GUIDE, held(FIRST)).router("r1").steps if s.params.get("path") == keepalived.MAIN)
    assert OTHERS.format(FIRST) == step.params["before"]
    assert f"auth_pass {FIRST}\n" in step.params["after"]
    assert sha256(step.params["before"]) == sha256(OTHERS.format(FIRST))


def test_findings_events_and_results_have_the_mark(world: World) -> None:
    run = services.verify(user=world.bob, cluster=world.cluster) if world.cluster.applied else None
    given = services.propose(user=world.alice, cluster=world.cluster, title="First", reason="x")
    run = run or given.runs.get()
    job = claimed(run)
    text = OTHERS.format(FIRST)
    runs.record(run_id=run.pk, fence=job.fence, events=[Event("output", "r1", {"step": "x", "text": text})])
    result = {"findings": [{"found": text, "expected": text}], "proposals": [{"left_over": [text]}]}
    runs.finish(run_id=run.pk, fence=job.fence, state="failed", outcome=text, result=result)
    run.refresh_from_db()
    kept = serializers.serialize("json", [run, *RunEvent.objects.all()]) + json.dumps(run.result)
    assert FIRST not in kept
    assert kept.count("auth_pass [secret ") >= 4


def test_a_file_of_a_million_lines_is_compared_in_its_own_time() -> None:
    """The same few lines again and again are what difflib takes the longest for."""
    lines = [f"line {n % 150}" for n in range(400_000)]
    before, after = "\n".join(lines), "\n".join([*lines[:7], "ours", *lines[7:-9], "more"])
    began = time.monotonic()
    found = change("/etc/keepalived/keepalived.conf", before, after).diff
    assert time.monotonic() - began < 60
    assert found.splitlines()[2].startswith("@@ -8,")
    assert "+ours" in found.splitlines()
    assert "lines left out" in found
    assert change("x", before, before).diff == ""
