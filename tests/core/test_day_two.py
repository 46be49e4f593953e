"""Day-two actions are what differs between two specs, and what a connection table says is left of a real server."""

from __future__ import annotations

import dataclasses
from ipaddress import IPv4Address

import pytest

from lbftp.core import day_two, sessions_left
from lbftp.core.day_two import Action, ServerSet, SorrySet
from lbftp.core.observe.errors import ObserveError
from lbftp.core.render.desired import services
from lbftp.core.sessions_left import Left, Table
from lbftp.core.spec import SorryServer, SpecError
from tests.core.cases import GUIDE

SORRY = SorrySet(SorryServer(IPv4Address("10.0.50.99")))
ACTIONS: list[Action] = [ServerSet("ftp1", 0), ServerSet("ftp2", 0, disabled=True), ServerSet("ftp1", 5), SORRY]
MARK = sessions_left._MARK
# As /proc/net/ip_vs_conn of the lab's r1 had it.
HEAD = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n"
TEMPLATE = "IP  C0000233 0000 00000015 0000 0A00320B 0000 ASSURED         216\n"
SESSION = "TCP C0000233 B8C3 C0000264 0015 0A00320B 0015 ESTABLISHED     898\n"
TRANSFER = "TCP C0000233 A70F C0000264 4C84 0A00320B 4C84 ESTABLISHED     899\n"
OVER = "TCP C0000233 A5CD C0000264 0015 0A00320B 0015 TIME_WAIT        86\n"
OTHERS = "TCP C0000233 A5CE C0000250 0015 0A00320B 0015 ESTABLISHED     86\n"
MASTER = "3: eth1    inet 192.0.2.100/32 scope global eth1\n"


def table(*lines: str, addresses: str = MASTER, forgets: str = "0") -> Table:
    answer = f"{HEAD}{''.join(lines)}{MARK}\n{addresses}{MARK}\n{forgets}\n"
    return sessions_left.read(GUIDE, answer)


@pytest.mark.parametrize("action", ACTIONS, ids=repr)
def test_an_action_is_found_again_and_undone(action: Action) -> None:
    after = day_two.carried(GUIDE, action)
    assert day_two.between(GUIDE, after) == action
    assert day_two.carried(after, day_two.opposite(GUIDE, action)) == GUIDE
    assert day_two.in_force(after, action)
    assert not day_two.in_force(GUIDE, action)


def test_more_than_one_thing_is_no_action() -> None:
    drained = day_two.carried(GUIDE, ServerSet("ftp1", 0))
    assert day_two.between(GUIDE, GUIDE) is None
    assert day_two.between(GUIDE, day_two.carried(drained, ServerSet("ftp2", 5))) is None
    assert day_two.between(GUIDE, day_two.carried(drained, SORRY)) is None
    assert day_two.between(GUIDE, dataclasses.replace(drained, persistence_timeout=60)) is None
    bounded = dataclasses.replace(GUIDE.real_servers[0], weight=0, upper_threshold=9)
    assert day_two.between(GUIDE, dataclasses.replace(GUIDE, real_servers=(bounded, *GUIDE.real_servers[1:]))) is None
    moved = dataclasses.replace(GUIDE.real_servers[0], address=IPv4Address("10.0.50.77"))
    assert day_two.between(GUIDE, dataclasses.replace(GUIDE, real_servers=(moved, *GUIDE.real_servers[1:]))) is None
    assert day_two.between(GUIDE, dataclasses.replace(GUIDE, real_servers=GUIDE.real_servers[:1])) is None
    assert day_two.between(GUIDE, dataclasses.replace(GUIDE, real_servers=GUIDE.real_servers[::-1])) is None


def test_words() -> None:
    drained = day_two.carried(GUIDE, ServerSet("ftp1", 0))
    assert day_two.words(GUIDE, ServerSet("ftp1", 0)) == "Drain ftp1"
    assert day_two.words(drained, ServerSet("ftp1", 3)) == "Bring ftp1 back with weight 3"
    assert day_two.words(GUIDE, ServerSet("ftp1", 3)) == "Give ftp1 weight 3 instead of 1"
    assert day_two.words(drained, ServerSet("ftp1", 0, disabled=True)) == "Take ftp1 out of rotation"
    assert day_two.words(GUIDE, SORRY) == "Set the sorry server to 10.0.50.99"
    assert day_two.words(GUIDE, SorrySet(SorryServer())) == "Turn the sorry server off"


def test_what_cannot_be_is_refused_with_a_reason() -> None:
    with pytest.raises(SpecError, match="no real server of"):
        day_two.carried(GUIDE, ServerSet("ftp9", 0))
    with pytest.raises(SpecError, match="weight"):
        day_two.carried(GUIDE, ServerSet("ftp1", 70000))
    with pytest.raises(SpecError, match="give it 0"):
        day_two.carried(GUIDE, ServerSet("ftp1", 1, disabled=True))


def test_the_last_one_is_not_drained() -> None:
    one = day_two.carried(GUIDE, ServerSet("ftp1", 0))
    assert day_two.lacking(GUIDE, one) == ""
    assert "quorum is 1" in day_two.lacking(one, day_two.carried(one, ServerSet("ftp2", 0)))
    assert "quorum is 1" in day_two.lacking(one, day_two.carried(one, ServerSet("ftp2", 0, disabled=True)))


def test_the_draft_gets_the_same_one_thing() -> None:
    draft = {"real_servers": [{"name": "ftp1", "weight": 4, "disabled": False}, {"name": "new", "weight": 2}]}
    servers = day_two.on_draft(draft, ServerSet("ftp1", 0, disabled=True))["real_servers"]
    assert servers == [{"name": "ftp1", "weight": 0, "disabled": True}, {"name": "new", "weight": 2}]
    assert day_two.on_draft(draft, SORRY)["sorry_server"] == {"address": "10.0.50.99", "address6": ""}
    assert day_two.on_draft(draft, ServerSet("gone", 1)) == draft


def test_a_disabled_server_is_in_no_virtual_service() -> None:
    spec = day_two.carried(GUIDE, ServerSet("ftp1", 0, disabled=True))
    assert [d.address for d in services(spec)[0].destinations] == ["10.0.50.12"]
    drained = day_two.carried(GUIDE, ServerSet("ftp1", 0))
    assert [(d.address, d.weight) for d in services(drained)[0].destinations] == [("10.0.50.11", 0), ("10.0.50.12", 1)]


def test_sessions_transfers_and_kept_clients_are_told_apart() -> None:
    found = table(TEMPLATE, SESSION, TRANSFER, OVER, OTHERS)
    assert found.left["ftp1"] == Left(sessions=1, transfers=1, clients=1, sessions_for=899, clients_for=216)
    assert found.left["ftp2"] == Left()
    assert found.master
    assert not found.forgets


def test_empty_is_no_session_and_no_transfer() -> None:
    assert table(TEMPLATE, OVER).left["ftp1"] == Left(clients=1, clients_for=216)
    assert table().left["ftp1"] == Left()


def test_the_router_that_has_the_clients_is_believed() -> None:
    master, backup = table(SESSION), table(SESSION, TRANSFER, TEMPLATE, addresses="")
    assert sessions_left.together([master, backup]).left["ftp1"].transfers == 0
    nobody = sessions_left.together([table(SESSION, addresses=""), table(TRANSFER, SESSION, addresses="")])
    assert nobody.left["ftp1"].transfers == 1
    assert not nobody.master


def test_an_answer_that_is_cut_off_says_so() -> None:
    with pytest.raises(ObserveError, match="cut off"):
        sessions_left.read(GUIDE, HEAD + SESSION)
    with pytest.raises(ObserveError, match="not a connection"):
        table(SESSION.replace("B8C3", "zzzz"))
