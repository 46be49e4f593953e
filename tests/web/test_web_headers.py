"""What every answer says beside its page: nobody stores it, frames it, guesses its kind or takes it elsewhere."""

from __future__ import annotations

from typing import Any, Final

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from tests.web.conftest import As
from tests.web.test_web_hostile_input import addresses, keys  # noqa: F401 - the fixture
from tests.worlds import World

EXPECTED: Final = {
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
POLICY: Final = (
    "default-src 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "object-src 'none'",
    "form-action 'self'",
)


def missing(answer: Any) -> list[str]:
    """What is not as it has to be."""
    found = [name for name, value in EXPECTED.items() if answer.headers.get(name) != value]
    found += [part for part in POLICY if part not in answer.headers.get("Content-Security-Policy", "")]
    found += [] if "no-store" in answer.headers.get("Cache-Control", "") else ["no-store"]
    found += [] if "camera=()" in answer.headers.get("Permissions-Policy", "") else ["Permissions-Policy"]
    return found


def test_on_every_route_for_everybody(world: World, keys: dict[str, list[Any]]) -> None:  # noqa: F811
    people: list[User | None] = [world.alice, None]
    wrong = {}
    for person in people:
        client = Client(raise_request_exception=False)
        if person is not None:
            client.force_login(person)
        for name, url in addresses(keys).items():
            for method in ("get", "post"):
                if name == "accounts:logout" and method == "post":
                    continue
                if lacking := missing(getattr(client, method)(url)):
                    wrong[f"{method} {name} {person}"] = lacking
    assert wrong == {}


def test_on_what_comes_to_nothing(world: World, browse: As) -> None:
    client = browse(world.alice)
    answers = [
        client.get("/no-such-page/"),
        client.get("/?x=%00"),
        client.get("/", headers={"host": "elsewhere.example"}),
        client.post(reverse("changes:propose", args=[world.cluster.pk]), headers={"host": "elsewhere.example"}),
        Client(enforce_csrf_checks=True).post(reverse("accounts:login")),
        browse(world.alice).post(reverse("accounts:logout")),
    ]
    assert [answer.status_code for answer in answers] == [404, 400, 400, 400, 403, 302]
    assert [missing(answer) for answer in answers] == [[]] * len(answers)


def test_no_text_with_nul_is_looked_up(world: World, browse: As) -> None:
    client = browse(world.alice)
    url = reverse("inventory:real-servers")
    held = client.cookies.output(header="", sep=";")
    answers = [
        client.get(f"{reverse('changes:runs')}?cluster=a%00"),
        client.get(f"{reverse('changes:runs')}?a%00=b"),
        client.post(url, {"name": "a\0"}),
        client.get("/routers/%00/"),
        client.get("/", headers={"cookie": f'{held}; other="\\000"'}),
    ]
    assert [answer.status_code for answer in answers] == [400] * len(answers)
    assert all(b"NUL character" in answer.content for answer in answers)


def test_every_row_in_an_address_is_a_number_of_a_row() -> None:
    """A plain int takes thousands of digits, which no database does."""
    kinds = {type(c).__name__ for pattern in _patterns(get_resolver()) for c in pattern.pattern.converters.values()}
    # The other one is a token, which is only compared.
    assert kinds == {"RowId", "StringConverter"}


def _patterns(resolver: URLResolver) -> list[URLPattern]:
    found: list[URLPattern] = []
    for pattern in resolver.url_patterns:
        found += _patterns(pattern) if isinstance(pattern, URLResolver) else [pattern]
    return found


TYPED: Final = "CANARY typed secret"


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("inventory:add-credential", {"name": "", "purpose": "ssh", "kind": "key", "username": "u", "use_sudo": "on"}),
        ("inventory:add-credential", {"name": "n", "purpose": "ssh", "kind": "key", "username": "u"}),
        ("inventory:add-credential", {"name": "n", "purpose": "ftp", "username": "u", "use_sudo": "on"}),
        ("inventory:credential", {}),
        ("accounts:login", {"username": "alice"}),
        ("accounts:add-person", {"username": "", "role": "viewer"}),
    ],
)
def test_a_typed_secret_is_never_shown_again(world: World, browse: As, name: str, fields: dict[str, str]) -> None:
    typed = dict.fromkeys(("secret", "sudo_password", "password", "again", "code"), TYPED)
    client = browse(None if name == "accounts:login" else world.alice)
    page = client.post(
        reverse(name, args=[world.key.pk] if name == "inventory:credential" else []), {**fields, **typed}
    )
    text = page.content.decode()
    assert page.status_code in (200, 422)
    assert TYPED not in text
    if name.startswith("inventory"):
        assert "Type again what is never shown" in text
        assert "Nothing was saved yet; what you typed is still here" not in text


def test_fields_of_secrets_are_not_remembered(world: World, browse: As) -> None:
    for name, args in (("inventory:add-credential", []), ("inventory:credential", [world.key.pk])):
        text = browse(world.alice).get(reverse(name, args=args)).content.decode()
        field = text.partition('name="secret"')[2].partition(">")[0]
        assert 'autocomplete="off"' in field
        assert "secret" in field


@pytest.mark.parametrize("given", ["9" * 25, "9" * 5000, str(2**63), "-1", "x"])
def test_a_choice_of_several_rows_takes_rows_alone(world: World, browse: As, given: str) -> None:
    """Django asks the database for all numbers at once, and SQLite breaks at one of more than 8 bytes."""
    typed = {"name": "new", "probe_hosts": [str(world.client.pk), given]}
    page = browse(world.alice).post(reverse("clusters:new"), typed)
    assert page.status_code == 422
    assert (
        "is not one of the available choices" in page.content.decode()
        or "is not a valid value" in page.content.decode()
    )
