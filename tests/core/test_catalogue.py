"""Every code that can be given stands in the one catalogue, once, and in the documents as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lbftp.core.checks.catalogue import CATALOGUE, ENTRIES, entry
from lbftp.core.checks.catalogue.actions import ACTIONS
from lbftp.core.checks.catalogue.lint import LINT
from lbftp.core.checks.catalogue.routers import ROUTERS
from lbftp.core.checks.catalogue.servers import SERVERS
from lbftp.core.findings import drift, finding

ROOT = Path(__file__).parents[2]
NUMBERED = re.compile(r'"((?:LBF|FTP)\d{3})"')
NAMED = re.compile(r'"((?:ftpd|server)-(?!hosts?")[a-z0-9-]+)"')
ROW = re.compile(r"^\| ([A-Za-z0-9-]+) \| ([a-z ]+) \| (\S.*[.…]) \|$", re.MULTILINE)


def sources() -> dict[str, str]:
    """Path -> text of every file of the product that can give a code; the catalogue itself is left out."""
    files = [path for top in ("lbftp", "workers") for path in sorted((ROOT / top).rglob("*.py"))]
    return {str(p.relative_to(ROOT)): p.read_text("utf-8") for p in files if "checks/catalogue" not in str(p)}


def given(form: re.Pattern[str]) -> set[str]:
    return {code for text in sources().values() for code in form.findall(text)}


def documented(path: str) -> dict[str, tuple[str, str]]:
    """Code -> (severity, sentence)."""
    return {code: (severity, says) for code, severity, says in ROW.findall((ROOT / path).read_text("utf-8"))}


def severity(code: str) -> str:
    """As documents write it."""
    one = entry(code)
    return f"{one.severity} or {one.otherwise}" if one.otherwise else one.severity


def test_no_code_stands_there_twice() -> None:
    codes = [one.code for one in ENTRIES]
    assert sorted(codes) == sorted(set(codes))
    assert set(codes) == set(CATALOGUE)


@pytest.mark.parametrize("form", [NUMBERED, NAMED])
def test_every_code_that_is_given_is_in_it_and_no_other(form: re.Pattern[str]) -> None:
    known = {code for code in CATALOGUE if form.fullmatch(f'"{code}"')}
    assert given(form) == known


def test_a_numbered_code_is_given_for_one_thing() -> None:
    """One file gives it: two that do would come to mean two things by it."""
    places: dict[str, set[str]] = {}
    for path, text in sources().items():
        for code in re.findall(
            r'(?:Problem|_problem|error|warning|info)\(\s*(?:observed,\s*)?"((?:LBF|FTP)\d{3})"', text
        ):
            places.setdefault(code, set()).add(path)
    assert len(places) > 100
    assert {code: found for code, found in places.items() if len(found) > 1} == {}


@pytest.mark.parametrize(
    ("path", "entries"),
    [
        ("docs/lint.md", (*LINT, *ROUTERS, *ACTIONS)),
        ("docs/ftp-servers.md", SERVERS),
    ],
)
def test_the_documents_say_what_it_says(path: str, entries: tuple[object, ...]) -> None:
    expected = {one.code: (severity(one.code), one.says) for one in ENTRIES if one in entries}
    expected.pop("FTP000", None)
    found = {code: row for code, row in documented(path).items() if code in CATALOGUE or code[:3] in {"FTP", "LBF"}}
    assert found == expected


def test_an_unknown_code_is_refused() -> None:
    with pytest.raises(KeyError):
        finding("no-such-code", "r1", "", "")


@pytest.mark.parametrize(
    ("one", "counts"),
    [
        ({"severity": "error"}, True),
        ({"severity": "warning", "repaired": False}, True),
        ({"severity": "error", "repaired": True}, False),
        ({"severity": "info"}, False),
    ],
)
def test_what_is_drift(one: dict[str, object], counts: bool) -> None:
    note = {"severity": "info"}
    assert drift([note, one, note]) == ([one] if counts else [])


def test_what_is_drift_is_asked_in_one_place() -> None:
    """The rule is spelled once in the product: severity and repair together."""
    rule = re.compile(r"severity\W{1,6}(\)|\])?\s*!= \"info\" and not .{0,20}repaired")
    assert [path for path, text in sources().items() if rule.search(text)] == ["lbftp/core/findings.py"]
