"""Forms for what is stored already. They carry what they showed; where somebody else saved meanwhile they come back
with both sides, field by field, and the next click saves what the person decided."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from django import forms
from django.core import signing
from django.http import QueryDict

from lbftp.changes.editing import Values
from lbftp.changes.errors import Conflict, Edit, ServiceError
from lbftp.web.forms import ServiceForm

_T = TypeVar("_T")

MINE: Final = "mine"
THEIRS: Final = "theirs"
_SALT: Final = "lbftp.web.editing"

# What a browser sends of some fields.
Raw = dict[str, list[str]]
# What the person had typed, and whether that was what the form showed when it asked (else it showed the other's).
Asked = tuple[Raw, bool]


@dataclass(frozen=True, slots=True)
class Point:
    """One value on which two people differ, in words. `both`: both changed it, else the other person alone did.

    `choice` is what is saved unless the person says otherwise.
    """

    key: str
    label: str
    was: str
    mine: str
    theirs: str
    both: bool
    edit: Edit | None

    @property
    def choice(self) -> str:
        return MINE if self.both else THEIRS


@dataclass(frozen=True, slots=True)
class Meeting:
    """What came of a save that met another one. `kept` are values that this person alone changed."""

    name: str
    who: str
    points: tuple[Point, ...]
    kept: tuple[Point, ...]

    @property
    def both(self) -> list[Point]:
        return [point for point in self.points if point.both]

    @property
    def theirs(self) -> list[Point]:
        return [point for point in self.points if not point.both]


@dataclass(frozen=True, slots=True)
class MovedOn:
    """Somebody saved while this person types."""

    who: str
    labels: list[str]


class EditForm(ServiceForm):
    """A form that replaces stored values. `stored` are those, by the names of the fields (or as `raw` tells)."""

    seen = forms.CharField(required=False, widget=forms.HiddenInput({"data-own": ""}))
    conflict_template = "web/_conflict.html"
    # Fields that no page shows again, whatever was typed in them.
    never_shown: tuple[str, ...] = ()

    def __init__(self, *args: Any, stored: Values, subject: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stored, self.subject = stored, subject
        self.meeting: Meeting | None = None
        self.initial["seen"] = self._sealed(stored, {})

    def carry_out(self, verb: Callable[..., _T], **values: Any) -> _T | None:
        """As any form does; where somebody else saved meanwhile it gets `meeting`, and what was typed stays."""
        if self.is_bound:
            self.data = self._decided(self.data)

        if not self.is_valid():
            return None

        try:
            return verb(**{**self.values(), "seen": self.seen_values, **values})
        except Conflict as conflict:
            self._meet(conflict)
        except ServiceError as error:
            self.refuse(error)

        return None

    def values(self) -> dict[str, Any]:
        return {name: value for name, value in super().values().items() if name != "seen"}

    @property
    def seen_values(self) -> Values:
        """What the person saw. Nothing, if the form did not say so: then every difference is shown."""
        opened = self._opened(str(self.data.get("seen", "")))

        return opened[0] if opened else {}

    def moved_on(self) -> MovedOn | None:
        """What was saved since the form was opened, for a form that is still typed in; None if nothing was."""
        seen = self.seen_values
        keys = [key for key in dict.fromkeys([*self.stored, *seen]) if seen.get(key) != self.stored.get(key)]
        if not keys or not seen:
            return None

        who = list(dict.fromkeys(edit.who for edit in self.edits(keys).values()))
        return MovedOn(" and ".join(who) or "Somebody else", [self.label(key) for key in keys])

    @property
    def status(self) -> int:
        """409 for a form that met another save."""
        return 409 if self.meeting else super().status

    # ---- what a form with values of other kinds says otherwise ----------------------------------------------------

    def edits(self, keys: list[str]) -> Mapping[str, Edit]:  # noqa: ARG002 - for the forms that know
        """Who saved these values last."""
        return {}

    def label(self, key: str) -> str:
        """What people call the value."""
        return str(self[key].label) if key in self.fields else key.replace("_", " ").capitalize()

    def shown(self, key: str, value: Any) -> str:
        """The value in words."""
        field = self.fields.get(key)

        if isinstance(value, bool):
            return "yes" if value else "no"
        if value in ("", None):
            return "empty"
        if isinstance(field, forms.ChoiceField):
            return str(dict(_flat_choices(field)).get(str(value), value))
        if isinstance(value, list):
            return ", ".join(map(str, value)) or "none"

        return str(value)

    def raw(self, key: str, value: Any) -> Raw:
        """What a browser would send for the value; [] for a box that is not ticked."""
        field = self.fields.get(key)

        if field is None:
            return {}
        if isinstance(field, forms.BooleanField):
            return {key: ["on"] if value else []}

        prepared = field.prepare_value(value)
        if isinstance(prepared, list):
            return {key: [str(each) for each in prepared]}

        return {key: ["" if prepared is None else str(prepared)]}

    # ---- the hidden field -------------------------------------------------------------------------------------------

    def _sealed(self, seen: Values, asked: Mapping[str, Asked]) -> str:
        """`seen`, and what was typed in the fields that the person is asked about. Sealed for this thing alone, so
        that what was read elsewhere never counts as read here."""
        return signing.dumps([self.subject, dict(seen), dict(asked)], salt=_SALT, compress=True)

    def _opened(self, sealed: str) -> tuple[dict[str, Any], dict[str, Asked]] | None:
        """None for what was not sealed here, or for another thing."""
        try:
            subject, seen, asked = signing.loads(sealed, salt=_SALT)
        except (signing.BadSignature, ValueError):
            return None

        return (seen, asked) if subject == self.subject else None

    # ---- a save that met another ------------------------------------------------------------------------------------

    def _meet(self, conflict: Conflict) -> None:
        points = tuple(self._point(key, conflict) for key in conflict.others)
        shown = [point for point in points if point.key not in self.never_shown]
        asked = {point.key: (self._sent(point.key), point.both) for point in shown}
        data = cast(QueryDict, self.data).copy()
        data["seen"] = self._sealed(conflict.stored, asked)
        _put(data, {name: [] for name in self.never_shown})

        for point in points:
            if not point.both:
                _put(data, self.raw(point.key, conflict.stored.get(point.key)))

        self.data = data
        self.stored = conflict.stored
        who = " and ".join(conflict.who) or "Somebody else"
        self.meeting = Meeting(conflict.name, who, points, self._kept(conflict))

    def _kept(self, conflict: Conflict) -> tuple[Point, ...]:
        seen, stored, wanted = conflict.seen, conflict.stored, conflict.wanted
        keys = [key for key in dict.fromkeys([*wanted, *seen]) if wanted.get(key) != seen.get(key)]

        return tuple(self._point(key, conflict) for key in keys if stored.get(key) == seen.get(key))

    def _point(self, key: str, conflict: Conflict) -> Point:
        was, mine = conflict.seen.get(key), conflict.wanted.get(key)
        known = self._opened(str(self.data.get("seen", ""))) is not None

        return Point(
            key=key,
            label=self.label(key),
            was=self.shown(key, was) if known else "not known",  # a page from before it said what it showed
            mine=self.shown(key, mine),
            theirs=self.shown(key, conflict.stored.get(key)),
            both=mine != was,
            edit=conflict.edits.get(key),
        )

    def _sent(self, key: str) -> Raw:
        """What was sent for the value, as it was."""
        return {name: _got(self.data, name) for name in self.raw(key, None)}

    def _decided(self, data: Any) -> Any:
        """`data` with what the person chose. What they typed anew since they were asked stands above the choice."""
        opened = self._opened(str(data.get("seen", "")))
        if opened is None or not opened[1]:
            return data

        seen, asked = opened
        found: QueryDict = data.copy()
        found["seen"] = self._sealed(seen, {})
        every = data.get("resolve", "")
        for key, (mine, both) in asked.items():
            theirs = self.raw(key, seen.get(key))
            untouched = self._sent(key) == (mine if both else theirs)
            choice = every or (data.get(f"choose-{key}", "") if untouched else "")
            if choice in (MINE, THEIRS):
                _put(found, mine if choice == MINE else theirs)

        return found


def _got(data: Any, name: str) -> list[str]:
    return list(data.getlist(name)) if hasattr(data, "getlist") else [str(data[name])] if name in data else []


def _put(data: QueryDict, raw: Raw) -> None:
    for name, sent in raw.items():
        if sent:
            data.setlist(name, sent)
        else:
            data.pop(name, None)


def _flat_choices(field: forms.ChoiceField) -> list[tuple[str, str]]:
    choices = cast(Iterable[tuple[Any, Any]], field.choices)

    return [(str(value), str(word)) for value, word in choices if not isinstance(word, (list, tuple))]
