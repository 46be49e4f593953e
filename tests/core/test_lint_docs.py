"""docs/lint.md says of each rule what it is, and of nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from lbftp.core.lint import lint, lint_others
from tests.core.lint_cases import ALONE, BESIDE

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (FTP\d{3}) \| (error|warning|info) \| (\S.*[.…]) \|$", re.MULTILINE)
# The model's own refusal (SpecError): said in the text, not a rule.
REFUSED = "FTP000"


def documented() -> dict[str, str]:
    """Code -> severity. A code that is there twice is counted below."""
    return {code: severity for code, severity, _ in ROW.findall((ROOT / "docs/lint.md").read_text())}


def written(*places: str) -> set[str]:
    """Codes in the source under `places`."""
    files = [p for place in places for p in (ROOT / place).rglob("*.py")] + [
        ROOT / place for place in places if place.endswith(".py")
    ]
    return {code for file in files for code in re.findall(r'"(FTP\d{3})"', file.read_text())}


def test_every_code_is_documented_and_every_documented_code_exists() -> None:
    text = (ROOT / "docs/lint.md").read_text()
    assert set(documented()) == written("lbftp", "workers") - {REFUSED}
    assert set(re.findall(r"FTP\d{3}", text)) == {*documented(), REFUSED}
    assert len(ROW.findall(text)) == len(documented())


def test_every_rule_of_the_lint_is_shown_at_work() -> None:
    shown = {code for code, _ in ALONE} | {code for code, _, _ in BESIDE}
    assert shown == written("lbftp/core/lint")


def test_severities_are_as_documented() -> None:
    found = {(p.code, p.severity) for _, spec in ALONE for p in lint(spec)}
    found |= {(p.code, p.severity) for _, spec, other in BESIDE for p in lint_others(spec, [other])}
    assert found == {(code, documented()[code]) for code, _ in found}
