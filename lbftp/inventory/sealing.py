"""Which stored secrets can be opened, and sealing all of them with a new key while the site goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction
from django.db.models import Model

from lbftp.accounts.access import team_of
from lbftp.accounts.models import Team
from lbftp.changes import trail
from lbftp.changes.errors import Refused
from lbftp.inventory import crypto
from lbftp.inventory.crypto import Sealed
from lbftp.inventory.fields import any_sealed, sealed_columns
from lbftp.inventory.models import Credential

# Rows of one transaction, in which nobody else writes on SQLite, and the time left to others between two.
_BATCH: Final = 50
_PAUSE_SECONDS: Final = 0.05
# A process that read the keys just before the new one came may seal a few more with the old one.
_PASSES: Final = 5
# What `/readyz` opens of each column: it is asked every few seconds.
_SAMPLE: Final = 20


@dataclass(frozen=True, slots=True)
class Lost:
    """A secret that no key in the file opens."""

    team: str
    name: str
    column: str
    pk: int

    def __str__(self) -> str:
        return f"{self.name} ({self.team}): {self.column.replace('_', ' ')}"


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a rotation did: secrets sealed anew, secrets that stay lost, and whether the old keys are gone."""

    sealed: int
    lost: tuple[Lost, ...]
    dropped: bool


def lost(limit: int | None = None) -> list[Lost]:
    """Every stored secret that cannot be opened; of each column the newest `limit` rows alone, if that is given."""
    found = []
    for model, column in sealed_columns():
        rows = model._default_manager.exclude(**{column: ""}).order_by("-pk")
        for row in rows[:limit].iterator(chunk_size=_BATCH) if limit is None else rows[:limit]:
            if not crypto.opens(getattr(row, column)):
                found.append(_lost(row, column))
    return found


def lost_of(credentials: list[Credential]) -> list[Credential]:
    """Those of them that have to be entered anew."""
    columns = [column for model, column in sealed_columns() if model is Credential]
    return [one for one in credentials if not all(crypto.opens(getattr(one, column)) for column in columns)]


def problem() -> str:
    """Why stored secrets cannot be used, in a sentence with what to do; '' if they can, as far as a sample tells."""
    if not any_sealed():
        return ""
    try:
        crypto.keys()
    except crypto.SecretLost as error:
        return str(error)
    found = lost(_SAMPLE)
    if not found:
        return ""
    names = ", ".join(one.name for one in found[:3]) + (" and more" if len(found) > 3 else "")
    return f"Stored secrets cannot be opened ({names}): `manage.py lbftp secrets check` lists them and says what to do."


def rotate(*, drop_old: bool = False, begin_anew: bool = False) -> Rotation:
    """Seals every secret with a new key, row by row, while people and workers go on. Nothing opens later than before.

    `drop_old` takes the older keys out of the file if nothing needs them any more. `begin_anew` makes a key where the
    file is missing although secrets were sealed with it: they are lost, and entered anew by people. Raises Refused.
    """
    _begin(begin_anew=begin_anew)
    sealed = 0
    for _ in range(_PASSES):
        count = sum(_seal_anew(model, column) for model, column in sealed_columns())
        sealed += count
        if not count:
            break

    missing = tuple(lost())
    dropped = drop_old and not missing and crypto.drop_old(lambda: any(map(_needs_old, sealed_columns())))
    _record(sealed, len(missing), dropped=dropped)
    return Rotation(sealed, missing, dropped)


def _begin(*, begin_anew: bool) -> None:
    try:
        crypto.add_key()
    except crypto.SecretLost as error:
        if crypto.there_is_a_file() or not (begin_anew or not any_sealed()):
            raise Refused(str(error)) from error
        crypto.make_first()


def _seal_anew(model: type[Model], column: str) -> int:
    """How many rows of the column were sealed by an older key, and are by the newest now."""
    count = 0
    for rows in _batches(model, column):
        due = [(pk, old) for pk, old in rows if not crypto.is_newest(old.token) and crypto.opens(old)]
        ready = [(pk, old, Sealed(crypto.encrypt(crypto.decrypt(old.token)))) for pk, old in due]
        with transaction.atomic():
            for pk, old, new in ready:
                # Compare-and-set: a secret that somebody enters meanwhile stays.
                count += model._default_manager.filter(pk=pk, **{column: old}).update(**{column: new})
        if ready:
            # SQLite gives the next turn to whoever asks first: others ask as well.
            time.sleep(_PAUSE_SECONDS)
    return count


def _batches(model: type[Model], column: str) -> Iterator[list[tuple[int, Sealed]]]:
    last = 0
    while True:
        rows: Any = model._default_manager.exclude(**{column: ""}).filter(pk__gt=last).order_by("pk")
        batch = list(rows.values_list("pk", column)[:_BATCH])
        if not batch:
            return
        yield batch
        last = batch[-1][0]


def _needs_old(where: tuple[type[Model], str]) -> bool:
    return any(not crypto.is_newest(sealed.token) for rows in _batches(*where) for _, sealed in rows)


def _lost(row: Model, column: str) -> Lost:
    return Lost(str(team_of(row)), str(row), column, row.pk)


def _record(sealed: int, missing: int, *, dropped: bool) -> None:
    after = {"sealed": sealed, "cannot_be_opened": missing, "old_keys_dropped": dropped}
    for team in Team.objects.filter(credentials__isnull=False).distinct():
        trail.record(
            team=team,
            user=None,
            subject="secrets",
            subject_id=team.pk,
            name="Stored secrets",
            what="Sealed with a new key.",
            after=after,
        )
