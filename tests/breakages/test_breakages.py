"""One thing at a time is broken on a cluster that works: it is found, explained, and nothing else is blamed.

`make test` takes a sample; `make test-breakages` every case, and writes docs/breakages.md.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace

import pytest

from tests.breakages import series
from tests.breakages.cases import CASES, Case
from tests.breakages.conftest import Cluster, Seen

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1200)]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails has only a few seconds to do so."""
    monkeypatch.setattr("workers.probe.SESSION_TIMEOUT", 8)


@pytest.mark.parametrize("case", series.chosen(), ids=lambda case: case.name.replace(" ", "-"))
def test_it_is_found_and_explained(cluster: Cluster, case: Case) -> None:
    row, start = series.Row(case.name, case.host), time.monotonic()
    try:
        with contextmanager(cluster.broken)(case):
            seen = cluster.verified()
            row = _row(row, seen)
            _judge(case, seen)
    except BaseException as error:
        text = f"{type(error).__name__}: {error}"[:1500]
        series.write(replace(row, seconds=round(time.monotonic() - start), error=text))
        raise
    series.write(replace(row, seconds=round(time.monotonic() - start)))


def test_the_cases_have_names_of_their_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 30


def _row(row: series.Row, seen: Seen) -> series.Row:
    told = [f"{f['router'] or 'pair'}: {f['code']}: {f['what']}" for f in seen.findings if f["severity"] != "info"]
    bad = [r for r in seen.sessions if not r["ok"]]
    good = sorted({r["mode"] for r in seen.sessions} - seen.fails)
    on = sorted({r["real_server"] for r in bad} - {""})
    failing = f"{', '.join(sorted(seen.fails))} fail" if bad else ""
    where = f" on {' and '.join(on)}" if on else ""
    how = f" ({bad[0]['stage']}: {bad[0]['message']})" if bad else ""
    text = "; ".join(filter(None, [f"{failing}{where}{how}", f"{', '.join(good)} work" if good else ""]))
    return replace(row, findings=told, sessions=text, explanation=" ".join(seen.reasons))


def _judge(case: Case, seen: Seen) -> None:
    codes = seen.codes()
    assert set(case.found) <= codes, f"not found: {set(case.found) - codes}; found: {codes}"
    wrong = {(router, code) for router, code in codes - set(case.found) if code not in case.may}
    assert not wrong, f"blamed: {wrong}"
    if case.found:
        texts = [f["what"] for f in seen.findings if (f["router"], f["code"]) == case.found[0]]
        assert any(case.words in text for text in texts), texts
    if case.fails is not None:
        assert seen.fails == case.fails, [(r["mode"], r["ok"], r["stage"], r["message"]) for r in seen.sessions]
    if seen.fails and case.says:
        assert any(case.says in text for text in seen.reasons), seen.reasons
