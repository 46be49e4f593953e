"""People, from the machine that the site runs on: the first administrator, and links to set a password."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.urls import reverse

from lbftp.accounts.models import Membership, Role
from lbftp.accounts.services import invitations
from lbftp.accounts.services.first import first_administrator, new_first_code
from lbftp.accounts.services.invitations import Invited
from lbftp.cli.ask import Ask, WrongUse
from lbftp.cli.exits import DONE

_CODE: Final = """\
This site has nobody yet. Open it and give this one-time code to become its administrator:

    {code}

It is good for 24 hours, once; printing another one ends it."""

_LINK: Final = """\
With this link {name} of {team} sets a password, once, within {hours} hours. It is not shown again:

    {address}"""


def add_options(verb: Callable[..., Any]) -> None:
    text = "Print a one-time code for the site's first administrator, or make that person here."
    first = verb("first-admin", first_admin, text)
    first.add_argument("--create", default="", metavar="NAME", help="make NAME now, in the new team --team; asks twice")

    text = "Print a link with which a person sets their own password: somebody new, or with --again a member."
    link = verb("invite", invite, text)
    link.add_argument("person", metavar="NAME")
    link.add_argument("--role", choices=[role.value for role in Role], default=Role.OPERATOR.value)
    link.add_argument("--again", action="store_true", help="for a member: a new link, also without --user")


def first_admin(ask: Ask) -> int:
    """Refused once the site has people."""
    code = new_first_code()
    if ask.options["create"]:
        return _create(ask, code)
    ask.answer({"code": code}, _CODE.format(code=code))
    return DONE


def _create(ask: Ask, code: str) -> int:
    name, team = ask.options["create"], ask.options["team"]
    if not team:
        raise WrongUse("Name the first team as well: --team NAME.")
    password = getpass.getpass(f"Password for {name}: ")
    if getpass.getpass("The same again: ") != password:
        raise WrongUse("The two passwords differ: nobody was made.")

    first_administrator(code=code, username=name, password=password, team=team)
    ask.answer({"person": name, "team": team}, f"{name} is the administrator of {team}: sign in on the site's page.")
    return DONE


def invite(ask: Ask) -> int:
    """Somebody new needs an administrator who invites; a new link for a member can also come from the machine alone."""
    invited = _again(ask) if ask.options["again"] else _new(ask)
    path = reverse("accounts:invitation", args=[invited.token])
    member, hours = invited.membership, invited.expires_in_hours
    address = f"{settings.SITE_URL}{path}" if settings.SITE_URL else path
    text = _LINK.format(name=member.user, team=member.team, hours=hours, address=address)
    if not settings.SITE_URL:
        text += "\n\nPut the site's address before it (LBFTP_SITE_URL does that)."
    ask.answer({"person": str(member.user), "link": address, "hours": hours}, text)
    return DONE


def _new(ask: Ask) -> Invited:
    role = Role(ask.options["role"])
    return invitations.invite(user=ask.person(), team=ask.team(), username=ask.options["person"], role=role)


def _again(ask: Ask) -> Invited:
    rows = Membership.objects.filter(user__username=ask.options["person"]).select_related("user", "team")
    if ask.options["team"]:
        rows = rows.filter(team__name=ask.options["team"])
    member = rows.order_by("pk").first()
    if member is None:
        raise WrongUse(f"There is no member {ask.options['person']!r}: without --again somebody new is invited.")
    return invitations.new_link(user=ask.person() if ask.options["user"] else None, membership=member)
