"""One call of the command: what was asked, by whom, and where the answer goes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, TypeVar

from django.contrib.auth.models import User
from django.core.management.base import OutputWrapper
from django.db.models import Model, QuerySet
from django.http import Http404

from lbftp.accounts import access
from lbftp.accounts.models import Team
from lbftp.changes.models import ChangeRequest, Run
from lbftp.clusters.models import Cluster
from lbftp.core.printable import visible

_M = TypeVar("_M", bound=Model)


def is_row(typed: str) -> bool:
    """Whether it may be a row's number: Python and the databases read no more digits."""
    return typed.isascii() and typed.isdecimal() and len(typed) <= 18


class WrongUse(Exception):
    """The call makes no sense as it is; the text says what to type instead."""


@dataclass(frozen=True, slots=True)
class Ask:
    """`options` is what argparse made of the command line.

    What is printed may come from machines: no character of it reaches the terminal that the terminal would obey.
    """

    options: dict[str, Any]
    stdout: OutputWrapper
    stderr: OutputWrapper

    @property
    def as_json(self) -> bool:
        return bool(self.options["json"])

    def say(self, text: str) -> None:
        """A line for people; with --json nothing but the answer is printed."""
        if not self.as_json:
            self.stdout.write(visible(text))

    def complain(self, text: str) -> None:
        """A line on standard error."""
        self.stderr.write(visible(text))

    def answer(self, data: object, text: str = "") -> None:
        """The result: one JSON document with --json, else `text`."""
        if self.as_json:
            # JSON in ASCII: nothing in it reaches a terminal raw.
            self.stdout.write(json.dumps(data, indent=2, sort_keys=True, default=str))
        elif text:
            self.stdout.write(visible(text))

    def person(self) -> User:
        """Who acts. Their rights count, also where they may do everything to the machine this runs on."""
        name = self.options["user"]
        if not name:
            raise WrongUse("Say who acts: --user NAME.")
        user = User.objects.filter(username=name, is_active=True).first()
        if user is None:
            raise WrongUse(f"There is no active person {name!r} on this site.")
        return user

    def team(self) -> Team:
        """The team named by --team, else the person's only one."""
        teams = access.visible(self.person(), Team)
        if name := self.options["team"]:
            teams = teams.filter(name=name)
        return _only(list(teams), "team", "name it: --team NAME")

    def clusters(self) -> QuerySet[Cluster]:
        """Those the person may see; all there are where nobody is named (reading needs nobody)."""
        rows = access.visible(self.person(), Cluster) if self.options["user"] else Cluster.objects.all()
        return rows.filter(team__name=self.options["team"]) if self.options["team"] else rows

    def cluster(self) -> Cluster:
        """The cluster that is named, to be read. Raises Http404 where the person sees none of that name."""
        name = self.options["cluster"]
        return _only(list(self.clusters().filter(name=name)), f"cluster {name!r}", "say which team's: --team NAME")

    def cluster_to_act_on(self) -> Cluster:
        """Likewise, for acting: PermissionDenied for viewers."""
        person = self.person()
        return access.get_writable(person, Cluster, pk=self.cluster().pk)

    def change(self) -> ChangeRequest:
        """The change with the given number, to act on: Http404 for strangers, PermissionDenied for viewers."""
        number = self.options["change"].lstrip("#")
        if not is_row(number):
            raise WrongUse(f"{self.options['change'][:40]!r} is not the number of a change, such as 12.")
        return access.get_writable(self.person(), ChangeRequest, pk=int(number))

    def run(self) -> Run:
        """The run with the given number, as the person may see it: Http404 for strangers."""
        number = self.options["run"]
        if not is_row(number):
            raise WrongUse(f"{number[:40]!r} is not the number of a run, such as 31.")
        return access.get(self.person(), Run, pk=int(number))


def _only(rows: list[_M], what: str, remedy: str) -> _M:
    if not rows:
        raise Http404(f"No {what} that you may see.")
    if len(rows) > 1:
        raise WrongUse(f"There is more than one {what}: {remedy}.")
    return rows[0]
