"""The keys of stored secrets: whether they open everything, and new ones. For whoever runs the site."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lbftp.cli.ask import Ask
from lbftp.cli.exits import DONE, FAILED
from lbftp.inventory import sealing
from lbftp.inventory.sealing import Lost


def add_options(verb: Callable[..., Any]) -> None:
    text = "Check that every stored secret can be opened, or seal all of them with a new key while the site goes on."
    secrets = verb("secrets", secrets_verb, text)
    secrets.add_argument("action", choices=["check", "rotate"])
    secrets.add_argument(
        "--drop-old", action="store_true", help="rotate: take older keys out of the file, if nothing needs them"
    )
    secrets.add_argument(
        "--lost", action="store_true", help="rotate: the key file is lost for good; begin with a new one"
    )


def secrets_verb(ask: Ask) -> int:
    return _check(ask) if ask.options["action"] == "check" else _rotate(ask)


def _check(ask: Ask) -> int:
    missing = sealing.lost()
    if not missing:
        ask.answer({"lost": []}, "Every stored secret can be opened.")
        return DONE
    _tell(ask, missing)
    ask.answer({"lost": [_plain(one) for one in missing]})
    return FAILED


def _rotate(ask: Ask) -> int:
    drop = ask.options["drop_old"]
    done = sealing.rotate(drop_old=drop, begin_anew=ask.options["lost"])
    ask.say(f"Sealed with the new key: {done.sealed}. Keep the key file apart from the database, as before.")
    if done.dropped:
        ask.say("The older keys are gone. Backups of the database from before can no longer be used without them.")
    elif drop:
        ask.complain("The older keys stay: something still needs them.")
    _tell(ask, done.lost)
    ask.answer({"sealed": done.sealed, "dropped": done.dropped, "lost": [_plain(one) for one in done.lost]})
    return FAILED if done.lost or (drop and not done.dropped) else DONE


def _tell(ask: Ask, missing: Sequence[Lost]) -> None:
    for one in missing:
        ask.complain(f"cannot be opened: {one}")
    if missing:
        remedy = "Put the key file back that belongs to this database, or enter these anew (Credentials)."
        ask.complain(f"{len(missing)} stored secrets cannot be opened. {remedy}")


def _plain(one: Lost) -> dict[str, Any]:
    return {"team": one.team, "name": one.name, "column": one.column}
