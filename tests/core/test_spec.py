from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbftp.core.spec import ClusterSpec, PortRange, RealServerSpec, RouterSpec, SpecError, from_json, to_json
from tests.core.cases import GUIDE, R1, guide

PAYLOADS = [
    "a\nb", "a\r\nb", 'a"b', "a'b", "a{b", "a}b", "a;b", "$(id)", "`id`", "a b", "a\tb", "a\x00b", "a#b", "a!b",
    "a|b", "a&b", "a>b", "a\\b", "../x", "-o", "a/b", "é", "", "a" * 80, "a\n}\nvirtual_server_group x {",
    "$NAME=x", "@cond", "include /etc/passwd", "a\n*filter", "x,y", "a:b", "a\u2028b", "a\x85b",
]  # fmt: skip


def test_json_gives_the_same_spec_back() -> None:
    assert from_json(to_json(GUIDE)) == GUIDE
    assert from_json(to_json(GUIDE)).digest == GUIDE.digest


def test_order_of_routers_and_servers_does_not_matter() -> None:
    turned = guide(routers=GUIDE.routers[::-1], real_servers=GUIDE.real_servers[::-1])
    assert turned == GUIDE
    assert turned.digest == GUIDE.digest


def test_another_value_is_another_digest() -> None:
    digests = {guide(**change).digest for change in ({}, {"mark": 22}, {"vrid": 3}, {"scheduler": "rr"})}
    assert len(digests) == 4


@pytest.mark.parametrize("make", [
    lambda text: guide(name=text),
    lambda text: guide(scheduler=text),
    lambda text: RealServerSpec(text, GUIDE.vip),
    lambda text: RouterSpec(text, "a", R1.public_address, "b", R1.internal_address, 1),
    lambda text: RouterSpec("r", text, R1.public_address, "b", R1.internal_address, 1),
    lambda text: RouterSpec("r", "a", R1.public_address, text, R1.internal_address, 1),
    lambda text: from_json({**to_json(GUIDE), "vip": text}),
    lambda text: from_json({**to_json(GUIDE), "floating": text or " "}),
    lambda text: from_json({**to_json(GUIDE), "internal_network": text or " "}),
    lambda text: from_json({**to_json(GUIDE), "mark": text}),
    lambda text: from_json({**to_json(GUIDE), "passive": {"low": text, "high": 2000}}),
])  # fmt: skip
def test_no_field_takes_text_that_could_become_code(make: Callable[[str], object]) -> None:
    """A host name may have what a host name has; nothing of it can end a word, a line or a block."""
    for payload in PAYLOADS:
        with pytest.raises(SpecError) as error:
            make(payload)
        assert error.value.field, payload
        assert error.value.message, payload


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=8), lambda c: st.lists(c, max_size=3)))
def test_any_json_for_a_field_gives_a_spec_or_a_spec_error(value: object) -> None:
    for field in to_json(GUIDE):
        try:
            spec = from_json({**to_json(GUIDE), field: value})
        except SpecError:
            continue
        assert isinstance(spec, ClusterSpec)


@pytest.mark.parametrize(("low", "high"), [(20000, 10000), (1023, 2000), (10000, 65536), (0, 0), (-1, 5000)])
def test_a_range_that_is_reversed_or_outside_is_refused(low: int, high: int) -> None:
    with pytest.raises(SpecError):
        PortRange(low, high)


def test_a_reversed_range_is_told_as_such() -> None:
    with pytest.raises(SpecError, match="reversed"):
        PortRange(20000, 10000)


def test_an_unknown_field_names_the_known_ones() -> None:
    with pytest.raises(SpecError, match=r"known fields: .*passive"):
        from_json({**to_json(GUIDE), "pasive": {}})


def test_a_missing_field_is_named() -> None:
    data = to_json(GUIDE)
    del data["vip"]
    with pytest.raises(SpecError, match="vip: is missing"):
        from_json(data)


def test_the_same_server_twice_is_refused() -> None:
    twice = (RealServerSpec("a", GUIDE.vip), RealServerSpec("b", GUIDE.vip))
    with pytest.raises(SpecError, match="there twice"):
        guide(real_servers=twice)
