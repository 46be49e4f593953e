"""Random sequences of what people and workers do: nothing is applied without others' approvals of the present plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from lbftp.changes import services
from lbftp.changes.errors import ServiceError
from lbftp.changes.models import Approval, ChangeRequest, Run, Transition
from lbftp.changes.services import outcomes, runs
from lbftp.clusters.models import Cluster
from tests import worlds

C = ChangeRequest.State
# Those who may do something come more often, else most sequences are refusals only.
PEOPLE = st.sampled_from(["alice", "bob", "carol"] * 3 + ["victor", "mallory", "root"])
DIGESTS = ["a" * 64, "b" * 64]
WAY = ["approve", "apply", "work"]
MOVES = st.fixed_dictionaries(
    {
        "what": st.sampled_from([*WAY, *WAY, "propose", "edit", "require", "replan", "reject"]),
        "who": PEOPLE,
        "number": st.integers(0, 3),
        "seen": st.sampled_from(["present", "present", "present", "a" * 64, ""]),
        "digest": st.sampled_from([*DIGESTS, DIGESTS[0]]),
        "state": st.sampled_from(["succeeded", "succeeded", "succeeded", "failed", "errored", "cancelled"]),
        "stale": st.booleans(),
    }
)
MOST_CHANGES = 3
BEGAN: list[int] = []


class Workflow(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.world = worlds.build()
        self.covered: dict[int, bool] = {}

    @initialize(who=st.sampled_from(["alice", "bob"]))
    def begin(self, who: str) -> None:
        worlds.proposed(self.world, self.user(who), "a" * 64)

    def teardown(self) -> None:
        BEGAN.append(len(self.covered))
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    def user(self, name: str) -> Any:
        return getattr(self.world, name)

    def some(self, number: int, rather: str = "") -> ChangeRequest:
        """One of the changes; mostly one in state `rather`, so that the sequences come somewhere."""
        rows = list(ChangeRequest.objects.order_by("pk"))
        fitting = [row for row in rows if row.state == rather] if number else []
        return (fitting or rows)[number % len(fitting or rows)]

    def attempt(self, act: Callable[[], Any]) -> Any:
        """A refusal is an answer like any other here; what may not happen is checked by the invariants."""
        try:
            with transaction.atomic():
                return act()
        except ServiceError:
            return None

    # One rule, and what happens is drawn with it: Hypothesis leaves whole rules out of many of its sequences, and the
    # way to an applied change has four different steps.
    @rule(move=MOVES)
    def happens(self, move: dict[str, Any]) -> None:
        getattr(self, move["what"])(self.user(move["who"]), move)

    def propose(self, user: User, _move: dict[str, Any]) -> None:
        if ChangeRequest.objects.count() < MOST_CHANGES:
            self.attempt(lambda: services.propose(user=user, cluster=self.world.cluster, title="t", reason=""))

    def edit(self, user: User, move: dict[str, Any]) -> None:
        self.attempt(lambda: worlds.edit(self.world, user, mark=21 + move["number"]))

    def require(self, _user: User, move: dict[str, Any]) -> None:
        Cluster.objects.update(approvals_required=move["number"] % 3)

    def approve(self, user: User, move: dict[str, Any]) -> None:
        change = self.some(move["number"], C.PROPOSED)
        digest = change.plan_digest if move["seen"] == "present" else move["seen"]
        self.attempt(lambda: services.approve(user=user, change=change, plan_digest=digest))

    def reject(self, user: User, move: dict[str, Any]) -> None:
        change = self.some(move["number"], C.REFUSED)
        self.attempt(lambda: services.reject(user=user, change=change, reason="no"))

    def replan(self, user: User, move: dict[str, Any]) -> None:
        change = self.some(move["number"], C.STALE)
        self.attempt(lambda: services.replan(user=user, change=change))

    def apply(self, user: User, move: dict[str, Any]) -> None:
        change = self.some(move["number"], C.APPROVED)
        if self.attempt(lambda: services.apply_change(user=user, change=change)):
            self.covered[change.pk] = self.covered.get(change.pk, True) and self.is_covered(change.pk)

    def work(self, _user: User, move: dict[str, Any]) -> None:
        for run in Run.objects.filter(state=Run.State.QUEUED).order_by("pk"):
            self.work_on(run, move["digest"], move["state"], move["stale"])

    def work_on(self, run: Run, digest: str, state: str, stale: bool) -> None:
        job = worlds.claimed(run)
        held: dict[str, Any] = {"run_id": run.pk, "fence": job.fence}
        if run.kind == Run.Kind.PLAN and state == "succeeded":
            outcomes.store_plan(**held, plan=worlds.plan(digest), digest=digest, problems=[])
        if run.kind == Run.Kind.APPLY and stale:
            outcomes.mark_stale(**held, plan=worlds.plan(digest), digest=digest, reason="changed")
            state = "failed"
        runs.finish(**held, state=state, outcome="over", result={})

    def is_covered(self, change: int) -> bool:
        """Counted here by hand, not by the code under test."""
        row = ChangeRequest.objects.get(pk=change)
        editors = set(row.revision.editors.values_list("pk", flat=True)) | {row.author_id}
        decisions = Approval.objects.filter(change=row, approved=True, plan_digest=row.plan_digest)
        others = {a.user_id for a in decisions} - editors
        members = set(self.world.team.members.values_list("pk", flat=True))
        return bool(row.plan_digest) and len(others & members) >= max(1, row.cluster.approvals_required)

    @invariant()
    def only_covered_changes_are_applied(self) -> None:
        began = set(Transition.objects.filter(subject="change", new=C.APPLYING).values_list("subject_id", flat=True))
        assert began == set(self.covered)
        assert all(self.covered.values())

    @invariant()
    def one_change_is_applying_and_its_cluster_says_so(self) -> None:
        applying = ChangeRequest.objects.filter(state=C.APPLYING).count()
        assert applying == (1 if Cluster.objects.get().state == Cluster.State.APPLYING else 0)

    @invariant()
    def authors_and_editors_have_approved_nothing(self) -> None:
        for decision in Approval.objects.filter(approved=True).select_related("change__revision"):
            assert decision.user_id != decision.change.author_id
            assert not decision.change.revision.editors.filter(pk=decision.user_id).exists()


@pytest.mark.django_db
def test_nothing_is_applied_without_enough_approvals_of_the_present_plan() -> None:
    BEGAN.clear()
    run_state_machine_as_test(
        Workflow,
        settings=settings(max_examples=30, stateful_step_count=40, deadline=None, database=None, derandomize=True),
    )
    assert sum(BEGAN) >= 3, "the sequences hardly ever came as far as applying: they prove nothing"
