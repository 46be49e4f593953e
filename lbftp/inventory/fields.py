"""A column for secrets (encrypted at rest, never shown) and the allow-lists for names of machines."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured, ValidationError
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


# How ciphertext is told from what people type: no private key begins so, and passwords are not meant to.
_SEALED = "lbftp-sealed:"


class SecretField(models.TextField[str, str]):
    """Text that is encrypted in the database and in `dumpdata`. Python code sees the plain text; pages must not."""

    def from_db_value(self, value: str | None, _expression: object, _connection: object) -> str | None:
        return crypto.decrypt(value) if value else value

    def get_prep_value(self, value: str | None) -> str | None:
        return crypto.encrypt(value) if value else value

    def value_to_string(self, obj: models.Model) -> str:
        """What Django's serializers write: ciphertext, which `to_python` takes back where the key file is the same."""
        value = str(self.value_from_object(obj) or "")
        return _SEALED + crypto.encrypt(value) if value else value

    def to_python(self, value: object) -> str:
        text = str(value or "")
        if not text.startswith(_SEALED):
            return text
        try:
            return crypto.decrypt(text.removeprefix(_SEALED))
        except ImproperlyConfigured as error:
            raise ValidationError("This was sealed with another key file: enter the secret itself.") from error
