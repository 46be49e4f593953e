"""What is done to teams and people. Pages, the command line and other services say what they want here."""

from __future__ import annotations

from lbftp.accounts.services.people import lock, require, set_role, unlock

__all__ = ["lock", "require", "set_role", "unlock"]
