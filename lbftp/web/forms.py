"""What all forms share: they carry out one service verb, and show what it refuses beside what was typed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

from django import forms

from lbftp.changes.errors import Invalid, ServiceError
from lbftp.web.converters import RowId

_T = TypeVar("_T")


_UNSEEN: Final = {"class": "mono secret", "autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}


class RowsField(forms.ModelMultipleChoiceField[Any]):
    """Several rows to choose from. Django asks the database for all given numbers at once, also for one of 25 digits,
    which no column holds; here that is a choice that is not offered."""

    def clean(self, value: Any) -> Any:
        for given in value if isinstance(value, (list, tuple)) else ():
            if not re.fullmatch(RowId.regex, str(given)):
                raise forms.ValidationError(
                    self.error_messages["invalid_choice"], code="invalid_choice", params={"value": str(given)[:40]}
                )
        return super().clean(value)


class SecretArea(forms.Textarea):
    """For a private key or a password: drawn as dots, and never sent back to the browser, not even after an error."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__({**_UNSEEN, **(attrs or {})})

    def format_value(self, value: object) -> None:  # noqa: ARG002 - Django's signature
        return None


class SecretLine(forms.TextInput):
    """The same in one line, for what is shown while it is typed, such as a one-time code."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__({**_UNSEEN, "class": "mono", **(attrs or {})})

    def format_value(self, value: object) -> None:  # noqa: ARG002
        return None


_SECRETS: Final = (SecretArea, SecretLine, forms.PasswordInput)


class ServiceForm(forms.Form):
    """A form for one service verb. `carry_out` calls it with the cleaned values by keyword."""

    use_required_attribute = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)

    def carry_out(self, verb: Callable[..., _T], **values: Any) -> _T | None:
        """What `verb` returns; None if the form is not sent, not valid, or the service refused (then it has errors)."""
        if not self.is_valid():
            return None
        try:
            return verb(**{**self.values(), **values})
        except ServiceError as error:
            self.refuse(error)
            return None

    def values(self) -> dict[str, Any]:
        """What the verb gets from the form, by keyword."""
        return dict(self.cleaned_data)

    def refuse(self, error: ServiceError) -> None:
        """Shows the service's words at the field they belong to, else above the form."""
        if not isinstance(error, Invalid):
            self.add_error(None, error.message)
            return
        for problem in error.problems:
            known = problem["field"] in self.fields
            text = f"{problem['reason']} {problem['remedy']}".strip()
            self.add_error(problem["field"] if known else None, text if known else f"{problem['field']}: {text}")

    @property
    def emptied(self) -> list[str]:
        """Labels of the fields that come back empty after an error, because secrets are never shown."""
        found = [name for name, field in self.fields.items() if isinstance(field.widget, _SECRETS)]
        return [str(self[name].label) for name in found if self.data.get(self.add_prefix(name))]

    @property
    def status(self) -> int:
        """422 for a form that came back with errors: htmx, tests and monitoring can tell it from a fresh one."""
        return 422 if self.is_bound and self.errors else 200
