"""The packet filter of every kind of cluster, shown to the real checkers as it is rendered."""

from __future__ import annotations

import subprocess

import pytest

from lbftp.core.observe.iptables import Chain, Ruleset
from lbftp.core.render import iptables, nftables
from tests.core.cases import R1
from tests.core.kinds import KINDS

# A filter that drops everything by default, so that every accept comes along.
DROPPING = Ruleset({"filter": {name: Chain(name, "DROP") for name in ("INPUT", "FORWARD", "OUTPUT")}})


@pytest.mark.parametrize("name", KINDS)
def test_the_checkers_have_nothing_to_say(name: str) -> None:
    spec = KINDS[name]
    router = spec.router(R1.name)
    for side in spec.sides:
        program = "iptables-restore" if side.family == 4 else "ip6tables-restore"
        text = iptables.load(iptables.chains(spec, router, DROPPING, side.family), (), DROPPING)
        assert said([program, "--noflush", "--test"], text) == ""
    own = nftables.table(spec, router)
    assert said(["nft", "-c", "-f", "-"], nftables.load(own)) == ""
    assert said(["nft", "-c", "-f", "-"], nftables.file_text(own)) == ""


def said(argv: list[str], text: str) -> str:
    command = ["unshare", "--map-root-user", "--net", *argv]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr + (f"exit {done.returncode}" if done.returncode else "")
