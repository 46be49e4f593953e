"""`manage.py lbftp …`; everything is in `lbftp.cli`."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from lbftp.changes import origin
from lbftp.cli import account, arguments
from lbftp.cli.ask import Ask
from lbftp.cli.exits import exit_status


class Command(BaseCommand):
    help = "FTP clusters from the command line: as code, planned, proposed, approved, applied, verified."

    def add_arguments(self, parser: CommandParser) -> None:
        arguments.add(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        ask = Ask(options, self.stdout, self.stderr)
        with origin.acting(account.words()):
            status = exit_status(options["act"], ask)
        if status:
            sys.exit(status)
