"""The few shapes that pages use, as SVG of 16 by 16. Each state has its own shape, so that colour is never alone."""

from __future__ import annotations

from typing import Final

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

_STROKE: Final = 'fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round"'

_SHAPES: Final = {
    "ok": f'<circle cx="8" cy="8" r="6.5" {_STROKE}/><path d="m5 8.3 2.1 2.1L11.2 6" {_STROKE}/>',
    "bad": f'<circle cx="8" cy="8" r="6.5" {_STROKE}/><path d="m5.7 5.7 4.6 4.6m0-4.6-4.6 4.6" {_STROKE}/>',
    "warn": f'<path d="M8 1.9 14.7 13.6H1.3Z" {_STROKE}/><path d="M8 6.4v3.2m0 1.9v.1" {_STROKE}/>',
    "info": f'<circle cx="8" cy="8" r="6.5" {_STROKE}/><path d="M8 7.4v3.4m0-5.8v.1" {_STROKE}/>',
    "idle": f'<circle cx="8" cy="8" r="6" stroke-dasharray="2.4 2.3" {_STROKE}/>',
    "wait": f'<circle cx="8" cy="8" r="6.5" {_STROKE}/><path d="M8 4.4V8l2.4 1.5" {_STROKE}/>',
    "skip": f'<circle cx="8" cy="8" r="6.5" {_STROKE}/><path d="M5.2 8h5.6" {_STROKE}/>',
    "stop": (
        f'<path d="M5.3 1.5h5.4l3.8 3.8v5.4l-3.8 3.8H5.3L1.5 10.7V5.3Z" {_STROKE}/>'
        f'<path d="M8 4.9v3.6m0 2.3v.1" {_STROKE}/>'
    ),
    "run": f'<path d="M14.5 8A6.5 6.5 0 1 1 8 1.5" {_STROKE}/>',
    "back": f'<path d="M5.4 2.5 2 5.9l3.4 3.4M2.4 5.9h7.1a4 4 0 0 1 0 8H6" {_STROKE}/>',
    "check": f'<path d="m3 8.6 3.2 3.2L13 4.6" {_STROKE}/>',
    "cross": f'<path d="m4 4 8 8m0-8-8 8" {_STROKE}/>',
    "dash": f'<path d="M4 8h8" {_STROKE}/>',
    "plus": f'<path d="M8 3v10M3 8h10" {_STROKE}/>',
    "play": '<path d="M4.5 2.8v10.4L13 8Z" fill="currentColor"/>',
    "eye": (
        f'<path d="M1.4 8S3.8 3.4 8 3.4 14.6 8 14.6 8 12.2 12.6 8 12.6 1.4 8 1.4 8Z" {_STROKE}/>'
        f'<circle cx="8" cy="8" r="2" {_STROKE}/>'
    ),
    "shield": (
        f'<path d="M8 1.6 13.4 3.5v4.2c0 3.2-2.2 5.5-5.4 6.7-3.2-1.2-5.4-3.5-5.4-6.7V3.5Z" {_STROKE}/>'
        f'<path d="m5.6 8 1.7 1.7 3.1-3.3" {_STROKE}/>'
    ),
    "edit": f'<path d="m10.6 2.4 3 3-8 8H2.6v-3Z" {_STROKE}/>',
    "up": f'<path d="M8 13.2V3m0 0L4 7m4-4 4 4" {_STROKE}/>',
    "brand": (
        f'<path d="M2 8h3.2" {_STROKE}/><rect x="5.2" y="2.2" width="4" height="4.2" rx="1" fill="currentColor"/>'
        f'<rect x="5.2" y="9.6" width="4" height="4.2" rx="1" {_STROKE}/>'
        f'<path d="M9.2 4.3h2L14 8l-2.8 3.7h-2" {_STROKE}/>'
    ),
}


def icon(name: str, css: str = "") -> SafeString:
    """The shape called `name`, hidden from screen readers (words stand beside it). Raises KeyError."""
    return format_html(
        '<svg viewBox="0 0 16 16"{} aria-hidden="true">{}</svg>',
        format_html(' class="{}"', css) if css else "",
        mark_safe(_SHAPES[name]),  # noqa: S308 - a constant of this file
    )
