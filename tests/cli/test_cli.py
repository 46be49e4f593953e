from __future__ import annotations

import io
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import call_command
from django.db import connections

from lbftp.changes.models import ChangeRequest, Run
from lbftp.changes.services import outcomes, runs
from lbftp.clusters.models import Cluster
from lbftp.core.job import Event, Job
from tests.worlds import World, applied, approved, draft, edit, plan, proposed

pytestmark = pytest.mark.django_db


class Answer:
    """What a call printed, and its exit status."""

    def __init__(self, *words: str) -> None:
        out, err = io.StringIO(), io.StringIO()
        self.status = 0
        try:
            call_command("lbftp", *words, stdout=out, stderr=err)
        except SystemExit as stop:
            self.status = int(stop.code or 0)
        self.out, self.err = out.getvalue(), err.getvalue()

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def cli(*words: str) -> Answer:
    return Answer(*words)


Work = Callable[[Run, Job], None]


@contextmanager
def working(work: Work) -> Iterator[None]:
    """A worker in a thread: claims what is queued and does `work` to it."""
    stop = threading.Event()

    def loop() -> None:
        while not stop.is_set():
            for run in Run.objects.filter(state=Run.State.QUEUED):
                if job := runs.claim(run_id=run.pk, worker="thread"):
                    work(run, job)
            time.sleep(0.02)
        connections.close_all()

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)


def end(job: Job, state: str = "succeeded", **result: Any) -> None:
    runs.finish(run_id=job.run_id, fence=job.fence, state=state, outcome=f"It {state}.", result=result)


def plans(_run: Run, job: Job) -> None:
    outcomes.store_plan(run_id=job.run_id, fence=job.fence, plan=plan(), digest="d" * 64, problems=[])
    end(job)


def fails(_run: Run, job: Job) -> None:
    end(job, "failed")


def applies(_run: Run, job: Job) -> None:
    step = {"id": "modules", "title": "Load ip_vs_ftp", "state": "done", "seconds": 0.5}
    events = [
        Event("phase", "", {"name": "apply", "title": "Apply"}),
        Event("step", "r2", step),
        Event("output", "r2", {"step": "modules", "text": "loaded"}),
        Event("session", "", {"mode": "PASV", "real_server": "ftp1", "ok": True, "seconds": 0.2}),
    ]
    runs.record(run_id=job.run_id, fence=job.fence, events=events)
    end(job)


def goes_stale(_run: Run, job: Job) -> None:
    outcomes.mark_stale(run_id=job.run_id, fence=job.fence, plan=plan("e" * 64), digest="e" * 64, reason="r1 changed")
    end(job, "failed")


def finds(*, repaired: bool) -> Work:
    def work(_run: Run, job: Job) -> None:
        finding = {
            "code": "MOD1", "severity": "error", "what": "ip_vs_ftp", "expected": "loaded", "found": "absent",
            "remedy": "", "repaired": repaired,
        }  # fmt: skip
        runs.record(run_id=job.run_id, fence=job.fence, events=[Event("finding", "r1", finding)])
        end(job, findings=[{**finding, "router": "r1"}])

    return work


threaded = pytest.mark.django_db(transaction=True)


@threaded
def test_propose_waits_for_the_plan(world: World) -> None:
    with working(plans):
        answer = cli("propose", "web", "--user", "alice", "--title", "First", "--json")
    assert answer.status == 0
    assert (answer.json["state"], answer.json["title"]) == ("proposed", "First")
    assert answer.json["plan_digest"] == ChangeRequest.objects.get().plan_digest
    assert ["Auto-rollback", "after 120 s without confirmation"] in answer.json["terms"]


@threaded
def test_propose_fails_with_the_planning(world: World) -> None:
    with working(fails):
        answer = cli("propose", "web", "--user", "alice")
    assert answer.status == 1
    assert "It failed." in answer.out


@threaded
def test_plan_shows_and_proposes_nothing(world: World) -> None:
    with working(plans):
        answer = cli("plan", "web", "--user", "bob")
    assert answer.status == 0
    assert "Load ip_vs_ftp" in answer.out
    assert "+ip_vs_ftp" in answer.out
    assert not ChangeRequest.objects.exists()


@threaded
def test_apply_tells_what_happens(world: World) -> None:
    change = approved(world)
    with working(applies):
        answer = cli("apply", str(change.pk), "--user", "bob")
    assert answer.status == 0
    for line in ("== Apply", "[r2] Load ip_vs_ftp: done (0.5 s)", "[r2]   | loaded", "PASV ftp1: ok (0.2 s)"):
        assert line in answer.out
    assert Cluster.objects.get().state == Cluster.State.IN_STEP


@threaded
@pytest.mark.parametrize(("work", "status", "state"), [(fails, 1, "failed"), (goes_stale, 3, "stale")])
def test_apply_that_does_not_succeed(world: World, work: Work, status: int, state: str) -> None:
    change = approved(world)
    with working(work):
        answer = cli("apply", f"#{change.pk}", "--user", "bob", "--json")
    assert (answer.status, answer.json["state"]) == (status, state)


@threaded
@pytest.mark.parametrize(
    ("work", "status"), [(applies, 0), (fails, 1), (finds(repaired=False), 1), (finds(repaired=True), 0)]
)
def test_comply_and_verify(world: World, work: Work, status: int) -> None:
    applied(world)
    with working(work):
        for words in (["comply", "web", "--reapply"], ["verify", "web"]):
            answer = cli(*words, "--user", "bob", "--json")
            assert (answer.status, answer.json["kind"]) == (status, words[0])


@threaded
def test_not_waiting_and_waiting_in_vain(world: World) -> None:
    applied(world)
    answer = cli("verify", "web", "--user", "bob", "--no-wait", "--json")
    assert (answer.status, answer.json["state"]) == (0, "queued")
    answer = cli("verify", "web", "--user", "bob", "--timeout", "0.1")
    assert answer.status == 1
    assert "no worker took it yet" in answer.err


def test_approve_and_reject(world: World) -> None:
    change = str(proposed(world).pk)
    own = cli("approve", change, "--user", "alice")
    assert (own.status, "your own change" in own.err) == (3, True)
    stale = cli("approve", change, "--user", "bob", "--digest", "e" * 64, "--json")
    assert (stale.status, stale.json["exit"]) == (3, 3)
    assert "plan changed" in stale.json["error"]
    answer = cli("approve", change, "--user", "bob", "--json")
    assert (answer.status, answer.json["state"]) == (0, "approved")
    (one,) = answer.json["approvals"]
    assert (one["user"], one["approved"], one["current"], one["counts"]) == ("bob", True, True, True)
    assert cli("reject", change, "--user", "carol").status == 2
    answer = cli("reject", change, "--user", "carol", "--reason", "not today")
    assert (answer.status, ChangeRequest.objects.get().state) == (0, "rejected")
    assert cli("apply", change, "--user", "bob").status == 3


@pytest.mark.parametrize(
    ("user", "status"), [("alice", 0), ("bob", 0), ("victor", 3), ("mallory", 2), ("root", 2), ("nobody", 2), ("", 2)]
)
def test_people_have_their_own_rights(world: World, user: str, status: int) -> None:
    change = approved(world)
    who = ["--user", user] if user else []
    assert cli("propose", "web", "--no-wait", *who).status == status
    assert cli("reject", str(change.pk), "--reason", "x", *who).status == status


def test_unknown_things_are_wrong_use(world: World) -> None:
    for words in (["propose", "nothing"], ["approve", "999"], ["approve", "abc"], ["dump", "nothing"]):
        answer = cli(*words, *(["--user", "alice"] if words[0] != "dump" else []), "--json")
        assert (answer.status, answer.json["exit"]) == (2, 2)
        assert answer.err


def test_a_draft_with_errors_is_wrong_use_with_every_problem(world: World) -> None:
    edit(world, world.alice, floating="10.99.0.9")
    answer = cli("propose", "web", "--user", "alice", "--json")
    assert answer.status == 2
    assert {p["field"] for p in answer.json["problems"]} >= {"floating"}
    assert all(p["code"] and p["remedy"] for p in answer.json["problems"] if p["severity"] == "error")


def write(folder: Path, text: str) -> str:
    path = folder / "clusters.yaml"
    path.write_text(text)
    return str(path)


def test_dump_then_load_changes_nothing(world: World, tmp_path: Path) -> None:
    before = Cluster.objects.get().draft
    dumped = cli("dump", "web")
    assert dumped.status == 0
    answer = cli("load", write(tmp_path, dumped.out), "--user", "bob", "--json")
    assert (answer.status, [c["cluster"] for c in answer.json["clusters"]]) == (0, ["web"])
    assert Cluster.objects.get().draft == before
    assert yaml.safe_load(dumped.out) == cli("dump", "web", "--json", "--user", "victor").json


def test_a_file_that_would_remove_an_edit_of_somebody_else_is_refused(world: World, tmp_path: Path) -> None:
    dumped = yaml.safe_load(cli("dump", "web").out)
    edit(world, world.alice, mark=22)
    for data in (dumped, {k: v for k, v in dumped.items() if k != "version"}):
        file = write(tmp_path, yaml.safe_dump(data | {"comment": "Films"}))
        answer = cli("load", file, "--user", "bob")
        assert answer.status == 3
        assert "alice changed web since you read it" in answer.err
        assert "mark: stored 22 (alice, " in answer.err
        assert "load with --force" in answer.err
        told = cli("load", file, "--user", "bob", "--json").json
        assert ("mark", 22, 21, "alice") in [(c["field"], c["stored"], c["wanted"], c["by"]) for c in told["conflicts"]]
        assert Cluster.objects.get().draft["mark"] == 22
    forced = cli("load", file, "--user", "bob", "--force")
    assert forced.status == 0
    assert re.search(r"mark: was 22 \(by alice, .*\), is 21", forced.out)


@pytest.mark.parametrize("form", ["documents", "list", "clusters"])
def test_a_file_may_hold_several_clusters(world: World, tmp_path: Path, form: str) -> None:
    one, two = ({"name": n, **draft(vip=v)} for n, v in (("web", "192.0.2.100"), ("files", "192.0.2.101")))
    text = {
        "documents": yaml.safe_dump_all([one, two]),
        "list": yaml.safe_dump([one, two]),
        "clusters": yaml.safe_dump({"clusters": [one, two]}),
    }[form]
    assert cli("load", write(tmp_path, text), "--user", "bob", "--force").status == 0
    assert {c.name: c.draft["vip"] for c in Cluster.objects.all()} == {"web": "192.0.2.100", "files": "192.0.2.101"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: web\nvip: 1\n  x: [", "is not YAML"),
        ("", "names no cluster"),
        ("name: web\nname: web2\n", "'name' is there twice (line 1)"),
        ("- name: new\n- name: Bad Name\n", "name: Use 1-16 lower-case letters"),
        ("name: web\nvips: 3\n", "vips: It is not a field of a cluster. Known fields:"),
        ("name: web\npassive: {low: 20000, high: 10000}\n", "passive_high: The range 20000-10000 is reversed"),
        ("!!python/object/apply:os.system ['id']\n", "is not YAML"),
        ("just words\n", "cluster: It is not a mapping of fields."),
    ],
)
def test_files_that_cannot_be_loaded_name_the_place_and_change_nothing(
    world: World, tmp_path: Path, text: str, words: str
) -> None:
    answer = cli("load", write(tmp_path, text), "--user", "bob")
    assert answer.status == 2
    assert words in answer.err
    assert [c.name for c in Cluster.objects.all()] == ["web"]


def test_files_of_earlier_versions_are_loaded(world: World, tmp_path: Path) -> None:
    text = "name: old\nvip: 192.0.2.101\ncontrol_port: 2121\nvrid: 31\nadvert_int: 2\n"
    assert cli("load", write(tmp_path, text), "--user", "bob").status == 0
    found = yaml.safe_load(cli("dump", "old").out)
    assert (found["control_ports"], found["vrrp"]["vrid"], found["vrrp"]["advert_int"]) == ([2121], 31, 2)
    both = cli("load", write(tmp_path, text + "vrrp: {group: x}\n"), "--user", "bob")
    assert (both.status, "advert_int: It is not a field of a cluster" in both.err) == (2, True)


def test_the_clusters_of_the_documentation_can_be_loaded(world: World, tmp_path: Path) -> None:
    """Every example of docs/cli.md that begins with a name; what it names is in the world under other names."""
    text = (Path(settings.BASE_DIR) / "docs/cli.md").read_text()
    blocks = re.findall(r"(?:^    .+\n)+", text, re.MULTILINE)
    examples = [yaml.safe_load(block) for block in blocks if block.startswith("    name:")]
    assert [one["name"] for one in examples] == ["ftp", "media"]
    for one in examples:
        one.pop("probe", None)
    assert cli("load", write(tmp_path, yaml.safe_dump(examples)), "--user", "bob").status == 0
    media = Cluster.objects.get(name="media").draft
    assert (media["mode"], media["vip6"], media["vrrp"]["group"]) == ("advertise", "2001:db8::110", "ftp")


def test_real_servers(world: World) -> None:
    assert "ftp1              10.0.50.11       fd00:50::11" in cli("real-server").out
    added = cli("real-server", "ftp3", "--address6", "FD00:50::13", "--user", "alice", "--json")
    assert (added.status, added.json["address"], added.json["address6"]) == (0, None, "fd00:50::13")
    moved = cli("real-server", "ftp3", "--address", "10.0.50.13", "--user", "alice", "--json")
    assert (moved.json["address"], moved.json["address6"]) == ("10.0.50.13", "fd00:50::13")
    gone = cli("real-server", "ftp3", "--address6", "", "--user", "alice", "--json")
    assert gone.json["address6"] is None
    assert cli("real-server", "ftp3", "--address", "", "--user", "alice").status == 2
    assert cli("real-server", "ftp3", "--address6", "fe80::1", "--user", "alice").status == 2
    assert cli("real-server", "ftp3", "--address", "10.0.50.14", "--user", "bob").status == 3
    assert cli("real-server", "--address", "10.0.50.14", "--user", "alice").status == 2
    assert cli("real-server", "--json", "--user", "mallory").json == {"real_servers": []}


def test_a_file_that_is_not_there(world: World) -> None:
    answer = cli("load", "/nonexistent.yaml", "--user", "bob")
    assert (answer.status, "cannot be read" in answer.err) == (2, True)


def test_viewers_load_nothing(world: World, tmp_path: Path) -> None:
    assert cli("load", write(tmp_path, "name: new\n"), "--user", "victor").status == 3


def test_status(world: World) -> None:
    change = applied(world)
    approved(world)
    answer = cli("status", "--json")
    assert answer.status == 0
    (row,) = answer.json["clusters"]
    assert (row["cluster"], row["state"], row["applied"]) == ("web", "in_step", change.revision.number)
    assert [c["state"] for c in row["changes"]] == ["approved"]
    assert "web" in cli("status", "web").out
    assert cli("status", "--user", "mallory", "--json").json == {"clusters": []}


def test_policy(world: World) -> None:
    assert "has no policy" in cli("policy", "web").out
    answer = cli("policy", "web", "--user", "bob", "--cron", "0 6 * * *", "--time-zone", "Europe/Berlin", "--json")
    assert (answer.status, answer.json["policy"]["in_words"]) == (0, "At 06:00 AM")
    answer = cli("policy", "web", "--user", "bob", "--action", "reapply", "--no-enabled", "--json")
    assert (answer.json["policy"]["cron"], answer.json["policy"]["action"]) == ("0 6 * * *", "reapply")
    assert not answer.json["policy"]["enabled"]
    assert cli("policy", "web", "--user", "bob", "--cron", "never").status == 2
    assert cli("policy", "web", "--user", "victor", "--cron", "0 6 * * *").status == 3
