"""Our own secrets in what machines say: replaced by a mark, however they are written there.

Whoever works with secrets makes them known for as long (`known`); from then on `hidden` replaces them. This is the one
thing in the core that is not the same at every call: no bytes for a machine ever pass through here.
"""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
import urllib.parse
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, Final

from lbftp.core.job import Access, Job
from lbftp.core.printable import visible

MARK: Final = "[secret]"
# A shorter secret is part of many words. It is replaced where a word for passwords stands before it, and nowhere else.
SHORTEST: Final = 4
# A line of a key's file that says something of the key.
_KEY_LINE: Final = 12
_CALLED: Final = r"(?i:\bpass\w*\b[\W_]{0,3})"
# Values under these keys are lbftp's own words, which pages depend on.
OWN: Final = frozenset({"code", "digest", "id", "kind", "level", "phase", "revision", "severity", "state"})

_numbers = count()
_known: dict[int, re.Pattern[str]] = {}


@contextmanager
def known(secrets: Iterable[str]) -> Iterator[None]:
    """Within, `hidden` knows these secrets, in every thread of this process."""
    pattern, number = _pattern(secrets), next(_numbers)
    if pattern:
        _known[number] = pattern
    try:
        yield
    finally:
        _known.pop(number, None)


def hidden(value: Any) -> Any:
    """A JSON value or text with a mark in place of every secret that is known now."""
    patterns = list(_known.values())
    return _hidden(value, patterns) if patterns else value


def of_job(job: Job) -> Iterator[str]:
    """Every secret that a job brings."""
    machines = [*job.routers, *job.servers, *(probe.access for probe in job.probes), job.target]
    for access in machines:
        if access is not None:
            yield from of_access(access)
    yield from (probe.password for probe in job.probes)


def of_access(access: Access) -> Iterator[str]:
    yield from (access.key, access.password, access.sudo_password)


def _hidden(value: Any, patterns: list[re.Pattern[str]]) -> Any:
    if isinstance(value, str):
        for pattern in patterns:
            value = pattern.sub(_mark, value)
        return value
    if isinstance(value, dict):
        return {
            key: one if key in OWN else _hidden(one, patterns)
            for key, one in ((_hidden(key, patterns), one) for key, one in value.items())
        }
    if isinstance(value, list | tuple):
        return [_hidden(one, patterns) for one in value]
    return value


def _mark(found: re.Match[str]) -> str:
    return f"{found['called'] or ''}{MARK}"


def _pattern(secrets: Iterable[str]) -> re.Pattern[str] | None:
    forms = {form for secret in secrets if secret for part in _parts(secret) for form in _forms(part)}
    long = sorted((f for f in forms if len(f) >= SHORTEST), key=lambda f: (-len(f), f))
    short = sorted(f for f in forms if f and len(f) < SHORTEST)
    found = [re.escape(form) for form in long]
    if short:
        found.append(rf"(?P<called>{_CALLED})(?:{'|'.join(map(re.escape, short))})(?!\w)")
    else:
        # The group is there in any case, so that one function does for all.
        found.append(r"(?P<called>(?!))")
    return re.compile("|".join(found)) if forms else None


def _parts(secret: str) -> Iterator[str]:
    """The secret, and of one in several lines (a key) each line, as machines print and wrap them."""
    yield secret.strip("\n")
    lines = [line.strip() for line in secret.splitlines()]
    if len(lines) > 1:
        yield from (line for line in lines if len(line) >= _KEY_LINE and not line.startswith("-----"))


def _forms(secret: str) -> Iterator[str]:
    """As it is, as shown, and as shells, JSON, Python, addresses, pages, hexadecimal and base64 write it."""
    yield from (secret, visible(secret))
    yield shlex.quote(secret).strip("'")
    yield from (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1])
    yield from (
        urllib.parse.quote(secret),
        urllib.parse.quote(secret, safe=""),
        urllib.parse.quote_plus(secret),
        html.escape(secret),
    )
    data = secret.encode("utf-8", "surrogateescape")
    if len(data) >= SHORTEST:
        yield from (data.hex(), data.hex().upper(), base64.b64encode(data).decode())
        yield from _base64(data)


def _base64(data: bytes) -> Iterator[str]:
    """What the middle of it looks like in base64, at each of the three places where it may begin."""
    for before in range(3):
        text = base64.b64encode(b"\0" * before + data).decode().rstrip("=")
        # The first characters have bits of what stands before, the last one of what follows.
        middle = text[(before * 8 + 5) // 6 : -1]
        if len(middle) >= 2 * SHORTEST:
            yield from (middle, middle.replace("+", "-").replace("/", "_"))
