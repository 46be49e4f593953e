"""How many passwords may be tried. A try is booked before its password is checked, so that forty at once are no way
around: those beyond the limit never reach the check.

Counted are wrong ones of the last quarter of an hour, by account and place; by account over all places that it never
came from; and by place over all accounts. Whoever guesses from elsewhere therefore does not keep the owner out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from lbftp import database
from lbftp.accounts.models import PasswordTry, SignIn
from lbftp.accounts.services import gates, tokens
from lbftp.accounts.services.networks import network_of
from lbftp.changes.errors import Refused

WINDOW: Final = timedelta(minutes=15)
# How long an account is known where it signed in.
_KNOWN: Final = timedelta(days=30)


class TooManyTries(Refused):
    """No password is looked at before `until`. The words are the same whether or not the account exists."""

    def __init__(self, what: str, remedy: str, until: datetime) -> None:
        self.until = until
        minutes = max(1, round((until - database.now()).total_seconds() / 60))
        clock = timezone.localtime(until).strftime("%H:%M %Z")
        super().__init__(
            f"{what} No password is looked at until {clock} (in {minutes} min), the right one neither. {remedy}"
        )


@dataclass(frozen=True, slots=True)
class _Limit:
    """At most `most` of `tries` in the window."""

    tries: QuerySet[PasswordTry]
    most: int
    what: str
    remedy: str

    def until(self) -> datetime | None:
        """When the next try is possible; None: now."""
        rows = self.tries.order_by("-at").values_list("at", flat=True)
        oldest = rows[self.most - 1 : self.most].first()
        return oldest + WINDOW if oldest else None


def book(*, username: str, address: str) -> PasswordTry:
    """A place among the tries, to be deleted if the password was right. Raises TooManyTries."""
    name, network = tokens.token_hash(username.casefold()), network_of(address)
    known = _is_known(username, network)
    limits = _limits(name, network, known=known)
    # Most of a flood ends here, without a lock.
    _check(limits)

    with gates.alone("password tries"):
        PasswordTry.objects.filter(at__lt=database.now() - WINDOW).delete()
        _check(limits)
        return PasswordTry.objects.create(name_hash=name, network=network, known=known, at=database.now())


def was_last(booked: PasswordTry) -> bool:
    """Whether the next try like this one is refused."""
    limits = _limits(booked.name_hash, booked.network, known=booked.known)
    return any(limit.until() for limit in limits)


def _limits(name: str, network: str, *, known: bool) -> list[_Limit]:
    recent = PasswordTry.objects.filter(at__gte=database.now() - WINDOW)
    limits = [
        _Limit(
            recent.filter(name_hash=name, network=network),
            settings.SIGN_IN_TRIES,
            "Too many wrong passwords for this name from your address.",
            "From another address it is possible now.",
        ),
        _Limit(
            recent.filter(network=network),
            settings.SIGN_IN_TRIES * 10,
            "Too many wrong passwords from your address.",
            "From another address it is possible now.",
        ),
    ]
    if not known:
        limits.append(
            _Limit(
                recent.filter(name_hash=name, known=False),
                settings.SIGN_IN_TRIES * 4,
                "Too many wrong passwords for this name from several addresses.",
                "From an address where you signed in lately it is possible now.",
            )
        )
    return limits


def _check(limits: list[_Limit]) -> None:
    for limit in limits:
        if until := limit.until():
            raise TooManyTries(limit.what, limit.remedy, until)


def _is_known(username: str, network: str) -> bool:
    since = database.now() - _KNOWN
    return SignIn.objects.filter(user__username=username, network=network, started_at__gte=since).exists()
