from __future__ import annotations

import difflib

from hypothesis import given
from hypothesis import strategies as st

from lbftp.web import diffs

_LINES = st.lists(st.text(alphabet="ab+-@ \t#", max_size=6), max_size=8)


def _diff(before: list[str], after: list[str]) -> str:
    return "\n".join(difflib.unified_diff(before, after, "now", "after", lineterm="", n=3))


@given(_LINES, _LINES)
def test_no_line_is_lost_and_the_numbers_are_right(before: list[str], after: list[str]) -> None:
    for row in diffs.rows(_diff(before, after)):
        text = row.head + row.changed + row.tail
        if row.kind in ("del", "same") and row.old:
            assert before[row.old - 1] == text
        if row.kind in ("add", "same") and row.new:
            assert after[row.new - 1] == text


def test_only_what_changed_within_a_line_is_marked() -> None:
    gone, come = diffs.rows(_diff(["persistence_timeout 300"], ["persistence_timeout 360"]))
    assert (gone.head, gone.changed, gone.tail) == ("persistence_timeout 3", "0", "0")
    assert (come.sign, come.changed) == ("+", "6")


def test_lines_that_are_hardly_alike_are_not_marked() -> None:
    gone, come = diffs.rows(_diff(["weight 1"], ["inhibit_on_failure"]))
    assert gone.changed == come.changed == ""


def test_removed_lines_that_look_like_a_file_name_are_kept() -> None:
    rows = diffs.rows(_diff(["-- a comment", "x"], ["x"]))
    assert [(row.kind, row.head) for row in rows] == [("del", "-- a comment"), ("same", "x")]
    assert diffs.tally("") == (0, 0)
