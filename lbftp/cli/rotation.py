"""Day two: real servers drained, taken out, brought back, weighed; the sorry server; who may do these alone."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from lbftp.changes import services
from lbftp.changes.models import ChangeRequest, Run
from lbftp.cli import show
from lbftp.cli.ask import Ask, WrongUse
from lbftp.cli.exits import DONE, FAILED
from lbftp.cli.follow import follow
from lbftp.daytwo import page
from lbftp.daytwo.services import acting

_STANDING = (ChangeRequest.State.PROPOSED, ChangeRequest.State.APPROVED)


def add_options(verb: Callable[..., Any], waiting: Callable[[], Any]) -> None:
    """The sub-commands of this file."""
    texts = {
        drain: "Propose that a real server gets no new clients; its sessions go on.",
        disable: "Propose to take a real server out of rotation; its sessions are cut off.",
        enable: "Propose to bring a real server back.",
        weight: "Propose another weight for a real server.",
    }
    for act, text in texts.items():
        parser = verb(act.__name__, act, text, waiting())
        parser.add_argument("cluster")
        parser.add_argument("server")
        _common(parser)
        if act is enable:
            parser.add_argument("--weight", type=int, help="else the one that it had")
        if act is weight:
            parser.add_argument("weight", type=int)
    sorry = verb("sorry", set_sorry, "Propose who answers while no real server does; no address: nobody.", waiting())
    sorry.add_argument("cluster")
    sorry.add_argument("--address", default="", metavar="IPV4")
    sorry.add_argument("--address6", default="", metavar="IPV6")
    _common(sorry)
    undo_ = verb("undo", undo, "Propose the opposite of an applied day-two change.", waiting())
    undo_.add_argument("change")
    undo_.add_argument("--start", action="store_true", help="apply it once planned, if nobody else has to approve")
    rotation = verb("rotation", rotate, "Show real servers and what drained ones still have; set who may act alone.")
    rotation.add_argument("cluster")
    rotation.add_argument("--operators-alone", action=argparse.BooleanOptionalAction, help="for administrators")


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", default="", help="why")
    parser.add_argument("--start", action="store_true", help="apply it once planned, if nobody else has to approve")


def drain(ask: Ask) -> int:
    return _proposed(ask, acting.drain(**_server(ask)))


def disable(ask: Ask) -> int:
    return _proposed(ask, acting.disable(**_server(ask)))


def enable(ask: Ask) -> int:
    return _proposed(ask, acting.enable(**_server(ask), weight=ask.options["weight"]))


def weight(ask: Ask) -> int:
    return _proposed(ask, acting.weigh(**_server(ask), weight=ask.options["weight"]))


def set_sorry(ask: Ask) -> int:
    words = {name: ask.options[name] for name in ("address", "address6", "reason")}
    return _proposed(ask, acting.set_sorry(user=ask.person(), cluster=ask.cluster_to_act_on(), **words))


def undo(ask: Ask) -> int:
    return _proposed(ask, acting.undo(user=ask.person(), change=ask.change()))


def _server(ask: Ask) -> dict[str, Any]:
    words = {name: ask.options[name] for name in ("server", "reason")}
    return {"user": ask.person(), "cluster": ask.cluster_to_act_on(), **words}


def _proposed(ask: Ask, change: ChangeRequest) -> int:
    """Planned; with --start applied, which is refused (exit 3) where somebody else has to approve it first."""
    if ask.options["start"] and ask.options["no_wait"]:
        raise WrongUse("--start waits for the plan: leave out --no-wait.")
    ask.say(f"change #{change.pk} proposed: {change.title}")
    follow(ask, change.runs.get())
    change.refresh_from_db()
    if not ask.options["start"] or change.state not in _STANDING:
        ask.answer(show.change_data(change), show.change_text(change))
        return DONE if ask.options["no_wait"] or change.state in _STANDING else FAILED
    run = follow(ask, services.apply_change(user=ask.person(), change=change))
    change.refresh_from_db()
    ask.answer({**show.change_data(change), "run": show.run_data(run)}, f"run {run.pk}: {run.outcome}")
    return DONE if run.state == Run.State.SUCCEEDED else FAILED


def rotate(ask: Ask) -> int:
    """Who is in rotation; with --operators-alone sets who needs approval first."""
    alone = ask.options["operators_alone"]
    cluster = ask.cluster() if alone is None else ask.cluster_to_act_on()
    if alone is not None:
        acting.allow_operators(user=ask.person(), cluster=cluster, alone=alone)
    standing = page.standing(cluster)
    data = {
        "cluster": cluster.name,
        "operators_alone": cluster.operators_alone,
        "sorry": standing.sorry,
        "servers": [_data(server) for server in standing.servers],
    }
    ask.answer(data, "\n".join(map(_text, standing.servers)) or f"nothing of {cluster.name} is applied yet")
    return DONE


def _data(server: page.Server) -> dict[str, Any]:
    drain = server.drain
    left = ("sessions_left", "transfers_left", "clients_left", "until", "looked_at", "problem", "empty_at")
    return {
        "server": server.name,
        "state": server.state[1],
        "weight": server.spec.weight,
        "drain": {name: getattr(drain, name) for name in left} if drain else None,
    }


def _text(server: page.Server) -> str:
    words = ". ".join(text for text in (server.words, server.kept) if text)
    return f"{server.name:<16}  {server.state[1]:<15}  weight {server.spec.weight}  {words}".rstrip()
