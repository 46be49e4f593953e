"""`manage.py lbftp …`; everything is in `lbftp.cli`."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from lbftp.cli import arguments
from lbftp.cli.ask import Ask
from lbftp.cli.exits import exit_status


class Command(BaseCommand):
    help = "FTP clusters from the command line: as code, planned, proposed, approved, applied, verified."

    def add_arguments(self, parser: CommandParser) -> None:
        arguments.add(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        ask = Ask(options, self.stdout, self.stderr)
        if status := exit_status(options["act"], ask):
            sys.exit(status)
