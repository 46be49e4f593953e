"""People, from the machine that the site runs on: the first administrator."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from typing import Any, Final

from lbftp.accounts.services.first import first_administrator, new_first_code
from lbftp.cli.ask import Ask, WrongUse
from lbftp.cli.exits import DONE

_CODE: Final = """\
This site has nobody yet. Open it and give this one-time code to become its administrator:

    {code}

It is good for 24 hours, once; printing another one ends it."""


def add_options(verb: Callable[..., Any]) -> None:
    text = "Print a one-time code for the site's first administrator, or make that person here."
    first = verb("first-admin", first_admin, text)
    first.add_argument("--create", default="", metavar="NAME", help="make NAME now, in the new team --team; asks twice")


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
