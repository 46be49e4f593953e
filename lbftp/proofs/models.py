"""Routers that rest, and the hours in which a cluster may be disturbed without another's approval."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from lbftp.changes.models import ChangeRequest
from lbftp.clusters.models import Cluster
from lbftp.inventory.models import Router

WINDOW_MINUTES = (5, 720)


class Rest(models.Model):
    """A router in maintenance: taken out by a change, until another one brings it back and the row goes."""

    router = models.OneToOneField(Router, on_delete=models.CASCADE, related_name="rest")
    change = models.ForeignKey(ChangeRequest, null=True, on_delete=models.SET_NULL, related_name="+")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    reason = models.CharField(max_length=500, blank=True)
    since = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.router} is in maintenance"


class Window(models.Model):
    """When operators may start proofs and maintenance of a cluster without another's approval: from each time of the
    cron expression, read in the time zone, for so many minutes."""

    cluster = models.OneToOneField(Cluster, on_delete=models.CASCADE, related_name="window")
    cron = models.CharField(max_length=100)
    minutes = models.PositiveSmallIntegerField(
        validators=[MinValueValidator(WINDOW_MINUTES[0]), MaxValueValidator(WINDOW_MINUTES[1])]
    )
    time_zone = models.CharField(max_length=64, default="UTC")
    enabled = models.BooleanField(default=True)
    set_at = models.DateTimeField(
        null=True, blank=True, help_text="What was proposed before then needs approval all the same."
    )

    def __str__(self) -> str:
        return f"{self.cluster}: {self.cron} ({self.time_zone}), {self.minutes} min"
