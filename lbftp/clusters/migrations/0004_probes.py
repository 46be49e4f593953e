"""Several probe hosts, the worker as one more place, and a folder to upload into."""

from typing import Any

from django.db import migrations, models


def to_several(apps: Any, _schema: Any) -> None:
    for cluster in apps.get_model("clusters", "Cluster").objects.exclude(probe_host=None):
        cluster.probe_hosts.add(cluster.probe_host_id)


def to_one(apps: Any, _schema: Any) -> None:
    for cluster in apps.get_model("clusters", "Cluster").objects.all():
        cluster.probe_host = cluster.probe_hosts.order_by("name").first()
        cluster.save(update_fields=["probe_host"])


class Migration(migrations.Migration):
    dependencies = [
        ("clusters", "0003_safe_apply"),
        ("inventory", "0001_initial"),
    ]

    operations = [
        # The one host gives its name back to hosts before the new relation takes it.
        migrations.AlterField(
            model_name="cluster",
            name="probe_host",
            field=models.ForeignKey(
                blank=True, null=True, on_delete=models.PROTECT, related_name="+", to="inventory.probehost"
            ),
        ),
        migrations.AddField(
            model_name="cluster",
            name="probe_hosts",
            field=models.ManyToManyField(blank=True, related_name="clusters", to="inventory.probehost"),
        ),
        migrations.AddField(
            model_name="cluster",
            name="probe_worker",
            field=models.BooleanField(
                default=False, help_text="Sessions are made from the worker's machine as well."
            ),
        ),
        migrations.AddField(
            model_name="cluster",
            name="probe_upload_folder",
            field=models.CharField(
                blank=True,
                help_text="Where sessions put a file, fetch it again and delete it; empty: nowhere.",
                max_length=200,
            ),
        ),
        migrations.RunPython(to_several, to_one),
        migrations.RemoveField(model_name="cluster", name="probe_host"),
    ]
