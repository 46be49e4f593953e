"""When a cluster is looked at by itself, and what was found each time."""

from __future__ import annotations

from django.db import models

from lbftp.changes.models import Run
from lbftp.clusters.models import Cluster


class Policy(models.Model):
    """A schedule for one cluster: a cron expression read in a time zone, and what to do about drift."""

    class Action(models.TextChoices):
        REPORT = "report", "Report drift"
        REAPPLY = "reapply", "Report drift and re-apply"

    cluster = models.OneToOneField(Cluster, on_delete=models.CASCADE, related_name="policy")
    cron = models.CharField(max_length=100, default="*/15 * * * *")
    time_zone = models.CharField(max_length=64, default="UTC")
    action = models.CharField(max_length=16, choices=Action.choices, default=Action.REPORT)
    enabled = models.BooleanField(default=True)
    next_due = models.DateTimeField(null=True, db_index=True)

    def __str__(self) -> str:
        return f"{self.cluster}: {self.cron} ({self.time_zone})"


class Occurrence(models.Model):
    """One due time of a policy. Unique, so two beats give one run; a missed one is a row, not a silence."""

    class State(models.TextChoices):
        STARTED = "started", "Started"
        MISSED = "missed", "Missed"
        SKIPPED = "skipped", "Skipped"

    policy = models.ForeignKey(Policy, on_delete=models.CASCADE, related_name="occurrences")
    due = models.DateTimeField()
    state = models.CharField(max_length=16, choices=State.choices)
    reason = models.CharField(max_length=200, blank=True, help_text="Why it was missed or skipped.")
    run = models.OneToOneField(Run, null=True, on_delete=models.SET_NULL, related_name="occurrence")

    class Meta:
        ordering = ["-due"]
        constraints = [models.UniqueConstraint(fields=["policy", "due"], name="one_occurrence_per_due_time")]

    def __str__(self) -> str:
        return f"{self.due:%Y-%m-%d %H:%M} {self.state}"


class FindingRow(models.Model):
    """A finding of a compliance run (lbftp.core.findings.Finding), and whether that run put it right."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="findings")
    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="findings")
    code = models.CharField(max_length=40)
    severity = models.CharField(max_length=8)
    router = models.CharField(max_length=32, blank=True)
    what = models.CharField(max_length=300)
    expected = models.TextField(blank=True)
    found = models.TextField(blank=True)
    remedy = models.CharField(max_length=300, blank=True)
    repaired = models.BooleanField(default=False)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.severity} {self.code}: {self.what}"
