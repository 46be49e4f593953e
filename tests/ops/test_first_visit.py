"""A fresh site as `make run` starts it: strangers who come first get nothing, whoever reads the terminal gets in."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ops.demo.site import Visitor
from ops.places import ROOT

pytestmark = pytest.mark.timeout(240)
CODE = re.compile(r"\b(?:[0-9A-Z]{5}-){3}[0-9A-Z]{5}\b")


class Fresh:
    """What `make run` printed: where the site is, and the code."""

    def __init__(self, lines: list[str]) -> None:
        text = "".join(lines)
        self.base = re.findall(r"http://127\.0\.0\.1:\d+", text)[0]
        self.code = CODE.findall(text)[0]


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Fresh]:
    env = os.environ | {"LBFTP_VAR": str(tmp_path), "LBFTP_PORT": "", "LBFTP_BEAT_TICK_SECONDS": "1"}
    argv = [sys.executable, "-m", "ops.stack", "run"]
    with subprocess.Popen(argv, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        lines: list[str] = []
        while not any("It is good for" in line for line in lines):
            line = run.stdout.readline()
            assert line, lines
            lines.append(line)
        yield Fresh(lines)
        run.send_signal(signal.SIGINT)
        assert run.wait(60) == 0


def come(fresh: Fresh, number: int, code: str) -> tuple[int, bool]:
    """(status, whether signed in) of somebody who sends the form of the first visit."""
    visitor = Visitor(fresh.base)
    visitor.get("/welcome/")
    password = "a long enough one"
    form = {"code": code, "username": f"visitor{'abcdef'[number]}", "password": password, "again": password}
    status, _page = visitor.post("/welcome/", {**form, "team": f"team {number}"})
    return status, visitor.signed_in


def test_who_has_no_code_gets_nothing_and_of_six_who_have_it_one_gets_in(fresh: Fresh, tmp_path: Path) -> None:
    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(lambda number: come(fresh, number, "00000-00000-00000-00000"), range(6))) == {(422, False)}
        answers = list(pool.map(lambda number: come(fresh, number, fresh.code), range(6)))
    assert [signed_in for _, signed_in in answers].count(True) == 1, answers
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and fresh.code.encode() in path.read_bytes()]
    assert kept == []
