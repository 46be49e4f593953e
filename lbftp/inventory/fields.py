"""A column for secrets (encrypted at rest, never shown) and the allow-lists for names of machines."""

from __future__ import annotations

from django.apps import apps
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models

from lbftp.inventory import crypto
from lbftp.inventory.crypto import Sealed

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


class SecretField(models.TextField[str | Sealed, str | Sealed]):
    """Text that is encrypted in the database and in `dumpdata`. A row that was read holds it sealed (crypto.opened)."""

    def from_db_value(self, value: str | None, _expression: object, _connection: object) -> str | Sealed | None:
        return Sealed(value) if value else value

    def get_prep_value(self, value: str | Sealed | None) -> str | None:
        if isinstance(value, Sealed):
            return value.token
        sealed = seal(value) if value else value
        return sealed.token if isinstance(sealed, Sealed) else sealed

    def value_to_string(self, obj: models.Model) -> str:
        """What Django's serializers write: ciphertext, which `to_python` takes back where the key file is the same."""
        return _SEALED + token if (token := self.get_prep_value(self.value_from_object(obj))) else ""

    def to_python(self, value: object) -> str | Sealed:
        if isinstance(value, Sealed):
            return value
        text = str(value or "")
        if not text.startswith(_SEALED):
            return text
        try:
            return crypto.decrypt(text.removeprefix(_SEALED))
        except crypto.SecretLost as error:
            raise ValidationError("This was sealed with another key file: enter the secret itself.") from error


def seal(plain: str) -> str | Sealed:
    """`plain` as a row holds it; '' stays ''. Raises crypto.SecretLost where no key is left to seal with."""
    return Sealed(crypto.encrypt(plain, in_use=any_sealed)) if plain else plain


def sealed_columns() -> list[tuple[type[models.Model], str]]:
    """Every column that holds secrets."""
    columns = [(model, field) for model in apps.get_models() for field in model._meta.concrete_fields]
    return [(model, field.name) for model, field in columns if isinstance(field, SecretField)]


def any_sealed() -> bool:
    """Whether any row holds a secret, so that a new key would not do."""
    return any(model._default_manager.exclude(**{name: ""}).exists() for model, name in sealed_columns())
