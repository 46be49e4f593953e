"""What is done to teams and people. Pages, the command line and other services say what they want here."""

from __future__ import annotations

from lbftp.accounts.services.people import add_person, require, set_role

__all__ = ["add_person", "require", "set_role"]
