"""Since when people are in a team and decide there. Whoever is there already counts from when the account was made."""

from __future__ import annotations

from typing import Any

import lbftp.database
from django.db import migrations, models
from django.db.models import OuterRef, Subquery


def since_they_joined(apps: Any, _editor: Any) -> None:
    user = apps.get_model("auth", "User")
    joined = Subquery(user.objects.filter(pk=OuterRef("user_id")).values("date_joined")[:1])
    apps.get_model("accounts", "Membership").objects.update(joined_at=joined, role_since=joined)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_accounts"),
        migrations.swappable_dependency("auth.User"),
    ]

    operations = [
        migrations.AddField(
            model_name="membership",
            name="joined_at",
            field=models.DateTimeField(default=lbftp.database.now),
        ),
        migrations.AddField(
            model_name="membership",
            name="role_since",
            field=models.DateTimeField(default=lbftp.database.now),
        ),
        migrations.RunPython(since_they_joined, migrations.RunPython.noop),
    ]
