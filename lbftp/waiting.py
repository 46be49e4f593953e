"""What this site's limits of tasks let a run wait for: a value that they cannot keep is refused where it is typed."""

from __future__ import annotations

from django.conf import settings

from lbftp.core.durations import Need, limits


def too_long(need: Need) -> str:
    """Why such a run could not be kept, as a sentence with what to do; '' if it can."""
    hard = limits(need).hard
    if hard < settings.VISIBILITY_TIMEOUT:
        return ""
    return (
        f"A run may take {hard} s with it, and the broker gives a task to another worker after "
        f"{settings.VISIBILITY_TIMEOUT} s (LBFTP_VISIBILITY_TIMEOUT): choose less, or have that raised."
    )
