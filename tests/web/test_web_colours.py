"""Contrast of the stylesheet's colours (WCAG 2.2, 1.4.3 AA and 1.4.11), in both themes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings

CSS = (Path(settings.BASE_DIR) / "lbftp/static/lbftp/tokens.css").read_text()
TONES = ("ok", "warn", "bad", "info", "idle")
GROUNDS = ("bg", "surface", "sunken", "hover")
# Text and what it stands on.
TEXT = [
    *((text, ground) for text in ("text", "muted") for ground in GROUNDS),
    *((tone, f"{tone}-bg") for tone in TONES),
    *((tone, "surface") for tone in TONES),
    *(("text", f"{tone}-bg") for tone in TONES),
    *(("muted", f"{tone}-bg") for tone in TONES),
    *(("text", ground) for ground in ("add-bg", "add-mark", "del-bg", "del-mark")),
    ("accent", "surface"),
    ("accent", "bg"),
    ("on-accent", "accent"),
    ("term-text", "term-bg"),
    ("surface", "text"),
]


def _themes() -> dict[str, dict[str, str]]:
    blocks = {
        "light": re.search(r":root \{(.*?)\n\}", CSS, re.DOTALL),
        "dark by the system": re.search(r':root:not\(\[data-theme="light"\]\) \{(.*?)\n  \}', CSS, re.DOTALL),
        "dark by choice": re.search(r':root\[data-theme="dark"\] \{(.*?)\n\}', CSS, re.DOTALL),
    }
    found = {name: dict(re.findall(r"--([\w-]+): (#\w+);", block[1])) for name, block in blocks.items() if block}
    return {name: {**found["light"], **colours} for name, colours in found.items()}


THEMES = _themes()


def _light(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(one * 2 for one in digits) if len(digits) == 3 else digits
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((_light(one), _light(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", THEMES)
def test_text_can_be_read(theme: str) -> None:
    colours = THEMES[theme]
    poor = {pair: round(contrast(colours[pair[0]], colours[pair[1]]), 2) for pair in TEXT}
    assert {pair: value for pair, value in poor.items() if value < 4.5} == {}


@pytest.mark.parametrize("theme", THEMES)
def test_the_focus_can_be_seen(theme: str) -> None:
    colours = THEMES[theme]
    assert all(contrast(colours["focus"], colours[ground]) >= 3 for ground in GROUNDS)


def test_both_ways_to_the_dark_theme_are_the_same() -> None:
    assert THEMES["dark by choice"] == THEMES["dark by the system"]


@pytest.mark.parametrize("theme", THEMES)
def test_lines_of_charts_can_be_seen(theme: str) -> None:
    colours = THEMES[theme]
    found = {name: contrast(colour, colours["surface"]) for name, colour in colours.items() if "series-" in name}
    assert len(found) == 6
    assert min(found.values()) >= 3
