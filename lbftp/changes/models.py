"""Change requests, approvals, runs and their events, and the leases that keep two workers off one router."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from lbftp import database
from lbftp.accounts.models import Team
from lbftp.clusters.models import Cluster, Revision
from lbftp.inventory.models import Router


class ChangeRequest(models.Model):
    """A proposal to bring routers to a revision, or to do with them what its kind says: then `revision` is the one that
    is applied. `plan` is `core.plan.to_json`, made from what the machines held.

    What people approve is `plan_digest`, which covers the plan and its `terms` (changes/terms.py).
    `approvals_needed` is what the cluster asked for when this was proposed. `editors` had a part in it beside the
    author and whoever edited the revision.
    """

    class State(models.TextChoices):
        PLANNING = "planning", "Planning"
        REFUSED = "refused", "Could not be planned"
        PROPOSED = "proposed", "Waiting for approval"
        APPROVED = "approved", "Approved"
        REJECTED = "rejected", "Rejected"
        STALE = "stale", "Stale: the plan no longer fits"
        APPLYING = "applying", "Applying"
        APPLIED = "applied", "Applied"
        FAILED = "failed", "Failed and put back"

    class Kind(models.TextChoices):
        REVISION = "revision", "Bring the routers to a revision"
        ROLLBACK = "rollback", "Roll back to a checkpoint"
        SERVERS = "servers", "Bring FTP servers into step"
        RESTART = "restart", "Restart proof"
        REBOOT = "reboot", "Reboot proof"
        FAILOVER = "failover", "Failover proof"
        MAINTENANCE = "maintenance", "Router maintenance"
        POLICY = "policy", "Re-apply by schedule"

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="changes")
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.REVISION)
    params = models.JSONField(default=dict, help_text="What people chose for a change of this kind.")
    revision = models.ForeignKey(Revision, on_delete=models.PROTECT, related_name="changes")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    title = models.CharField(max_length=120)
    reason = models.TextField(blank=True, max_length=2000)
    state = models.CharField(max_length=16, choices=State.choices, default=State.PLANNING)
    plan = models.JSONField(null=True)
    plan_digest = models.CharField(max_length=64, blank=True)
    terms = models.JSONField(default=list, help_text="How it is tested and guarded: [[label, value], …].")
    approvals_needed = models.PositiveSmallIntegerField(default=1)
    editors = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="+", blank=True)
    origin = models.CharField(max_length=200, blank=True, help_text="How it was proposed; '' for pages.")
    problems = models.JSONField(
        default=list, help_text="Why planning was refused: [{code, severity, field, reason, remedy}]."
    )
    created_at = models.DateTimeField(default=database.now)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"#{self.pk} {self.title}"


class Approval(models.Model):
    """One person's decision on one plan digest. It never covers another plan, and no other attempt once the apply that
    it was for failed: `used_by` is that run."""

    change = models.ForeignKey(ChangeRequest, on_delete=models.CASCADE, related_name="approvals")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    plan_digest = models.CharField(max_length=64)
    approved = models.BooleanField()
    reason = models.CharField(max_length=500, blank=True)
    origin = models.CharField(max_length=200, blank=True, help_text="How the decision came; '' for pages.")
    used_by = models.ForeignKey("Run", null=True, on_delete=models.SET_NULL, related_name="+")
    used_at = models.DateTimeField(null=True, help_text="When the apply that it was for failed.")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["change", "user", "plan_digest"],
                condition=models.Q(used_at=None),
                name="one_decision_per_user_and_plan",
            )
        ]

    def __str__(self) -> str:
        return f"{self.user}: {'approved' if self.approved else 'rejected'}"


class Run(models.Model):
    """One piece of work of a worker. The row is the outbox: committed and never started, it is sent again."""

    class Kind(models.TextChoices):
        ENROL = "enrol", "Fetch host key"
        FACTS = "facts", "Look at a router"
        PLAN = "plan", "Plan"
        APPLY = "apply", "Apply"
        VERIFY = "verify", "Verify"
        COMPLY = "comply", "Compliance"
        IMPORT = "import", "Import"
        ROLLBACK = "rollback", "Roll back"
        SERVERS = "servers", "FTP servers into step"
        RESTART = "restart", "Restart proof"
        REBOOT = "reboot", "Reboot proof"
        FAILOVER = "failover", "Failover proof"
        MAINTENANCE = "maintenance", "Router maintenance"

    class State(models.TextChoices):
        QUEUED = "queued", "Waiting for a worker"
        RUNNING = "running", "Running"
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"
        ERRORED = "errored", "Stopped by an error of lbftp"
        CANCELLED = "cancelled", "Cancelled"

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="runs")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    state = models.CharField(max_length=16, choices=State.choices, default=State.QUEUED)
    cluster = models.ForeignKey(Cluster, null=True, on_delete=models.CASCADE, related_name="runs")
    change = models.ForeignKey(ChangeRequest, null=True, on_delete=models.CASCADE, related_name="runs")
    revision = models.ForeignKey(Revision, null=True, on_delete=models.PROTECT, related_name="+")
    host_kind = models.CharField(max_length=16, blank=True, help_text="'router' or 'probehost' for enrol and facts.")
    host_id = models.PositiveBigIntegerField(null=True)
    router_ids = models.JSONField(default=list, help_text="The routers that an import looks at.")
    reapply = models.BooleanField(default=False, help_text="A compliance run may put right what it finds.")
    dry = models.BooleanField(default=False, help_text="An apply that stops before the first change.")
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    origin = models.CharField(max_length=200, blank=True, help_text="How it was started; '' for pages and schedules.")
    exemption = models.CharField(
        max_length=300, blank=True, help_text="Why nobody else had to approve it, '' where somebody had to."
    )
    cancelled_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    cancelled_at = models.DateTimeField(
        null=True, help_text="When cancelling was asked for; the state tells if it came to it."
    )
    confirmed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    confirmed_at = models.DateTimeField(null=True, help_text="When a person said that the change stays.")
    extend_asked = models.BooleanField(
        default=False, help_text="Guards are to start anew; the next heartbeat takes it."
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    fence = models.PositiveBigIntegerField(default=0, help_text="Grows with each claim; an older claim may not write.")
    worker = models.CharField(max_length=120, blank=True)
    heartbeat_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=database.now)
    sent_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    outcome = models.TextField(blank=True, help_text="One sentence: what came of it, and what to do if it failed.")
    left = models.PositiveIntegerField(
        default=0, help_text="Errors and warnings that stood at its end, and real servers that no session reached."
    )
    result = models.JSONField(default=dict, help_text="Per kind: {'findings': [...], 'sessions': [...], …}.")

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["state", "sent_at"])]

    def __str__(self) -> str:
        return f"run {self.pk} ({self.kind})"

    @property
    def shown(self) -> str:
        """How its state looks: one that succeeded and left something is not plain green."""
        return "warning" if self.state == self.State.SUCCEEDED and self.left else str(self.state)

    @property
    def shown_words(self) -> str:
        """Its state in words, with what it left."""
        words = self.get_state_display()
        if self.shown != "warning":
            return words
        return f"{words}, {self.left} warning{'' if self.left == 1 else 's'}"

    @property
    def title(self) -> str:
        """What kind of run it is, in words; a dry one is never called an apply."""
        return "Dry run" if self.dry else self.get_kind_display()


class RunEvent(models.Model):
    """What happened, in order. `seq` is 1, 2, 3 … within its run; sockets only hint at it."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events")
    seq = models.PositiveIntegerField()
    at = models.DateTimeField()
    kind = models.CharField(max_length=16)
    router = models.CharField(max_length=32, blank=True)
    data = models.JSONField(default=dict)

    class Meta:
        ordering = ["seq"]
        constraints = [models.UniqueConstraint(fields=["run", "seq"], name="one_event_per_sequence_number")]

    def __str__(self) -> str:
        return f"{self.run_id}/{self.seq} {self.kind}"


class Transition(models.Model):
    """Something happened that people may ask about later: a state moved, or a setting, a person, a machine changed.

    Of what, from, to, by whom (None: lbftp itself), when, why. Append only. A row of a move has `old` and `new`; any
    other says in `what` what was done, with the changed values in `before` and `after`, never a secret.
    """

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="transitions")
    subject = models.CharField(max_length=16, help_text="'change', 'run', 'cluster', 'person', 'machine' and so on.")
    subject_id = models.PositiveBigIntegerField()
    name = models.CharField(max_length=150, blank=True, help_text="What it was called then, for what may be removed.")
    old = models.CharField(max_length=16, blank=True)
    new = models.CharField(max_length=16, blank=True)
    what = models.CharField(max_length=200, blank=True, help_text="What was done, where no state moved.")
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    actor = models.CharField(max_length=150, blank=True, help_text="The user's name then; it outlives the account.")
    origin = models.CharField(max_length=200, blank=True, help_text="'' for pages, schedules and workers.")
    reason = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        indexes = [
            models.Index(fields=["subject", "subject_id"]),
            models.Index(fields=["team", "subject", "-id"], name="audit_of_a_team"),
        ]

    def __str__(self) -> str:
        moved = f"{self.old} -> {self.new}" if self.new else self.what
        return f"{self.subject} {self.subject_id}: {moved}"


class Lease(models.Model):
    """Who may touch a router now. `fence` grows with each taking; `expires_at` is renewed by the heartbeat."""

    router = models.OneToOneField(Router, on_delete=models.CASCADE, related_name="lease")
    run = models.ForeignKey(Run, null=True, on_delete=models.SET_NULL, related_name="leases")
    fence = models.PositiveBigIntegerField(default=0)
    expires_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.router} for run {self.run_id}"
