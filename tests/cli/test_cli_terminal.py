"""What machines said reaches the terminal of the command line visibly: none of it is obeyed."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from django.core.management.base import OutputWrapper

from lbftp.changes.models import RunEvent
from lbftp.cli.ask import Ask
from lbftp.cli.exits import exit_status
from lbftp.cli.follow import lines
from lbftp.core.spec import SpecError

ESCAPES = "\x1b]0;title\x07\x1b[2J\x9b31m\u202egnp.exe\x08\r\x7f"


def ask(*, as_json: bool = False) -> tuple[Ask, io.StringIO, io.StringIO]:
    out, err = io.StringIO(), io.StringIO()
    return Ask({"json": as_json}, OutputWrapper(out), OutputWrapper(err)), out, err


def harmless(text: str) -> bool:
    return all(c.isprintable() or c in "\n\t" for c in text)


@pytest.mark.parametrize("as_json", [False, True])
def test_nothing_that_is_printed_is_obeyed(as_json: bool) -> None:
    one, out, err = ask(as_json=as_json)
    events = [
        RunEvent(kind="output", router="r1", data={"step": "x", "text": ESCAPES}),
        RunEvent(kind="note", data={"text": ESCAPES}),
        RunEvent(kind="end", data={"state": "failed", "outcome": ESCAPES}),
    ]
    for event in events:
        for line in lines(event):
            one.say(line)
    one.complain(ESCAPES)
    one.answer({"said": ESCAPES}, ESCAPES)
    assert harmless(out.getvalue() + err.getvalue())
    if as_json:
        assert json.loads(out.getvalue()) == {"said": ESCAPES}
    else:
        assert "␛[2J\\x9b31m\\u202egnp.exe" in out.getvalue()


def test_what_went_wrong_is_told_likewise() -> None:
    one, out, err = ask()

    def act(_ask: Ask) -> int:
        raise SpecError("name", ESCAPES)

    assert exit_status(act, one) == 2
    assert err.getvalue()
    assert harmless(out.getvalue() + err.getvalue())


def test_there_is_no_other_way_to_the_terminal() -> None:
    folder = Path(ask.__code__.co_filename).parents[2] / "lbftp" / "cli"
    past = [p.name for p in folder.glob("*.py") if re.search(r"std(out|err)\.write|\bprint\(", p.read_text())]
    assert past == ["ask.py"]
