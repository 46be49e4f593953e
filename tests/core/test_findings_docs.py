"""docs/findings.md says of each finding on routers what it is, and of nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from lbftp.core import findings
from lbftp.core.checks.code import CODES
from lbftp.core.diff import KINDS

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| ([a-z-]+) \| (error|warning|info) \| (yes|no) \| (\S.*\.) \|$", re.MULTILINE)
# Findings of the pair against the plan, all of them errors that nothing repairs.
PAIR = ("vip-not-held", "two-masters", "split-addresses")


def documented() -> dict[str, tuple[str, bool]]:
    """Code -> (severity, repairable)."""
    return {code: (severity, word == "yes") for code, severity, word, _ in ROW.findall(_text())}


def _text() -> str:
    return (ROOT / "docs/findings.md").read_text()


def test_every_finding_is_documented_with_its_severity_and_nothing_else_is() -> None:
    written = {code: (one.severity, one.repairable) for code, one in findings._MEANINGS.items()}
    written |= dict.fromkeys(PAIR, ("error", False))
    written |= {code: (one.severity, False) for code, one in CODES.items()}
    assert documented() == written
    assert len(ROW.findall(_text())) == len(written)


def test_every_kind_of_difference_has_a_meaning() -> None:
    assert set(KINDS) == set(findings._MEANINGS)


def test_the_pair_s_codes_are_those_in_the_source() -> None:
    source = (ROOT / "lbftp/core/findings.py").read_text()
    assert all(f'"{code}"' in source for code in PAIR)
