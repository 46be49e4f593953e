"""Random sequences of what people and workers do: nothing is applied without others' approvals of the present plan.

Who may approve what is kept in a book of the test's own, by hand, and never asked of the code under test.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from lbftp.accounts.models import Account, Membership, Role
from lbftp.accounts.services import set_role
from lbftp.changes import services
from lbftp.changes.errors import ServiceError
from lbftp.changes.models import Approval, ChangeRequest, Run
from lbftp.changes.services import outcomes, runs
from lbftp.clusters.models import Cluster
from lbftp.clusters.services import dump, load, set_approvals_required
from lbftp.inventory import services as inventory
from lbftp.proofs.services import proposing, windows
from tests import worlds

C = ChangeRequest.State
# Those who may do something come more often, else most sequences are refusals only.
PEOPLE = st.sampled_from(["alice", "bob", "carol"] * 3 + ["victor", "mallory", "root"])
DIGESTS = ["a" * 64, "b" * 64]
WAY = ["approve", "apply", "work", "everybody_approves", "go"]
SHAPE = ["edit", "interfaces", "guard", "probes"]
AROUND = ["require", "join", "leave", "watch", "lock", "unlock", "way_in", "open_window"]
MOVES = st.fixed_dictionaries(
    {
        "what": st.sampled_from([*WAY * 4, *SHAPE, *AROUND, "propose", "restart", "replan", "replan", "reject"]),
        "who": PEOPLE,
        "number": st.integers(0, 3),
        "seen": st.sampled_from(["present", "present", "present", "a" * 64, ""]),
        "digest": st.sampled_from([*DIGESTS, DIGESTS[0]]),
        "state": st.sampled_from(["succeeded", "succeeded", "succeeded", "failed", "errored", "cancelled"]),
        "stale": st.booleans(),
    }
)
MOST_CHANGES = 4
LONG = bool(os.environ.get("LBFTP_LONG"))
BEGAN: list[int] = []


@dataclass
class Page:
    """What the book has of one change. `given`: (plan and terms, who) of each approval that may count."""

    author: int
    step: int
    required: int
    editors: set[int]
    exempt: bool = False
    plan: tuple[Any, ...] = ()
    shapers: set[int] = field(default_factory=set)
    planned: int = 0
    given: set[tuple[Any, ...]] = field(default_factory=set)


class Workflow(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.world = worlds.build()
        self.world.r1.facts["interfaces"].append({"name": "eth4", "addresses": ["10.0.50.9/24", "fd00:50::9/64"]})
        self.world.r1.save(update_fields=["facts"])
        self.step, self.began, self.window = 0, 0, -1
        self.book: dict[int, Page] = {}
        self.edits: list[tuple[int, int]] = [(0, self.world.alice.pk)]
        self.terms_edits: list[tuple[int, int]] = [(0, self.world.alice.pk)]
        team = ("alice", "bob", "carol")
        self.since: dict[int, int] = {self.user(name).pk: 0 for name in team}

    @initialize(who=st.sampled_from(["alice", "bob"]))
    def begin(self, who: str) -> None:
        self.step += 1
        self.propose(self.user(who), {})
        self.work(self.user(who), {"digest": "a" * 64, "state": "succeeded", "stale": False})

    def teardown(self) -> None:
        BEGAN.append(self.began)
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    def user(self, name: str) -> Any:
        return User.objects.get(pk=getattr(self.world, name).pk)

    def some(self, number: int, rather: str = "") -> ChangeRequest:
        """One of the changes; mostly one in state `rather`, so that the sequences come somewhere."""
        rows = list(ChangeRequest.objects.select_related("cluster").order_by("pk"))
        fitting = [row for row in rows if row.state == rather] if number else []
        return (fitting or rows)[number % len(fitting or rows)]

    def attempt(self, act: Callable[[], Any]) -> Any:
        """A refusal is an answer like any other here; what may not happen is checked when something begins."""
        try:
            with transaction.atomic():
                return act() or True
        except ServiceError:
            return None

    # One rule, and what happens is drawn with it: Hypothesis leaves whole rules out of many of its sequences, and the
    # way to an applied change has four different steps.
    @rule(move=MOVES)
    def happens(self, move: dict[str, Any]) -> None:
        self.step += 1
        getattr(self, move["what"])(self.user(move["who"]), move)

    # What people do about changes.

    def propose(self, user: User, _move: dict[str, Any]) -> None:
        cluster = Cluster.objects.get()
        if ChangeRequest.objects.count() < MOST_CHANGES:
            self.write(self.attempt(lambda: services.propose(user=user, cluster=cluster, title="t", reason="")))

    def restart(self, user: User, _move: dict[str, Any]) -> None:
        if ChangeRequest.objects.count() < MOST_CHANGES:
            self.write(self.attempt(lambda: proposing.restart(user=user, cluster=Cluster.objects.get())))

    def write(self, change: ChangeRequest | None) -> None:
        if change is None:
            return
        of_draft = change.kind == ChangeRequest.Kind.REVISION
        editors = {who for _, who in self.edits} if of_draft else set()
        required = max(1, Cluster.objects.get().approvals_required)
        exempt = not of_draft and 0 <= self.window < self.step
        self.book[change.pk] = Page(change.author_id, self.step, required, editors, exempt)

    def approve(self, user: User, move: dict[str, Any]) -> None:
        change = self.some(move["number"], C.PROPOSED)
        digest = change.plan_digest if move["seen"] == "present" else move["seen"]
        if self.attempt(lambda: services.approve(user=user, change=change, plan_digest=digest)):
            page = self.book[change.pk]
            page.given.add((*page.plan, user.pk))

    def everybody_approves(self, _user: User, move: dict[str, Any]) -> None:
        """Whoever may: so that what comes next has something to spoil."""
        for name in ("alice", "bob", "carol"):
            self.approve(self.user(name), {**move, "seen": "present"})

    def go(self, user: User, move: dict[str, Any]) -> None:
        """Approved and started, and no worker has it yet."""
        self.everybody_approves(user, move)
        self.apply(self.user("alice" if move["number"] else "bob"), {**move, "number": max(1, move["number"])})

    def reject(self, user: User, move: dict[str, Any]) -> None:
        change = self.some(move["number"], C.REFUSED)
        self.attempt(lambda: services.reject(user=user, change=change, reason="no"))

    def replan(self, user: User, move: dict[str, Any]) -> None:
        change = self.some(move["number"], C.STALE)
        self.attempt(lambda: services.replan(user=user, change=change))

    def apply(self, user: User, move: dict[str, Any]) -> None:
        change = self.some(move["number"], C.APPROVED)
        if self.attempt(lambda: services.apply_change(user=user, change=change)):
            self.began += 1
            assert self.is_covered(change.pk), f"{change} was started"

    # What people do about what it does, and who may.

    def edit(self, user: User, move: dict[str, Any]) -> None:
        before = Cluster.objects.get().draft
        if self.attempt(lambda: worlds.edit(self.world, user, mark=21 + move["number"])):
            self.note(self.edits, user, before != Cluster.objects.get().draft)

    def interfaces(self, user: User, move: dict[str, Any]) -> None:
        chosen = {"public_interface": "eth1", "internal_interface": ["eth2", "eth4"][move["number"] % 2]}
        if self.attempt(lambda: inventory.set_interfaces(user=user, router=self.world.r1, **chosen)):
            self.note(self.edits, user, True)

    def guard(self, user: User, move: dict[str, Any]) -> None:
        self.set_terms(user, guard_seconds=60 + move["number"])

    def probes(self, user: User, move: dict[str, Any]) -> None:
        self.set_terms(user, probe={} if move["number"] else {"worker": True, "account": "ftp"})

    def set_terms(self, user: User, **changes: Any) -> None:
        before, data = self.terms(), {**dump(Cluster.objects.get()), **changes}
        data.pop("version", None)
        if self.attempt(lambda: load(user=user, team=self.world.team, data=data, force=True)):
            self.note(self.terms_edits, user, before != self.terms())

    def terms(self) -> tuple[Any, ...]:
        row = Cluster.objects.get()
        hosts = tuple(row.probe_hosts.values_list("name", flat=True))
        return row.guard_seconds, row.confirm_by_hand, hosts, row.probe_worker, row.probe_account_id, row.probe_path

    def note(self, book: list[tuple[int, int]], user: User, really: bool) -> None:
        if really:
            book.append((self.step, user.pk))

    def require(self, user: User, move: dict[str, Any]) -> None:
        cluster = Cluster.objects.get()
        self.attempt(lambda: set_approvals_required(user=user, cluster=cluster, number=1 + move["number"] % 2))

    def put(self, user: User, role: Role | None) -> None:
        member = Membership.objects.filter(team=self.world.team, user=user).first()
        admin = User.objects.filter(memberships__role=Role.ADMIN, memberships__team=self.world.team).first()
        if member and admin and self.attempt(lambda: set_role(user=admin, membership=member, role=role)):
            if role is None or role == Role.VIEWER:
                self.since.pop(user.pk, None)
            else:
                self.since.setdefault(user.pk, self.step)

    def join(self, user: User, move: dict[str, Any]) -> None:
        if Membership.objects.filter(team=self.world.team, user=user).exists():
            self.put(user, Role.ADMIN if move["number"] == 1 else Role.OPERATOR)
        else:
            Membership.objects.create(team=self.world.team, user=user, role=Role.OPERATOR)
            self.since[user.pk] = self.step

    def leave(self, user: User, _move: dict[str, Any]) -> None:
        self.put(user, None)

    def watch(self, user: User, _move: dict[str, Any]) -> None:
        self.put(user, Role.VIEWER)

    def lock(self, user: User, _move: dict[str, Any]) -> None:
        User.objects.filter(pk=user.pk).update(is_active=False)

    def unlock(self, _user: User, _move: dict[str, Any]) -> None:
        User.objects.update(is_active=True)

    def way_in(self, user: User, _move: dict[str, Any]) -> None:
        """Somebody else gave them a new password."""
        Account.objects.update_or_create(user=user, defaults={"credentials_since": timezone.now()})
        if user.pk in self.since:
            self.since[user.pk] = self.step

    def open_window(self, user: User, move: dict[str, Any]) -> None:
        """`window` is the step at which the present one was set, -1 while none is open."""
        enabled = bool(move["number"])
        values: dict[str, Any] = {"cron": "* * * * *", "minutes": 60, "time_zone": "UTC", "enabled": enabled}
        if not self.attempt(lambda: windows.set_window(user=user, cluster=Cluster.objects.get(), **values)):
            return
        if not enabled:
            self.window = -1
        elif self.window < 0:
            self.window = self.step

    # What workers do.

    def work(self, _user: User, move: dict[str, Any]) -> None:
        for run in Run.objects.filter(state=Run.State.QUEUED).order_by("pk"):
            self.work_on(run, move["digest"], move["state"], move["stale"])

    def work_on(self, run: Run, digest: str, state: str, stale: bool) -> None:
        assert run.change_id is not None
        page, job = self.book[run.change_id], runs.claim(run_id=run.pk, worker="w")
        if job is None:
            assert run.kind != Run.Kind.PLAN
            assert not self.is_covered(run.change_id), "what is covered is done"
            return
        held: dict[str, Any] = {"run_id": run.pk, "fence": job.fence}
        if run.kind == Run.Kind.PLAN:
            if state == "succeeded":
                outcomes.store_plan(**held, plan=worlds.plan(digest), digest=digest, problems=[])
                page.plan, page.planned = (digest, self.terms()), self.step
                page.shapers |= {who for _, who in self.terms_edits}
        else:
            assert self.is_covered(run.change_id), f"a worker began {run}"
            if stale:
                outcomes.mark_stale(**held, plan=worlds.plan(digest), digest=digest, reason="changed")
                state = "failed"
        runs.finish(**held, state=state, outcome="over", result={})
        if run.kind != Run.Kind.PLAN and not stale:
            self.after(run, page, state)

    def after(self, run: Run, page: Page, state: str) -> None:
        if state in ("failed", "errored"):
            page.given.clear()
        if state == "succeeded":
            if run.kind == Run.Kind.APPLY:
                self.edits = [(at, who) for at, who in self.edits if at > page.step]
            if not run.exemption:
                self.terms_edits = [(at, who) for at, who in self.terms_edits if at > page.planned]

    def is_covered(self, change: int) -> bool:
        """Counted here by hand, not by the code under test."""
        page, row = self.book[change], Cluster.objects.get()
        if not page.plan or page.plan[1] != self.terms():
            return False
        if page.exempt and self.window >= 0 and self.window < page.step and not page.shapers:
            return True
        active = set(User.objects.filter(is_active=True).values_list("pk", flat=True))
        givers = {who for *plan, who in page.given if tuple(plan) == page.plan}
        good = {who for who in givers if self.since.get(who, page.step) < page.step} & active
        others = good - page.editors - page.shapers - {page.author}
        return len(others) >= max(page.required, row.approvals_required)

    @invariant()
    def one_change_is_applying_and_its_cluster_says_so(self) -> None:
        applying = ChangeRequest.objects.filter(state=C.APPLYING).count()
        assert applying == (1 if Cluster.objects.get().state == Cluster.State.APPLYING else 0)

    @invariant()
    def authors_and_editors_have_approved_nothing(self) -> None:
        for decision in Approval.objects.filter(approved=True).select_related("change"):
            page = self.book[decision.change_id]
            assert decision.user_id not in {page.author} | page.editors


@pytest.mark.django_db
@pytest.mark.timeout(12 * 3600 if LONG else 1800)
def test_nothing_is_applied_without_enough_approvals_of_the_present_plan() -> None:
    """By `make test-long` 10,000 sequences."""
    BEGAN.clear()
    examples = 10_000 if LONG else 60
    run_state_machine_as_test(
        Workflow,
        settings=settings(
            max_examples=examples, stateful_step_count=25, deadline=None, database=None, derandomize=True
        ),
    )
    assert sum(BEGAN) >= examples // 10, "the sequences hardly ever came as far as applying: they prove nothing"
