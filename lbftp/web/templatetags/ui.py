"""Tags of all pages: icons, states, times, differences, and what the frame needs to know."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from lbftp.changes import approvals
from lbftp.changes.models import ChangeRequest
from lbftp.core import sessions
from lbftp.web import diffs, icons

register = template.Library()
register.simple_tag(icons.icon, name="icon")

# state -> (tone, shape). Words come from the model; tones and shapes say the same thing a second and a third time.
_LOOKS: Final = {
    "unknown": ("idle", "idle"),
    "in_step": ("ok", "ok"),
    "drifted": ("warn", "warn"),
    "applying": ("info", "run"),
    "failed": ("bad", "bad"),
    "planning": ("info", "run"),
    "refused": ("bad", "bad"),
    "proposed": ("warn", "wait"),
    "approved": ("info", "shield"),
    "rejected": ("idle", "bad"),
    "stale": ("warn", "warn"),
    "applied": ("ok", "ok"),
    "queued": ("idle", "wait"),
    "running": ("info", "run"),
    "succeeded": ("ok", "ok"),
    "errored": ("bad", "stop"),
    "cancelled": ("idle", "cross"),
    "armed": ("warn", "shield"),
    "extended": ("warn", "shield"),
    "confirmed": ("ok", "shield"),
    "started": ("info", "run"),
    "done": ("ok", "ok"),
    "skipped": ("idle", "skip"),
    "missed": ("warn", "warn"),
    "waiting": ("idle", "idle"),
    "error": ("bad", "bad"),
    "warning": ("warn", "warn"),
    "info": ("info", "info"),
    "success": ("ok", "ok"),
    "ok": ("ok", "ok"),
    "bad": ("bad", "bad"),
    "warn": ("warn", "warn"),
    "idle": ("idle", "idle"),
    "restored": ("warn", "back"),
    "draining": ("warn", "wait"),
    "empty": ("info", "ok"),
    "ended": ("idle", "ok"),
}


def look(state: str) -> tuple[str, str]:
    """Tone and shape of a state; a state nobody drew yet looks idle."""
    return _LOOKS.get(str(state), ("idle", "idle"))


@register.simple_tag
def pill(state: str, word: str = "", css: str = "") -> SafeString:
    """A state as shape, word and colour."""
    tone, shape = look(state)
    return format_html(
        '<span class="state {} {}">{}{}</span>',
        tone,
        css,
        icons.icon(shape, "spin" if shape == "run" else ""),
        word or str(state).replace("_", " ").capitalize(),
    )


@register.simple_tag
def sign(state: str, css: str = "") -> SafeString:
    """Only the shape of a state, where the word stands beside it."""
    shape = look(state)[1]
    return icons.icon(shape, f"{css} spin".strip() if shape == "run" else css)


@register.filter
def tone(state: str) -> str:
    return look(state)[0]


@register.simple_tag
def when(moment: datetime | None, none: str = "never") -> SafeString:
    """A moment, in full for machines and short for people. Absolute, so that any two pages show the same."""
    if moment is None:
        return format_html('<span class="muted">{}</span>', none)
    local = timezone.localtime(moment)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(timespec="seconds"),
        local.strftime("%A, %-d %B %Y, %H:%M:%S %Z"),
        local.strftime("%-d %b %H:%M"),
    )


@register.filter
def clock(moment: datetime | None) -> str:
    return timezone.localtime(moment).strftime("%H:%M:%S") if moment else ""


@register.filter
def seconds(value: float | None) -> str:
    """A duration in words: 0.4 s, 12 s, 3 min 5 s."""
    if value is None:
        return ""
    if value < 10:
        return f"{value:.1f} s"
    return f"{value:.0f} s" if value < 60 else f"{int(value) // 60} min {int(value) % 60} s"


@register.filter
def milliseconds(value: float | None) -> str:
    """A short duration: 4 ms, 90 ms, 1.2 s."""
    if value is None:
        return ""
    return f"{value * 1000:.0f} ms" if value < 1 else seconds(value)


@register.filter
def rate(value: float | None) -> str:
    """Bytes per second in words."""
    return "" if value is None else sessions.rate(value)


@register.filter
def took(run: Any) -> str:
    """How long an ended run took."""
    return seconds((run.ended_at - run.started_at).total_seconds()) if run.started_at and run.ended_at else ""


@register.filter
def diff_rows(text: str | None) -> list[diffs.Row]:
    return diffs.rows(text or "")


@register.filter
def diff_tally(text: str | None) -> SafeString:
    added, removed = diffs.tally(text or "")
    return format_html(
        '<span class="t-ok">+{}</span> <span class="t-bad">&minus;{}</span>'
        '<span class="sr"> lines added and removed</span>',
        added,
        removed,
    )


@register.filter
def short(word: str) -> str:
    """What stands before the colon, where there is no room for the rest."""
    return str(word).partition(":")[0]


@register.filter
def item(mapping: dict[str, Any] | None, key: Any) -> Any:
    """`mapping[key]`, or None."""
    return mapping.get(key) if mapping else None


@register.simple_tag(takes_context=True)
def waiting(context: template.Context) -> int:
    """How many proposals wait for this user's decision."""
    user = context["request"].user
    return len(approvals.waiting_for(user)) if user.is_authenticated else 0


@register.filter
def standing(change: ChangeRequest) -> str:
    """The change's state in words."""
    return approvals.word(change)


@register.simple_tag(takes_context=True)
def here(context: template.Context, *names: str) -> SafeString:
    """aria-current for the menu entry that the present page belongs to: `names` are namespaces or view names."""
    match = context["request"].resolver_match
    mine = bool(match) and (match.view_name in names or match.namespace in names)
    return SafeString(' aria-current="page"') if mine else SafeString("")
