"""Our chains in saved files: one file for each IP version, everything foreign byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbftp.core.observe.iptables import Ruleset, parse
from lbftp.core.render import iptables, saved
from lbftp.core.spec import ClusterSpec
from tests.core.cases import GUIDE, R1, R2, golden
from tests.core.filter_cases import CASES, DROPPING
from tests.core.strategies import specs
from tests.kernel.cases import FILTERS, foreign, tries

HAND = """# Rules of 2019, see the handbook
*filter
:INPUT DROP [12:900]
:FORWARD DROP [0:0]
# ssh
[3:180] -A INPUT -p tcp -m comment --comment "not -j LBFTP-ftp" -j ACCEPT

-A INPUT -j LBFTP-ftp-not
COMMIT
# end"""


@pytest.mark.parametrize("name", ["dual", "six", "direct"])
def test_files_equal_their_golden_files(name: str) -> None:
    spec = CASES[name]
    for side in spec.sides:
        chains = iptables.chains(spec, spec.router("r1"), DROPPING, side.family)
        merged = saved.merge(foreign("policy"), spec.name, chains, DROPPING)
        golden(f"saved-{name}.v{side.family}", merged)


@given(spec=specs(), existing=st.sampled_from([None, "", HAND, *(foreign(f) for f in FILTERS)]))
@tries(40, 5000)
def test_merging_is_done_once_and_can_be_taken_back(spec: ClusterSpec, existing: str | None) -> None:
    for side in spec.sides:
        chains = iptables.chains(spec, spec.routers[0] if spec.routers else R1, DROPPING, side.family)
        once = saved.merge(existing, spec.name, chains, DROPPING)
        assert saved.merge(once, spec.name, chains, DROPPING) == once
        assert all(iptables.in_step(own, parse(once)) for own in chains)
        lines = iter(once.split("\n"))
        assert all(line in lines for line in (existing or "").rstrip("\n").split("\n") if line)


def test_what_only_looks_like_ours_stays() -> None:
    chains = iptables.chains(GUIDE, R2, DROPPING)
    merged = saved.merge(HAND, "ftp", chains, DROPPING)
    assert [line for line in HAND.split("\n") if line not in merged.split("\n")] == []
    taken_back = saved.merge(merged, "ftp", (), DROPPING)
    assert taken_back.startswith(HAND.split("# end", maxsplit=1)[0])
    assert "LBFTP-ftp-in" not in taken_back


def test_a_chain_for_output_goes_with_the_others() -> None:
    merged = saved.merge(None, "ftp", iptables.chains(GUIDE, R1, DROPPING), DROPPING)
    assert ":LBFTP-ftp-out - [0:0]" in merged
    assert "LBFTP" not in saved.merge(merged, "ftp", (), DROPPING)


def test_a_file_that_is_not_there_gets_the_running_policies() -> None:
    chains = iptables.chains(CASES["six"], R1, DROPPING, 6)
    assert ":OUTPUT DROP [0:0]" in saved.merge(None, "ftp", chains, DROPPING)
    assert ":OUTPUT ACCEPT [0:0]" in saved.merge(None, "ftp", chains, Ruleset())
