"""Looks rolled up: how often it does not matter, nor in which order, and a look that comes late is one more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbftp.core import rollup
from lbftp.core.measures import measures
from lbftp.core.observe.numbers import parse
from tests.core.cases import GUIDE
from tests.core.numbers_cases import IDLE, MASTER

ONE = measures(GUIDE, "r1", parse(MASTER))
BUCKETS = st.builds(
    lambda values: {
        "router": {"master": [1, 1, 1]},
        "servers": {name: {"active": [1, value, value]} for name, value in values.items()},
    },
    st.dictionaries(st.sampled_from(["ftp1", "ftp2", "ftp3"]), st.integers(0, 1000)),
)


def test_a_look_at_the_master_has_its_servers() -> None:
    found = rollup.of(ONE, {"ftp2": {"out_bytes": 2000.0}})
    assert found["router"] == {"master": [1, 1, 1], "conntrack": [1, 73, 73]}
    assert found["servers"]["ftp2"]["passive"] == [1, 2, 2]
    assert found["servers"]["ftp2"]["out_bytes"] == [1, 2000, 2000]
    assert "out_bytes" not in found["servers"]["ftp1"], "nothing is known of its growth"


def test_a_backup_repeats_nothing() -> None:
    found = rollup.of(measures(GUIDE, "r2", parse(IDLE)), {})
    assert found == {"router": {"master": [1, 0, 0]}, "servers": {}}


@given(st.lists(BUCKETS, max_size=8), st.integers(0, 8))
def test_parts_can_be_put_together_in_any_order_and_grouping(parts: list[rollup.Bucket], cut: int) -> None:
    whole = rollup.merged(parts)
    assert rollup.merged(reversed(parts)) == whole
    assert rollup.merged([rollup.merged(parts[:cut]), rollup.merged(parts[cut:])]) == whole


def test_mean_and_most() -> None:
    tally = rollup.merged([{"router": {"x": [1, n, n]}, "servers": {}} for n in (1, 2, 6)])["router"]["x"]
    assert (rollup.mean(tally), rollup.most(tally)) == (3, 6)
    assert (rollup.mean(None), rollup.most(None)) == (None, None)


@pytest.mark.parametrize(("step", "begin"), [(60, 1_700_000_040), (3600, 1_699_999_200), (86400, 1_699_920_000)])
def test_buckets_begin_at_whole_ones(step: int, begin: int) -> None:
    assert rollup.start(1_700_000_045.7, step) == begin
    assert rollup.start(begin, step) == begin
