"""A column for secrets (encrypted at rest, never shown) and the allow-lists for names of machines."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models

from lbftp.inventory import crypto

host_name_validator = RegexValidator(
    r"\A[A-Za-z0-9][A-Za-z0-9_.:-]{0,254}\Z", "Use letters, digits, '.', ':', '_' and '-', a letter or digit first."
)
user_name_validator = RegexValidator(
    r"\A[A-Za-z_][A-Za-z0-9_.-]{0,31}\Z", "Use letters, digits, '.', '_' and '-', a letter or '_' first."
)
interface_validator = RegexValidator(
    r"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,14}\Z", "Use the interface's name as `ip link` shows it, 15 characters at most."
)


class SecretField(models.TextField):
    """Text that is encrypted in the database. Python code sees the plain text; serializers and pages must not."""

    def from_db_value(self, value: str | None, _expression: object, _connection: object) -> str | None:
        return crypto.decrypt(value) if value else value

    def get_prep_value(self, value: str | None) -> str | None:
        return crypto.encrypt(value) if value else value
