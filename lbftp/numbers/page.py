"""What pages show of a cluster's live numbers."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from lbftp import database
from lbftp.clusters.models import Cluster
from lbftp.numbers.charts import KINDS, Chart, Holding, chart, gap_words, holding
from lbftp.numbers.present import Present, RouterNow, present
from lbftp.numbers.series import SPANS, Span, read


@dataclass(frozen=True, slots=True)
class Page:
    """`whole`: a page of its own, and not a part of the cluster's. `holding` is None while nothing is kept."""

    cluster: Cluster
    now: Present
    span: Span
    charts: list[Chart]
    holding: Holding | None
    gaps: list[tuple[str, str]]
    whole: bool

    @property
    def spans(self) -> tuple[Span, ...]:
        return SPANS

    @property
    def interval(self) -> float:
        """0: no numbers are taken."""
        return float(settings.SAMPLE_SECONDS)

    @property
    def silent(self) -> list[RouterNow]:
        return [one for one in self.now.routers if one.problem]

    @property
    def ports(self) -> int:
        """Passive ports that each real server has."""
        return self.now.spec.passive.size if self.now.spec else 0


def page(cluster: Cluster, span_name: str = "", *, whole: bool) -> Page:
    """The cluster has to come with `applied`. An unknown span is the last hour."""
    span = next((one for one in SPANS if one.name == span_name), SPANS[0])
    series = read(cluster, span, database.now())
    kept = bool(series.routers)
    kinds = [kind for kind in KINDS if whole or kind.page] if kept else []
    return Page(
        cluster=cluster,
        now=present([cluster])[0],
        span=span,
        charts=[chart(series, kind) for kind in kinds],
        holding=holding(series) if kept else None,
        gaps=gap_words(series) if kept else [],
        whole=whole,
    )
