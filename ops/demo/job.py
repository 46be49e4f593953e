"""The main job from beginning to end. Each function is one chapter and reports its own verdicts."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.urls import reverse

from lab.report import LabStatus
from lbftp.changes.errors import Refused
from lbftp.changes.models import ChangeRequest, Run, RunEvent
from lbftp.changes.services import checks, decisions, requests
from lbftp.clusters.models import Cluster
from lbftp.compliance import services as compliance
from lbftp.compliance.models import FindingRow, Policy
from lbftp.inventory import services as inventory
from ops.demo import byhand, foreign, scene
from ops.demo.following import Followed, follow
from ops.demo.report import Report
from ops.demo.scene import ROUTERS, SERVERS, Scene
from ops.demo.site import Visitor

MODES = ("PASV", "EPSV", "PORT", "EPRT")
MACHINES = (*ROUTERS, "client")


@dataclass(slots=True)
class Job:
    """What the chapters hand on to each other."""

    lab: LabStatus
    base_url: str
    report: Report
    people: Scene
    before: dict[str, foreign.Look] = field(default_factory=dict)

    def follow(self, run: Run) -> Followed:
        return follow(run, self.report)

    @property
    def cluster(self) -> Cluster:
        return Cluster.objects.get(name="ftp")


def whole(job: Job) -> None:
    """All chapters, in the order in which people would go."""
    job.before = byhand.looks()
    enrol_machines(job)
    change = propose_first_change(job)
    approve_it(job, change)
    apply_it(job, change)
    look_by_hand(job)
    apply_again(job)
    drift_and_compliance(job)
    foreign_untouched(job, "still unchanged after drift and re-apply")
    visit_pages(job, change)


def enrol_machines(job: Job) -> None:
    report, people = job.report, job.people
    report.title("Machines")
    key, account = scene.credentials(people, job.lab)
    report.expect(True, "credentials added: the routers' SSH key and an FTP account, encrypted at rest")
    enrolling = [(name, scene.enrol(people, job.lab.host(name), key)) for name in MACHINES]
    for name, run in enrolling:
        seen = job.follow(run)
        report.require(seen.good, f"{name} enrolled: it showed its host key", seen.why)
    looking = {name: scene.confirm(people, job.lab.host(name)) for name in MACHINES}
    for name, look in looking.items():
        if look is not None:
            seen = job.follow(look)
            report.require(seen.good, f"{name}: host key confirmed by its fingerprint, facts read", seen.why)
            _choose_interfaces(job, name)
    scene.define(people, account)
    report.expect(True, "cluster ftp defined: VIP 192.0.2.100, two routers, two real servers, the guide's defaults")


def _choose_interfaces(job: Job, name: str) -> None:
    router = job.people.routers[name]
    router.refresh_from_db()
    inventory.set_interfaces(user=job.people.alice, router=router, public_interface="pub0", internal_interface="int0")
    facts = router.facts
    job.report.say(
        f"{name}: {facts.get('os', '?')}, keepalived {facts.get('keepalived', '?')}, {facts.get('platform')}"
    )


def propose_first_change(job: Job) -> ChangeRequest:
    report = job.report
    report.title("Proposal and approval")
    change = _propose(job, "First set-up")
    report.require(change.state == ChangeRequest.State.PROPOSED, "proposal made, with a plan", _problems(change))
    for router in (change.plan or {})["routers"]:
        for step in router["steps"]:
            report.say(f"{router['router']}: {step['title']}")
    return change


def _propose(job: Job, title: str) -> ChangeRequest:
    change = requests.propose(user=job.people.alice, cluster=job.cluster, title=title, reason="Demonstration")
    job.follow(change.runs.get())
    change.refresh_from_db()
    return change


def _problems(change: ChangeRequest) -> str:
    said = [f"{p.get('router', '')} {p['field']}: {p['reason']} {p['remedy']}" for p in change.problems]
    outcomes = [f"run {run.pk}: {run.outcome}" for run in change.runs.all()]
    return "\n".join([f"the change is {change.state}", *said, *outcomes])


def approve_it(job: Job, change: ChangeRequest) -> None:
    report, people = job.report, job.people
    try:
        decisions.approve(user=people.alice, change=change, plan_digest=change.plan_digest)
        report.require(False, "own approval refused", "alice could approve her own change")
    except Refused as refusal:
        report.expect(True, f"own approval refused: {refusal.message}")
    try:
        decisions.apply_change(user=people.alice, change=change)
        report.require(False, "applying without approval refused", "it was applied")
    except Refused as refusal:
        report.expect(True, f"applying without approval refused: {refusal.message}")
    decisions.approve(user=people.bob, change=change, plan_digest=change.plan_digest, reason="Read it, looks right")
    change.refresh_from_db()
    report.require(change.state == ChangeRequest.State.APPROVED, "approved by bob")


def apply_it(job: Job, change: ChangeRequest) -> None:
    report = job.report
    report.title("Applying")
    seen = job.follow(decisions.apply_change(user=job.people.alice, change=change))
    change.refresh_from_db()
    report.require(seen.good and change.state == ChangeRequest.State.APPLIED, "applied", seen.why)
    report.expect(seen.live_steps > 0, f"{seen.live_steps} steps were seen finishing while the run went on")
    order = _order(seen.events)
    masters = byhand.holds_vip()
    report.expect(
        order == ["r2", "r1"] and masters == ["r1"],
        "the backup router first (r2), then the master; r1 holds the VIP",
        f"order {order}, VIP held by {masters}",
    )
    _sessions(report, seen, "")


def _order(events: list[RunEvent]) -> list[str]:
    """Routers in the order of their first step that changed something."""
    declared = [step for event in events if event.kind == "steps" for step in event.data["steps"]]
    changing = {(step["router"], step["id"]) for step in declared if step["phase"] == "run"}
    done = [e.router for e in events if e.kind == "step" and (e.router, e.data["id"]) in changing]
    return list(dict.fromkeys(done))


def _sessions(report: Report, seen: Followed, when: str) -> None:
    """Every mode on every real server, by the run's own proof."""
    good = {(s["mode"], s.get("real_server")) for s in seen.of("session") if s["ok"]}
    bad = [f"{s['mode']}: {s.get('message')}" for s in seen.of("session") if not s["ok"]]
    for mode in MODES:
        missing = [name for name in SERVERS if (mode, name) not in good]
        text = f"{mode}: log in, list, fetch, checksum on {' and '.join(SERVERS)}{when}"
        report.expect(not missing, text, f"not seen on {', '.join(missing)}\n" + "\n".join(bad))


def look_by_hand(job: Job) -> None:
    report = job.report
    report.title("Looking by hand")
    failed = byhand.transfers()
    report.expect(not failed, "curl fetches the file by PASV, EPSV, PORT and EPRT through the VIP", "\n".join(failed))
    for name, missing in byhand.at_once(byhand.missing_from_disk).items():
        report.expect(not missing, f"{name}: files and units are persisted", "missing: " + ", ".join(missing))
    foreign_untouched(job, "unchanged by the first set-up")


def foreign_untouched(job: Job, when: str) -> None:
    for name, now in byhand.looks().items():
        found = foreign.changes(job.before[name], now)
        text = f"{name}: everything foreign {when} (files byte for byte, rules one by one)"
        job.report.expect(not found, text, "\n".join(found[:20]))


def apply_again(job: Job) -> None:
    report = job.report
    report.title("Second apply")
    change = _propose(job, "The same once more")
    planned = change.state == ChangeRequest.State.PROPOSED and (change.plan or {})["empty"]
    report.expect(planned, "a second proposal of the same plans no changes", _problems(change))
    if not planned:
        return
    decisions.approve(user=job.people.bob, change=change, plan_digest=change.plan_digest)
    seen = job.follow(decisions.apply_change(user=job.people.alice, change=change))
    done = [s["title"] for s in seen.of("step") if s["state"] == "done" and s.get("phase") in ("apply", "persist")]
    report.expect(seen.good and not done, "second apply: no changes", f"{seen.why}\n" + "\n".join(done))


def drift_and_compliance(job: Job) -> None:
    report = job.report
    report.title("Drift and compliance")
    _schedule(job)
    drifts = byhand.break_things("r1", "r2")
    for drift in drifts:
        report.say(f"by hand: {drift.title}{'' if drift.done else ' - not possible here: ' + drift.said}")
    report.expect(bool(byhand.transfers(patience=3)), "FTP is broken now", "every transfer still works")
    seen = job.follow(checks.comply(user=job.people.alice, cluster=job.cluster, reapply=True))
    report.expect(seen.good, "compliance ran and re-applied", seen.why)
    rows = list(FindingRow.objects.filter(run=seen.run))
    for drift in (d for d in drifts if d.done):
        found = [r for r in rows if r.code == drift.code and r.router == drift.router and drift.mention in r.what]
        said = f"{found[0].what} ({'put right' if found[0].repaired else 'NOT put right'})" if found else ""
        report.expect(
            any(r.repaired for r in found), f"found and put right: {drift.title}: {said}", "\n".join(map(_row, rows))
        )
    _works_again(job)


def _schedule(job: Job) -> None:
    """Re-applying by schedule changes routers without asking anybody, so bob approves it first."""
    change = compliance.set_policy(
        user=job.people.alice,
        cluster=job.cluster,
        cron="*/15 * * * *",
        time_zone="Europe/Berlin",
        action=Policy.Action.REAPPLY,
        enabled=True,
    )
    waits = isinstance(change, ChangeRequest) and not Policy.objects.filter(cluster=job.cluster).exists()
    job.report.require(waits, "a schedule that re-applies waits for approval", "it was in force at once")
    if isinstance(change, ChangeRequest):
        decisions.approve(user=job.people.bob, change=change, plan_digest=change.plan_digest)
    policy = Policy.objects.get(cluster=job.cluster)
    job.report.expect(policy.next_due is not None, f"compliance scheduled: {compliance.in_words(policy.cron)}")


def _row(row: FindingRow) -> str:
    return f"{row.router or 'pair'} {row.code}: {row.what} (repaired: {row.repaired})"


def _works_again(job: Job) -> None:
    report = job.report
    seen = job.follow(checks.verify(user=job.people.bob, cluster=job.cluster))
    report.expect(seen.good and not seen.of("finding"), "verified: no finding left", seen.why)
    _sessions(report, seen, ", again")
    failed = byhand.transfers()
    report.expect(not failed, "FTP works again: curl in all four modes", "\n".join(failed))


def visit_pages(job: Job, change: ChangeRequest) -> None:
    report = job.report
    report.title("The site")
    alice = Visitor(job.base_url)
    report.expect(alice.sign_in("alice", job.people.passwords["alice"]), "alice signs in")
    status, page = alice.get(reverse("home"))
    report.expect(status == 200 and "ftp" in page, "the home page shows the cluster", f"status {status}")
    status, page = alice.get(reverse("changes:change", args=[change.pk]))
    report.expect(status == 200 and change.title in page, "the change page shows the plan", f"status {status}")
    run = change.runs.get(kind=Run.Kind.APPLY)
    status, page = alice.get(reverse("changes:run", args=[run.pk]))
    whole = status == 200 and all(text in page for text in (*ROUTERS, *MODES, "Reload keepalived"))
    report.expect(whole, "the run page, opened late, shows its steps and sessions", f"status {status}")
    stranger = Visitor(job.base_url)
    status, page = stranger.get(reverse("changes:change", args=[change.pk]))
    report.expect(change.title not in page, "a stranger sees nothing of it")
