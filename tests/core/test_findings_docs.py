"""docs/findings.md says of each finding on routers what it is, and of nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from lbftp.core.checks.catalogue.plan import PLAN
from lbftp.core.checks.catalogue.world import WORLD
from lbftp.core.diff import KINDS

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| ([a-z-]+) \| (error|warning|info) \| (yes|no) \| (\S.*\.) \|$", re.MULTILINE)
# Findings of the pair against the plan, and of what a rollback left, all of them errors that nothing repairs.
PAIR = ("vip-not-held", "two-masters", "split-addresses")
LEFT = ("left-behind", "left-saved")


def rows() -> list[tuple[str, str, str, str]]:
    return ROW.findall((ROOT / "docs/findings.md").read_text())


def test_every_finding_is_documented_with_its_severity_and_nothing_else_is() -> None:
    documented = {code: (severity, word == "yes", says) for code, severity, word, says in rows()}
    assert documented == {one.code: (one.severity, one.repairable, one.says) for one in (*PLAN, *WORLD)}
    assert len(rows()) == len(documented)


def test_every_kind_of_difference_has_a_meaning() -> None:
    assert {*KINDS, *PAIR, *LEFT} == {one.code for one in PLAN}
    assert all(one.sentence and one.remedy for one in (*PLAN, *WORLD))


def test_the_pair_s_codes_are_those_in_the_source() -> None:
    source = (ROOT / "lbftp/core/findings.py").read_text()
    assert all(f'"{code}"' in source for code in PAIR)
