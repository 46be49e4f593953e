"""Signs of life that outlast a process."""

from __future__ import annotations

from django.db import models


class Pulse(models.Model):
    """When something was last heard of. 'tick': the beat sent a tick and a worker took it."""

    name = models.CharField(max_length=64, primary_key=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} at {self.at:%Y-%m-%d %H:%M:%S}"
