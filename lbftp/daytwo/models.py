"""Real servers that are being drained, and what the routers' connection tables last said of each."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from lbftp.accounts.models import Team
from lbftp.clusters.models import Cluster


class Drain(models.Model):
    """One real server that gets no new clients, from the change that drained it to the one that ends that.

    `weight` is what it had before. The numbers are None until the first look. `until` is when the last client is
    forgotten that persistence would bring back, if none comes before; None where there is no such client.
    `asked_at` is the claim of the last look: whoever moves it on looks. `problem`: why that look failed, '' if not.
    """

    class State(models.TextChoices):
        DRAINING = "draining", "Draining"
        EMPTY = "empty", "Empty"
        ENDED = "ended", "Over"

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="drains")
    server = models.CharField(max_length=64)
    state = models.CharField(max_length=16, choices=State.choices, default=State.DRAINING)
    weight = models.PositiveIntegerField(default=1)
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    started_at = models.DateTimeField()
    sessions_left = models.PositiveIntegerField(null=True)
    transfers_left = models.PositiveIntegerField(null=True)
    clients_left = models.PositiveIntegerField(null=True)
    until = models.DateTimeField(null=True)
    asked_at = models.DateTimeField(null=True)
    looked_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=300, blank=True)
    empty_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["cluster", "server"], condition=models.Q(ended_at=None), name="one_drain_at_a_time"
            )
        ]

    def __str__(self) -> str:
        return f"{self.server} of {self.cluster}"

    @property
    def team(self) -> Team:
        return self.cluster.team
