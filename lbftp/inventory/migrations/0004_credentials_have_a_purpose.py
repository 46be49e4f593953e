"""FTP accounts and SSH credentials are told apart by what they were used for; in doubt a secret is SSH's, and not sent."""

from django.db import migrations, models


def _tell_apart(apps, _schema_editor):
    hosts = [apps.get_model("inventory", name) for name in ("Router", "ProbeHost", "ServerHost")]
    logins = {pk for model in hosts for pk in model.objects.values_list("credential_id", flat=True)}
    accounts = apps.get_model("clusters", "Cluster").objects.values_list("probe_account_id", flat=True)

    # One with sudo runs commands somewhere, whatever else it is chosen for.
    passwords = apps.get_model("inventory", "Credential").objects.filter(kind="password", use_sudo=False)
    passwords.filter(pk__in=set(accounts) - {None} - logins, sudo_password="").update(purpose="ftp")


class Migration(migrations.Migration):
    dependencies = [
        ("clusters", "0006_confirm_by_hand"),
        ("inventory", "0003_server_access"),
    ]

    operations = [
        migrations.AddField(
            model_name="credential",
            name="purpose",
            field=models.CharField(
                choices=[("ssh", "SSH login to machines"), ("ftp", "FTP account for test sessions")],
                default="ssh",
                max_length=8,
            ),
        ),
        migrations.RunPython(_tell_apart, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="credential",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("purpose", "ssh"),
                    models.Q(("kind", "password"), ("sudo_password", ""), ("use_sudo", False)),
                    _connector="OR",
                ),
                name="ftp_account_is_a_password",
            ),
        ),
    ]
