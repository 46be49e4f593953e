"""Live numbers: when each router is looked at next, what it said last, and what it said before, rolled up."""

from __future__ import annotations

from django.db import models

from lbftp.clusters.models import Cluster
from lbftp.inventory.models import Router


class Watch(models.Model):
    """Whose turn a router is. `fence` counts the claims: only the newest one's numbers are kept."""

    router = models.OneToOneField(Router, on_delete=models.CASCADE, related_name="watch")
    due_at = models.DateTimeField(db_index=True)
    fence = models.PositiveBigIntegerField(default=0)
    answered_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=300, blank=True, help_text="Why the last look failed; empty if it did not.")

    def __str__(self) -> str:
        return f"{self.router}: {self.problem or 'answers'}"


class Latest(models.Model):
    """One cluster on one router as it was seen last: `data` is `core.measures.to_json`."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="latest_numbers")
    router = models.CharField(max_length=32)
    at = models.DateTimeField()
    data = models.JSONField()

    class Meta:
        ordering = ["router"]
        constraints = [models.UniqueConstraint(fields=["cluster", "router"], name="one_latest_per_router")]

    def __str__(self) -> str:
        return f"{self.cluster} on {self.router} at {self.at:%H:%M:%S}"


class Sample(models.Model):
    """One bucket of one cluster on one router: `step` seconds from `at` on (0: one look); `data` is a
    `core.rollup.Bucket`."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="samples")
    router = models.CharField(max_length=32)
    step = models.PositiveIntegerField()
    at = models.DateTimeField()
    data = models.JSONField()

    class Meta:
        ordering = ["at"]
        constraints = [
            models.UniqueConstraint(fields=["cluster", "step", "at", "router"], name="one_sample_per_bucket")
        ]
        indexes = [models.Index(fields=["step", "at"], name="samples_by_age")]

    def __str__(self) -> str:
        return f"{self.cluster} on {self.router}, {self.step} s from {self.at:%Y-%m-%d %H:%M:%S}"
