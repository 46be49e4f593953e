"""Numbers over time as pictures: lines of real servers, and who held the VIP. Geometry and words only."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lbftp.core import rollup
from lbftp.core.rollup import Tally
from lbftp.numbers.series import Points, Series

WIDTH: Final = 340
HEIGHT: Final = 132
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 6, 8, 18
# Servers with a line of their own; further ones share one, so that lines can be told apart.
_MOST_LINES: Final = 6
_ROW: Final = 22

Say = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Line:
    """One server's: `number` chooses colour and dashes; `path` has a break wherever there are no numbers."""

    number: int
    name: str
    path: str
    now: str
    highest: str


@dataclass(frozen=True, slots=True)
class Chart:
    """`marks` are (y, word), `times` (x, word), `gaps` (x, width); `words` say what is to be seen."""

    key: str
    title: str
    words: str
    lines: tuple[Line, ...]
    marks: tuple[tuple[float, str], ...]
    times: tuple[tuple[float, str], ...]
    gaps: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in which a router was `state`: master, backup, both (it changed) or none (no answer)."""

    x: float
    width: float
    state: str


@dataclass(frozen=True, slots=True)
class Holding:
    """Who held the VIP when: a row a router."""

    words: str
    rows: tuple[tuple[float, str, tuple[Stretch, ...]], ...]
    times: tuple[tuple[float, str], ...]

    @property
    def axis(self) -> int:
        return _ROW * len(self.rows)

    @property
    def height(self) -> int:
        return self.axis + _BOTTOM


@dataclass(frozen=True, slots=True)
class Kind:
    """A chart to be drawn: of which measure, what of it, and how its values are said. `page`: on the cluster's page."""

    key: str
    title: str
    measure: str
    take: Callable[[Tally | None], float | None]
    say: Say
    page: bool = True


def count(value: float) -> str:
    """12, 1.5, 12.3k."""
    if value >= 10_000:
        return f"{value / 1000:.1f}k" if value < 1e6 else f"{value / 1e6:.1f}M"
    return f"{value:.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def speed(value: float) -> str:
    """Bytes a second."""
    for unit in ("B/s", "kB/s", "MB/s", "GB/s"):
        if value < 1000 or unit == "GB/s":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if value >= 10 or value == int(value) else f"{value:.1f} {unit}"


def each_second(value: float) -> str:
    return f"{value:.2g}/s" if 0 < value < 10 else f"{count(value)}/s"


KINDS: Final = (
    Kind("sessions", "Sessions", "sessions", rollup.mean, count),
    Kind("passive", "Passive ports in use, the most", "passive", rollup.most, count),
    Kind("out", "To clients", "out_bytes", rollup.mean, speed),
    Kind("in", "From clients", "in_bytes", rollup.mean, speed),
    Kind("new", "New connections", "connections", rollup.mean, each_second, page=False),
    Kind("held", "Clients held by persistence", "held", rollup.mean, count, page=False),
)


def chart(series: Series, kind: Kind) -> Chart:
    points = dict(_shown(series, kind))
    top = nice(max((value for line in points.values() for value in line if value is not None), default=0))
    lines = tuple(_line(number, name, line, top, kind.say) for number, (name, line) in enumerate(points.items()))
    step = len(series.buckets)
    gaps = tuple((_x(first - 0.5, step), _x(last + 0.5, step) - _x(first - 0.5, step)) for first, last in series.gaps)
    return Chart(
        key=kind.key,
        title=kind.title,
        words=_words(series, kind, lines),
        lines=lines,
        marks=tuple((_y(value, top), kind.say(value)) for value in (0, top / 2, top)),
        times=_times(series),
        gaps=gaps,
    )


def _shown(series: Series, kind: Kind) -> Iterator[tuple[str, Points]]:
    names = series.servers
    found = {name: series.of_server(name, kind.measure, kind.take) for name in names}
    if len(names) <= _MOST_LINES:
        yield from found.items()
        return
    busy = sorted(names, key=lambda name: -sum(value or 0 for value in found[name]))
    alone, rest = sorted(busy[: _MOST_LINES - 1]), busy[_MOST_LINES - 1 :]
    yield from ((name, found[name]) for name in alone)
    yield f"{len(rest)} others", [_sum(column) for column in zip(*(found[name] for name in rest), strict=True)]


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def nice(value: float) -> float:
    """The least of 1, 2, 4, 5, 8 times a power of ten that is not less; halves of them are easy to read."""
    if value <= 2:
        return 2 if value > 1 or value <= 0 else 1
    power = 10 ** math.floor(math.log10(value))
    return float(next(step * power for step in (1, 2, 4, 5, 8, 10) if step * power >= value))


def _line(number: int, name: str, points: Points, top: float, say: Say) -> Line:
    known = [value for value in points if value is not None]
    latest = next((value for value in reversed(points[-2:]) if value is not None), None)
    return Line(
        number=number,
        name=name,
        path=_path(points, top),
        now="none" if latest is None else say(latest),
        highest=say(max(known)) if known else "none",
    )


def _path(points: Points, top: float) -> str:
    """A point without neighbours is a dot: a line of no length, which round ends make visible."""
    words: list[str] = []
    pen = False
    for place, value in enumerate(points):
        if value is not None:
            spot = f"{_x(place, len(points)):g} {_y(value, top):g}"
            alone = not pen and (place + 1 == len(points) or points[place + 1] is None)
            words.append(f"{'L' if pen else 'M'}{spot}{'h0' if alone else ''}")
        pen = value is not None
    return "".join(words)


def _x(place: float, count_of: int) -> float:
    return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * min(max(place, 0), count_of - 1) / max(count_of - 1, 1), 1)


def _y(value: float, top: float) -> float:
    return round(_TOP + (HEIGHT - _TOP - _BOTTOM) * (1 - value / top), 1)


def _times(series: Series) -> tuple[tuple[float, str], ...]:
    """Names on the axis of time, none so near to an edge that it would be cut off."""
    mark, length = series.span.mark, len(series.buckets)
    first = rollup.start(series.begin + mark, mark)
    places = (
        (moment - series.begin) / series.width for moment in range(first, series.begin + series.span.seconds, mark)
    )
    found = ((_x(place, length), series.moment(place).strftime(series.span.form)) for place in places)
    return tuple((x, word) for x, word in found if _LEFT + 6 < x < WIDTH - _RIGHT - 14)


def _words(series: Series, kind: Kind, lines: Sequence[Line]) -> str:
    servers = "; ".join(f"{line.name}: now {line.now}, the most {line.highest}" for line in lines)
    gaps = "".join(f" No numbers from {a} to {b}." for a, b in gap_words(series))
    return f"{kind.title} in {series.span.words}. {servers or 'No router held the VIP'}.{gaps}"


def gap_words(series: Series) -> list[tuple[str, str]]:
    """When each gap began and ended."""
    form = "%H:%M" if series.span.form == "%H:%M" else "%-d %b %H:%M"
    return [
        (series.moment(first).strftime(form), series.moment(last + 1).strftime(form)) for first, last in series.gaps
    ]


def holding(series: Series) -> Holding:
    rows = []
    words = []
    for number, router in enumerate(series.routers):
        states = [_state(value) for value in series.held(router)]
        rows.append((float(_ROW * number), router, tuple(_stretches(states))))
        words.append(_held_words(router, states))
    return Holding(f"Who held the VIP in {series.span.words}. {' '.join(words)}", tuple(rows), _times(series))


def _state(held: float | None) -> str:
    if held is None:
        return "none"
    return "both" if 0 < held < 1 else ("master" if held else "backup")


def _stretches(states: Sequence[str]) -> Iterator[Stretch]:
    begin = 0
    for place in range(1, len(states) + 1):
        if place == len(states) or states[place] != states[begin]:
            x, end = _edge(begin, len(states)), _edge(place, len(states))
            yield Stretch(x, round(end - x, 1), states[begin])
            begin = place


def _edge(place: int, length: int) -> float:
    return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * place / length, 1)


def _held_words(router: str, states: Sequence[str]) -> str:
    known = [state for state in states if state != "none"]
    shares = {word: known.count(word) for word in ("master", "both", "backup")}
    whole = max(len(known), 1)
    percent = round(100 * (shares["master"] + shares["both"] / 2) / whole)
    silent = round(100 * (len(states) - len(known)) / max(len(states), 1))
    return f"{router}: MASTER {percent} % of the time that it answered, no answer {silent} % of the time."
