"""Live numbers on pages: pictures with gaps where nobody knows, and the same in words."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from lbftp.core.measures import Measures, ServerMeasures
from lbftp.core.observe.ipvs_stats import Counters
from lbftp.numbers import charts, services
from lbftp.numbers.models import Watch
from lbftp.numbers.series import SPANS, Series, read
from tests.web.conftest import As
from tests.worlds import World, applied

NOON = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
HOUR = SPANS[0]


@pytest.fixture
def noon(monkeypatch: pytest.MonkeyPatch) -> datetime:
    monkeypatch.setattr(timezone, "now", lambda: NOON)
    return NOON


def said(router: str, at: datetime, *, master: bool, sessions: int = 0, servers: int = 2) -> Measures:
    uptime = at.timestamp() - NOON.timestamp() + 100_000
    total = Counters(int(uptime), int(uptime), int(uptime), int(uptime * 1000), int(uptime * 50_000))
    found = (ServerMeasures(f"ftp{n}", 1, 1, 0, sessions + n, n, 0, 1, 60, total) for n in range(1, servers + 1))
    return Measures(router, uptime, "boot", master, (7, 100), 101, tuple(found))


def keep(world: World, minute: int, r1: bool | None, r2: bool | None, **values: Any) -> None:
    """What both routers said `minute` minutes ago: whether they held the VIP, None: no answer."""
    at = NOON - timedelta(minutes=minute)
    for name, master in (("r1", r1), ("r2", r2)):
        if master is not None:
            services.keep(world.cluster.pk, said(name, at, master=master, **values), at)


def drawn(world: World, **values: Any) -> Series:
    """20 minutes of r1, 5 of nobody, then r2; r1 comes back as backup."""
    for minute in range(40, 20, -1):
        keep(world, minute, True, False, **values)
    for minute in range(15, -1, -1):
        keep(world, minute, None if minute > 5 else False, True, **values)
    return read(world.cluster, HOUR, NOON)


def test_a_gap_is_a_gap(world: World, noon: datetime) -> None:
    series = drawn(world)
    assert series.gaps == [(0, 18), (39, 43)]
    chart = charts.chart(series, charts.KINDS[0])
    assert [line.name for line in chart.lines] == ["ftp1", "ftp2"]
    assert [line.path.count("M") for line in chart.lines] == [2, 2]
    assert chart.lines[1].now == "2"
    assert "No numbers from 11:40 to 11:45." in chart.words
    assert "ftp2: now 2, the most 2" in chart.words
    assert [word for _, word in chart.times] == ["11:15", "11:30", "11:45"]


def test_bytes_are_a_second_s(world: World, noon: datetime) -> None:
    chart = charts.chart(drawn(world), charts.KINDS[2])
    assert chart.lines[0].now == "50 kB/s"
    assert chart.marks[-1][1] == "50 kB/s"


def test_who_held_the_vip(world: World, noon: datetime) -> None:
    holding = charts.holding(drawn(world))
    assert [[one.state for one in row] for _, _, row in holding.rows] == [
        ["none", "master", "none", "backup"],
        ["none", "backup", "none", "master"],
    ]
    assert "r1: MASTER 77 % of the time that it answered, no answer 57 % of the time." in holding.words


def test_many_servers_share_a_line(world: World, noon: datetime) -> None:
    chart = charts.chart(drawn(world, servers=9), charts.KINDS[0])
    assert [line.name for line in chart.lines] == ["ftp5", "ftp6", "ftp7", "ftp8", "ftp9", "4 others"]
    assert chart.lines[-1].now == "10"


def test_a_single_look_is_a_dot(world: World, noon: datetime) -> None:
    keep(world, 3, True, False)
    chart = charts.chart(read(world.cluster, HOUR, NOON), charts.KINDS[0])
    assert re.fullmatch(r"M[\d.]+ [\d.]+h0", chart.lines[0].path)


@pytest.mark.parametrize(("value", "top"), [(0, 2), (0.4, 1), (1, 1), (2, 2), (3, 4), (7, 8), (11, 20), (4999, 5000)])
def test_axes_end_at_round_numbers(value: float, top: float) -> None:
    assert charts.nice(value) == top


@pytest.mark.parametrize("span", SPANS, ids=lambda span: span.name)
def test_every_span_is_read(world: World, noon: datetime, span: Any) -> None:
    drawn(world)
    series = read(world.cluster, span, NOON)
    assert [bool(one) for one in series.buckets][-1]
    assert len(series.buckets) == span.seconds // series.width
    assert series.begin + len(series.buckets) * series.width > NOON.timestamp()


def test_a_long_interval_makes_no_false_gaps(world: World, noon: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "SAMPLE_SECONDS", 300.0)
    for minute in range(55, -1, -5):
        keep(world, minute, True, False)
    series = read(world.cluster, HOUR, NOON)
    assert (series.width, series.gaps) == (600, [])


def test_the_cluster_s_page_shows_them(world: World, browse: As) -> None:
    url = reverse("clusters:cluster", args=[world.cluster.pk])
    assert "Live numbers" not in browse(world.victor).get(url).content.decode()
    applied(world)
    assert "No numbers are kept of the last hour. Routers are asked every 30 s." in (
        browse(world.victor).get(url).content.decode()
    )
    now = timezone.now()
    services.keep(world.cluster.pk, said("r1", now, master=True), now)
    services.watch_all(now=now)
    Watch.objects.filter(router=world.r2).update(problem="r2: no SSH connection to <b>127.0.0.1</b>.")
    text = browse(world.victor).get(url).content.decode()
    assert text.count('<figure class="chart">') == 5
    assert '<span class="role master">MASTER</span>' in text
    assert "r2 does not answer" in text
    assert "no SSH connection to &lt;b&gt;127.0.0.1" in text
    assert "style=" not in text


def test_the_page_of_numbers(world: World, browse: As) -> None:
    applied(world)
    now = timezone.now()
    services.keep(world.cluster.pk, said("r1", now, master=True), now)
    for span in ("hour", "day", "month", "year", "nonsense"):
        answer = browse(world.victor).get(reverse("numbers:cluster", args=[world.cluster.pk]), {"over": span})
        assert answer.content.decode().count('<figure class="chart">') == 7
    part = browse(world.victor).get(reverse("numbers:cluster-live", args=[world.cluster.pk]), {"over": "day"})
    text = part.content.decode()
    assert "<html" not in text
    assert "the last 24 hours" in text
    assert text.count('<figure class="chart">') == 5
