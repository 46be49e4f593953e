"""Nothing that a request may hold makes lbftp fail: numbers beyond any column, NUL, long texts, in every place of every
route, as people of every role. What makes no sense is refused with a page that says so."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import NoReverseMatch, get_resolver, reverse
from django.utils import timezone

import lbftp
from lbftp.changes.services import verify
from lbftp.daytwo.models import Drain
from lbftp.inventory.services import give_access
from lbftp.web.forms import ServiceForm
from tests.web.test_web_access import MANAGED, NEW, OPERATED, SEEN, names
from tests.worlds import World, applied

# Python refuses to read a number of more than 4,300 digits; SQLite and PostgreSQL hold 19; neither text holds NUL.
NUMBERS: Final = ("9" * 5000, "9" * 25, str(2**63 - 1), "-1", "²")
TEXTS: Final = ("a\0b", "x" * 5000, "{", "1e999")
SINGLE: Final = ("9" * 5000, "9" * 25, "a\0b", "x" * 5000)
# The whole series takes ten minutes; else each place gets one value of each series, another one than its neighbour.
_LONG: Final = bool(os.environ.get("LBFTP_LONG"))
# What views read without a form.
READ_BY_HAND: Final = ("team", "cluster", "beside", "proposal", "name", "reason", "servers", "fingerprint", "purpose")
_READ: Final = re.compile(r'\b(?:request\.(?:GET|POST)|query|words|given)\.get(?:list)?\(\s*"(\w+)"')


class _Fields(HTMLParser):
    """What a page's forms would send: names, with the values that are there."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("input", "select", "textarea", "button") and (name := given.get("name")):
            self.found.setdefault(name, given.get("value") or "1")


def fields(html: str) -> dict[str, str]:
    parser = _Fields()
    parser.feed(html)
    parser.found.pop("csrfmiddlewaretoken", None)
    return parser.found


def some(values: Sequence[str], turn: int) -> Sequence[str]:
    """All of them in the long series; else the one whose turn it is."""
    return values if _LONG else (values[turn % len(values)],)


def _forms(kind: type[ServiceForm] = ServiceForm) -> Iterator[type[ServiceForm]]:
    for form in kind.__subclasses__():
        yield form
        yield from _forms(form)


def every_name() -> list[str]:
    """Every name that lbftp reads from a request, as far as it is written somewhere."""
    get_resolver().url_patterns  # noqa: B018 - loads all forms
    sources = [path.read_text() for path in Path(lbftp.__file__).parent.rglob("*.py")]
    read = {name for text in sources for name in _READ.findall(text)}
    typed = {name for form in _forms() for name in form.base_fields}
    return sorted(read | typed | {"page", "team", "username", "password", "next", "csrfmiddlewaretoken"})


@pytest.fixture
def browsers(world: World) -> list[Client]:
    """An administrator, somebody who watches, a stranger, nobody."""
    people: list[User | None] = [world.alice, world.victor, world.mallory, None]
    found = []
    for person in people:
        client = Client(raise_request_exception=False)
        if person is not None:
            client.force_login(person)
        found.append(client)
    return found


@pytest.fixture
def keys(world: World) -> dict[str, list[Any]]:
    change = applied(world)
    drain = Drain.objects.create(cluster=world.cluster, server="ftp1", started_at=timezone.now())
    access, _ = give_access(user=world.alice, server=world.ftp1, address="10.0.50.11", port=22, credential=world.key)
    return {
        "router": [world.r1.pk],
        "probe": [world.client.pk],
        "server": [world.ftp1.pk],
        "bare": [world.ftp2.pk],
        "access": [access.pk],
        "credential": [world.key.pk],
        "cluster": [world.cluster.pk],
        "revision": [world.cluster.pk, change.revision.number],
        "change": [change.pk],
        "drain": [drain.pk],
        "run": [verify(user=world.bob, cluster=world.cluster).pk],
        "member": [world.bob.memberships.get().pk],
    }


# Addresses that hold something else than rows.
TOKENS: Final = {"accounts:invitation": ["no-such-invitation"]}


def addresses(keys: dict[str, list[Any]]) -> dict[str, str]:
    """Every route with an address that leads somewhere."""
    things = {**SEEN, **{name: thing for name, (_, thing) in {**OPERATED, **MANAGED}.items()}}
    found = {}
    for name in names():
        try:
            args = keys[things[name]] if name in things else TOKENS.get(name, [])
            found[name] = reverse(name, args=args)
        except (NoReverseMatch, KeyError):
            raise AssertionError(f"{name} needs a thing that this test does not know") from None
    return found


def broken(response: Any, what: str) -> list[str]:
    return [f"{response.status_code} {what[:120]}"] if response.status_code >= 500 and "/readyz" not in what else []


def ask(client: Client, method: str, url: str, data: dict[str, str]) -> list[str]:
    shown = {name: value[:30] for name, value in list(data.items())[:3]}
    return broken(getattr(client, method)(url, data), f"{method} {url} {shown}")


def test_no_id_in_a_path_makes_it_fail(browsers: list[Client], keys: dict[str, list[Any]]) -> None:
    bad: list[str] = []
    series = (*NUMBERS, "%00", "1%00", "%FF", "%ED%A0%80")
    for turn, url in enumerate(addresses(keys).values()):
        if not re.search(r"/\d+/", url):
            continue
        # The longest number always: it is what broke pages.
        for value in dict.fromkeys([NUMBERS[0], *some(series, turn)]):
            hostile = re.sub(r"/\d+/", f"/{value}/", url)
            for client in browsers[::3]:
                bad += broken(client.get(hostile), f"get {hostile}") + broken(client.post(hostile), f"post {hostile}")
    assert bad == []


def test_no_parameter_of_an_address_makes_it_fail(browsers: list[Client], keys: dict[str, list[Any]]) -> None:
    bad: list[str] = []
    read = dict.fromkeys(every_name(), "1")
    for turn, url in enumerate(addresses(keys).values()):
        known = {**read, **fields(browsers[0].get(url).content.decode())}
        for value in some(SINGLE, turn):
            for client in browsers[::3]:
                bad += ask(client, "get", url, dict.fromkeys(known, value))
    assert bad == []


def test_no_single_parameter_of_a_list_makes_it_fail(browsers: list[Client], keys: dict[str, list[Any]]) -> None:
    bad: list[str] = []
    for turn, url in enumerate(addresses(keys).values()):
        for number, name in enumerate(("page", "team", "cluster", "have", "subject", "of", "over", "next")):
            for value in some(SINGLE, turn + number):
                bad += ask(browsers[0], "get", url, {name: value})
    assert bad == []


def test_no_field_of_a_form_makes_it_fail(browsers: list[Client], keys: dict[str, list[Any]], world: World) -> None:
    bad: list[str] = []
    routes = addresses(keys)
    pages = "".join(browsers[0].get(url).content.decode() for url in routes.values() if "-live" not in url)
    read = dict.fromkeys(every_name(), "1")
    for turn, (name, url) in enumerate(routes.items()):
        if name == "accounts:logout":
            continue
        own = fields(browsers[0].get(url).content.decode()) if name in NEW or name in OPERATED else {}
        for value in some(SINGLE, turn):
            for client in browsers[::3]:
                bad += ask(client, "post", url, dict.fromkeys({**fields(pages), **read}, value))
        for number, field in enumerate(own or READ_BY_HAND):
            for value in some(SINGLE[:3], turn + number):
                bad += ask(browsers[0], "post", url, {**own, field: value})
    assert bad == []


def test_no_cookie_or_header_makes_it_fail(browsers: list[Client], keys: dict[str, list[Any]]) -> None:
    bad: list[str] = []
    url = reverse("home")
    for client in browsers:
        for name in ("sessionid", "csrftoken", "messages"):
            for value in ('"\\000\\000\\000\\000\\000\\000\\000\\000\\000"', "x" * 5000, '"\\303\\050"'):
                held = client.cookies.output(header="", sep=";")
                bad += broken(client.get(url, headers={"cookie": f"{held}; {name}={value}"}), f"cookie {name}")
        for header in ("hx-current-url", "hx-target", "accept-language", "referer", "origin", "x-forwarded-for"):
            for value in ("\xff" * 9, "9" * 5000, "%00", "http://[::1"):
                bad += broken(client.get(url, headers={header: value}), f"header {header}")
                bad += broken(client.post(url, headers={header: value}), f"header {header}")
    assert bad == []


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=" + "x" * 500,
        "multipart/form-data; boundary=x; charset=utf-16",
        "application/x-www-form-urlencoded; charset=utf-16",
        "application/x-www-form-urlencoded; charset=none-such",
        "application/json",
        "",
    ],
)
def test_no_kind_of_body_makes_it_fail(browsers: list[Client], keys: dict[str, list[Any]], content_type: str) -> None:
    bad: list[str] = []
    bodies = (
        b"",
        b"\0" * 100,
        b"a=%00",
        b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n\0\r\n--x--\r\n",
        b"\xff=\xfe",
    )
    for url in addresses(keys).values():
        for body in bodies:
            # `post` would write the body anew in the charset that is claimed.
            answer = browsers[0].generic("POST", url, body, content_type=content_type)
            bad += broken(answer, f"post {url} {body[:20]!r}")
    assert bad == []
