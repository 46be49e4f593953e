"""Clusters: an editable draft, and immutable revisions of it."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from lbftp.accounts.models import Team
from lbftp.core.job import GUARD_SECONDS
from lbftp.inventory.models import Credential, ProbeHost


class Cluster(models.Model):
    """One FTP cluster. `draft` has the form of a spec's JSON without what the inventory knows (clusters/drafts.py).

    Its routers are [{"name", "priority"}], its real servers [{"name", "weight", "upper_threshold",
    "lower_threshold"}]; addresses that are not given yet are ''.
    """

    class State(models.TextChoices):
        UNKNOWN = "unknown", "Unknown"
        IN_STEP = "in_step", "In step"
        DRIFTED = "drifted", "Drifted"
        APPLYING = "applying", "Applying"
        FAILED = "failed", "Failed"

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="clusters")
    name = models.CharField(max_length=16)
    comment = models.CharField(max_length=200, blank=True)
    draft = models.JSONField(default=dict)
    draft_editors = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="+", blank=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.UNKNOWN)
    state_at = models.DateTimeField(null=True)
    master = models.CharField(max_length=32, blank=True, help_text="Name of the router last seen holding the VIP.")
    applied = models.ForeignKey("Revision", null=True, on_delete=models.PROTECT, related_name="+")
    approvals_required = models.PositiveSmallIntegerField(default=1)
    probe_hosts = models.ManyToManyField(ProbeHost, blank=True, related_name="clusters")
    probe_worker = models.BooleanField(default=False, help_text="Sessions are made from the worker's machine as well.")
    probe_account = models.ForeignKey(Credential, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    probe_path = models.CharField(
        max_length=200, blank=True, help_text="A file every real server holds, to be fetched."
    )
    probe_upload_folder = models.CharField(
        max_length=200, blank=True, help_text="Where sessions put a file, fetch it again and delete it; empty: nowhere."
    )

    guard_seconds = models.PositiveSmallIntegerField(
        default=GUARD_SECONDS, help_text="How long routers wait for a change's confirmation."
    )
    confirm_by_hand = models.BooleanField(default=False, help_text="A person confirms each change that was proven.")

    operators_alone = models.BooleanField(
        default=False, help_text="Operators may drain, disable, bring back and weigh real servers without approval."
    )
    operators_alone_since = models.DateTimeField(
        null=True, blank=True, help_text="What was proposed before then needs approval all the same."
    )

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["team", "name"], name="one_cluster_name_per_team")]

    def __str__(self) -> str:
        return self.name


class TermsEdit(models.Model):
    """Somebody changed what approvals cover beside the plan, and no change has been approved and applied since.

    `what` is "settings" for how changes are tested and guarded, else the machine that the name means another one of:
    "Router r1", "Real server ftp1", as in changes/terms.py.
    """

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="terms_edits")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    what = models.CharField(max_length=60)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["cluster", "user", "what"], name="one_terms_edit_of_a_kind")]

    def __str__(self) -> str:
        return f"{self.user}: {self.what} of {self.cluster}"


class Revision(models.Model):
    """An immutable spec of a cluster: `spec` is `core.spec.to_json`, `digest` its digest. Never updated."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    spec = models.JSONField()
    digest = models.CharField(max_length=64)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    editors = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="+", blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    reason = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["cluster", "number"], name="one_number_per_revision")]

    def __str__(self) -> str:
        return f"{self.cluster} r{self.number}"
