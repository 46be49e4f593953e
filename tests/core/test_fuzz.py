"""No text makes a reader raise anything but its own error. LBFTP_FUZZ: how many texts in all (`make test-long`: 100,000)."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from lbftp.core.ftp.proftpd.read import proftpd
from lbftp.core.ftp.pure_ftpd.read import pure_ftpd
from lbftp.core.ftp.vsftpd.read import vsftpd
from lbftp.core.observe import connections, facts, iptables, ipvs, ipvs_stats, nftables, numbers
from lbftp.core.observe.answer import observed, unframe
from lbftp.core.observe.errors import ObserveError
from lbftp.core.observe.keepalived import includes_ours, marks, router_ids
from lbftp.core.observe.keepalived.tree import read
from lbftp.core.observe.keepalived.typed import meaning
from tests.core.cases import DATA, answer

TEXTS: Final = int(os.environ.get("LBFTP_FUZZ", "4000"))
# Pieces that readers stop at, look for, or count on.
_PIECES: Final = (
    *("\n", " ", "\t", "{", "}", "[", "]", '"', "'", "\\", "#", "!", "*", ":", ",", ";", "=", "~", "$", "@", "/"),
    *("-A", "-a", "-j", "-f", "21", "0x15", "65536", "-1", "9" * 12, "9" * 5000, "%eth0", "::"),
    *("\x00", "\x85", "\u2028", "\udcff", "é"),
)


def _keepalived(text: str) -> object:
    for look in (includes_ours, marks, router_ids):
        look(text)
    return meaning(read({"/etc/keepalived/keepalived.conf": text}, "/etc/keepalived/keepalived.conf"))


READERS: Final[dict[str, Callable[[str], Any]]] = {
    "iptables": iptables.parse,
    "nft": nftables.parse,
    "ipvs": ipvs.parse,
    "ipvs --stats": ipvs_stats.parse,
    "keepalived": _keepalived,
    "addresses": facts.addresses,
    "listening": facts.listening,
    "units": facts.units,
    "os-release": facts.os_release,
    "connections": connections.servers,
    "numbers": numbers.parse,
    "vsftpd": vsftpd,
    "pure-ftpd": pure_ftpd,
    "proftpd": proftpd,
}


def corpus() -> list[str]:
    """Everything real that was recorded, part by part."""
    found = []
    for name in ("r1", "r2"):
        for when in ("fresh", "applied"):
            found += [part.decode("utf-8", "surrogateescape") for part in unframe(answer(name, when)).values()]
    files = [p for p in sorted(DATA.rglob("*")) if p.is_file() and p.suffix != ".answer"]
    golden = sorted((Path(__file__).parent / "golden").rglob("*.txt"))
    return [text for text in (*found, *(p.read_text(errors="surrogateescape") for p in (*files, *golden))) if text]


def mutant(source: random.Random, texts: list[str]) -> str:
    """A real text with pieces cut, doubled, moved or put in."""
    text = source.choice(texts)
    start = source.randrange(len(text))
    text = text[start : start + source.choice((40, 400, 4000))]
    for _ in range(source.randrange(1, 8)):
        place, length = source.randrange(len(text) + 1), source.choice((0, 0, 1, 2, 9))
        text = text[:place] + source.choice((*_PIECES, text[: source.randrange(30)])) + text[place + length :]
    return text


@pytest.mark.parametrize("name", READERS)
def test_no_text_makes_a_reader_raise_anything_else(name: str) -> None:
    source, texts = random.Random(f"lbftp {name}"), corpus()  # noqa: S311 - the same texts every time
    for _ in range(TEXTS // len(READERS)):
        text = mutant(source, texts)
        try:
            READERS[name](text)
        except ObserveError:
            continue
        except Exception as error:
            raise AssertionError(f"{name} raised {error!r} on {text!r}") from error


def test_no_answer_makes_the_reader_raise_anything_else() -> None:
    source, whole = random.Random("lbftp answer"), answer("r2", "applied")  # noqa: S311 - the same every time
    for _ in range(max(20, TEXTS // 200)):
        broken = bytearray(whole)
        for _ in range(source.randrange(1, 30)):
            place = source.randrange(len(broken))
            broken[place : place + source.randrange(3)] = bytes(
                source.randrange(256) for _ in range(source.randrange(3))
            )
        try:
            observed("r2", bytes(broken))
        except ObserveError:
            continue
