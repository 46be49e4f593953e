"""The lint and the explanation of modes agree: what the one lets pass works by the other, and the reverse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbftp.core.lint import lint
from lbftp.core.path import explain
from lbftp.core.problem import errors
from lbftp.core.spec import ClusterSpec
from tests.core.cases import guide
from tests.core.lint_cases import advertise, direct
from tests.core.strategies import sound_specs

# What decides over a mode, changed one by one or together in clusters that were sound.
DECISIVE = st.fixed_dictionaries({}, optional={
    "mode": st.sampled_from(("helper", "advertise")),
    "forwarding": st.sampled_from(("NAT", "DR", "TUN")),
    "active": st.sampled_from(("masquerade", "snat", "none")),
    "persistence_timeout": st.sampled_from((0, 300)),
    "tls": st.booleans(),
    "implicit_ports": st.sampled_from(((), (990,))),
})  # fmt: skip


def broken(spec: ClusterSpec) -> list[str]:
    """Kinds of clients that the cluster promises and that would fail."""
    return [str(e.client) for e in explain(spec) if not e.kept]


@settings(max_examples=60, deadline=None)
@given(sound_specs())
def test_what_has_no_error_works_in_every_promised_way(spec: ClusterSpec) -> None:
    assert broken(spec) == []


@settings(max_examples=120, deadline=None)
@given(sound_specs(), DECISIVE)
def test_a_promise_that_cannot_be_kept_is_an_error(spec: ClusterSpec, changes: dict[str, Any]) -> None:
    values: dict[str, Any] = {"control_ports": spec.control_ports or (21,), **changes}
    changed = replace(spec, **values)
    if broken(changed):
        assert errors(lint(changed))


@pytest.mark.parametrize(("spec", "code"), [
    (guide(active="none"), "FTP083"),
    (advertise(persistence_timeout=0), "FTP033"),
    (direct(persistence_timeout=0), "FTP033"),
])  # fmt: skip
def test_these_errors_stand_for_clients_that_would_fail(spec: ClusterSpec, code: str) -> None:
    assert code in {p.code for p in errors(lint(spec))}
    assert broken(spec)
