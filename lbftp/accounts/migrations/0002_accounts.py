"""Whose password somebody else may know has to change it: until now administrators typed first passwords.

The site's first person chose their own, so the lowest number is left alone. Nobody is locked out: the old password
still signs in, and leads to the page that asks for a new one.
"""

from __future__ import annotations

from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def mark(apps: Any, _schema: Any) -> None:
    users = apps.get_model("auth", "User").objects.order_by("pk").values_list("pk", flat=True)
    account = apps.get_model("accounts", "Account")
    first = users.first()
    account.objects.bulk_create([account(user_id=pk, must_change=pk != first) for pk in users])


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("accounts", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Account",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("credentials_since", models.DateTimeField(default=None, null=True)),
                ("must_change", models.BooleanField(default=False)),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="account",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.RunPython(mark, migrations.RunPython.noop),
    ]
