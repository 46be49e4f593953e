"""What all forms share: they carry out one service verb, and show what it refuses beside what was typed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django import forms

from lbftp.changes.errors import Invalid, ServiceError

_T = TypeVar("_T")


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
    def status(self) -> int:
        """422 for a form that came back with errors: htmx, tests and monitoring can tell it from a fresh one."""
        return 422 if self.is_bound and self.errors else 200
