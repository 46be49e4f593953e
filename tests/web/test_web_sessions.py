"""Sessions end: by time, by signing out, by what is done to the person; and pages say so."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, cast

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from lbftp.accounts import services
from lbftp.accounts.models import Account, Membership, Role, SignIn
from lbftp.accounts.services import invitations
from lbftp.changes.models import Transition
from lbftp.web import landing
from tests.web.conftest import As
from tests.worlds import World

PASSWORD = "a long enough one"
AtMost = Callable[[int], AbstractContextManager[Any]]
FRAGMENT = {"HX-Request": "true"}


def is_in(client: Client) -> bool:
    return client.get(reverse("accounts:people")).status_code == 200


def sign_in(client: Client, typed: str = PASSWORD, wanted: str = "") -> HttpResponse:
    form = {"username": "bob", "password": typed, "next": wanted}
    return cast(HttpResponse, client.post(reverse("accounts:login"), form))


def test_a_session_ends_when_nothing_was_done_in_it(world: World, browse: As) -> None:
    client = browse(world.bob)
    assert is_in(client)
    SignIn.objects.update(active_at=timezone.now() - timedelta(seconds=settings.SESSION_IDLE_SECONDS - 30))
    assert is_in(client)
    assert SignIn.objects.get().active_at > timezone.now() - timedelta(seconds=30)
    SignIn.objects.update(active_at=timezone.now() - timedelta(seconds=settings.SESSION_IDLE_SECONDS + 1))
    assert not is_in(client)
    assert SignIn.objects.get().ended_at is not None


def test_a_session_ends_after_its_time_whatever_is_done(world: World, browse: As) -> None:
    client = browse(world.bob)
    SignIn.objects.update(started_at=timezone.now() - timedelta(seconds=settings.SESSION_COOKIE_AGE + 1))
    assert not is_in(client)


def test_what_pages_ask_by_themselves_is_no_sign_of_a_person(world: World, browse: As) -> None:
    client = browse(world.bob)
    before = timezone.now() - timedelta(seconds=settings.SESSION_IDLE_SECONDS - 60)
    SignIn.objects.update(active_at=before)
    cluster = world.cluster.pk
    asked = [
        reverse("home-live"),
        reverse("clusters:cluster-live", args=[cluster]),
        reverse("numbers:cluster-live", args=[cluster]),
        reverse("daytwo:cluster-live", args=[cluster]),
        reverse("inventory:router-live", args=[world.r1.pk]),
        reverse("accounts:session"),
    ]
    assert [client.get(url, headers=FRAGMENT).status_code for url in asked] == [200] * len(asked)
    assert SignIn.objects.get().active_at == before


def routes(resolver: URLResolver | None = None, prefix: str = "") -> dict[str, URLPattern]:
    found: dict[str, URLPattern] = {}
    for pattern in (resolver or get_resolver()).url_patterns:
        if isinstance(pattern, URLResolver):
            found |= routes(pattern, f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix)
        elif isinstance(pattern, URLPattern):
            found[f"{prefix}{pattern.name}"] = pattern
    return found


def test_every_live_fragment_is_known_as_such() -> None:
    live = {name for name in routes() if name.endswith("-live")}
    assert len(live) >= 9
    assert {name for name in live if not getattr(routes()[name].callback, "polled", False)} == set()


def test_fragments_without_a_session_get_a_status_and_no_page(world: World, client: Client) -> None:
    cluster = world.cluster.pk
    for url in (reverse("home-live"), reverse("clusters:cluster-live", args=[cluster])):
        answer = client.get(url, headers=FRAGMENT)
        assert (answer.status_code, answer.content) == (401, b"You are signed out.")
    assert client.post(reverse("clusters:check"), headers=FRAGMENT).status_code == 401


def test_signing_out_ends_the_session_itself(world: World, browse: As) -> None:
    client = browse(world.bob)
    kept = client.cookies["sessionid"].value
    client.post(reverse("accounts:logout"))
    client.cookies["sessionid"] = kept
    assert not is_in(client)
    assert Transition.objects.filter(subject="person", name="bob").latest("pk").what == "Signed out."


def test_what_is_done_to_a_person_ends_their_sessions(world: World, browse: As) -> None:
    bob = Membership.objects.get(user=world.bob)
    client, other = browse(world.bob), browse(world.carol)
    services.lock(user=world.alice, membership=bob)
    assert not is_in(client)
    services.unlock(user=world.alice, membership=bob)
    assert not is_in(client)

    world.bob.refresh_from_db()
    client = browse(world.bob)
    link = invitations.new_link(user=world.alice, membership=bob)
    assert is_in(client)
    invitations.accept(token=link.token, password="another long one", address="")
    assert not is_in(client)

    world.bob.refresh_from_db()
    client = browse(world.bob)
    services.set_role(user=world.alice, membership=bob, role=None)
    assert not is_in(client)
    assert is_in(other)


def test_the_own_password_ends_every_other_session(world: World, browse: As) -> None:
    here, there = browse(world.bob), browse(world.bob)
    form = {"present": PASSWORD, "password": "another long one", "again": "another long one"}
    wrong = here.post(reverse("accounts:password"), {**form, "present": "wrong"})
    assert (wrong.status_code, b"not your present password" in wrong.content) == (422, True)
    assert here.post(reverse("accounts:password"), form)["Location"] == "/"
    assert is_in(here)
    assert not is_in(there)


def test_guessing_at_the_sign_in_page(world: World, client: Client) -> None:
    assert [sign_in(client, typed="wrong").status_code for _ in range(7)] == [422] * 5 + [429] * 2
    page = sign_in(client)
    assert page.status_code == 429
    assert 0 < int(page["Retry-After"]) <= 15 * 60
    assert b"Too many wrong passwords for this name from your address" in page.content
    # A header that anybody can send changes nothing; another address does.
    claimed = {"username": "bob", "password": PASSWORD}
    assert client.post(reverse("accounts:login"), claimed, HTTP_X_FORWARDED_FOR="198.51.100.9").status_code == 429
    assert client.post(reverse("accounts:login"), claimed, REMOTE_ADDR="198.51.100.9").status_code == 302


def test_guessing_at_the_own_password_page(world: World, browse: As) -> None:
    client = browse(world.bob)
    form = {"present": "wrong", "password": "another long one", "again": "another long one"}
    pages = [client.post(reverse("accounts:password"), form) for _ in range(6)]
    assert b"Too many wrong passwords" in pages[-1].content
    assert (
        b"Too many wrong passwords" in client.post(reverse("accounts:password"), {**form, "present": PASSWORD}).content
    )


def test_a_password_that_somebody_typed_has_to_be_changed_first(world: World, browse: As) -> None:
    Account.objects.create(user=world.bob, must_change=True)
    client = browse(world.bob)
    own = reverse("accounts:password")
    for url in (reverse("home"), reverse("changes:changes"), reverse("clusters:cluster", args=[world.cluster.pk])):
        assert client.get(url)["Location"] == own
    assert client.get(reverse("home-live"), headers=FRAGMENT)["HX-Redirect"] == own
    assert b"Somebody else typed your present one" in client.get(own).content
    client.post(own, {"present": PASSWORD, "password": "another long one", "again": "another long one"})
    assert is_in(client)


@pytest.mark.parametrize(
    ("wanted", "page"),
    [
        ("/runs/", "/runs/"),
        ("/runs/?page=2", "/runs/?page=2"),
        ("/runs/5/cancel/", "/runs/5/"),
        ("/runs/5/live/", "/runs/5/"),
        ("/live/", "/"),
        ("/changes/7/approve/?x=1", "/changes/7/"),
        ("/clusters/3/servers/live/", "/clusters/3/servers/"),
        ("/people/3/role/", "/people/"),
        ("/sign-out/", "/"),
        ("/nothing/of/the/kind", "/"),
        ("https://elsewhere.example/", "/"),
        ("//elsewhere.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("/runs/" + "9" * 5000 + "/", "/"),
    ],
)
def test_signing_in_leads_to_a_page(world: World, client: Client, wanted: str, page: str) -> None:
    assert sign_in(client, wanted=wanted)["Location"] == page


def test_a_form_that_was_sent_without_a_session_leads_back_to_its_page(world: World, client: Client) -> None:
    away = client.post(reverse("changes:approve", args=[7]))
    assert away["Location"] == f"{reverse('accounts:login')}?next={reverse('changes:change', args=[7])}"


def test_what_is_known_of_views_is_what_they_do(world: World, browse: As) -> None:
    """Django's decorators are read from inside: each route is asked whether that came out right."""
    client = browse(world.alice)
    for name, pattern in routes().items():
        if not pattern.pattern.converters:
            refused = client.get(reverse(name)).status_code == 405
            assert landing.answers_get(pattern.callback) is not refused, name
    for name in ("changes:approve", "changes:run-cancel", "inventory:router-look", "accounts:lock", "clusters:check"):
        assert not landing.answers_get(routes()[name].callback), name


def test_an_address_that_takes_forms_only_says_so_and_leads_on(world: World, browse: As) -> None:
    page = browse(world.bob).get(reverse("changes:approve", args=[7]))
    assert (page.status_code, page["Allow"]) == (405, "POST")
    text = page.content.decode()
    assert "This is not a page" in text
    assert f'href="{reverse("changes:change", args=[7])}"' in text
    assert f'href="{reverse("changes:runs")}"' in text


def test_who_is_here(world: World, browse: As) -> None:
    assert browse(world.bob).get(reverse("accounts:session")).json() == {"person": "bob"}
    assert browse(None).get(reverse("accounts:session")).json() == {"person": None}


def test_an_invitation_from_page_to_page(world: World, browse: As, client: Client) -> None:
    admin = browse(world.alice)
    form = {"username": "nina", "role": "operator", "team": str(world.team.pk)}
    shown = admin.post(reverse("accounts:add-person"), form).content.decode()
    path = shown.split("http://testserver")[1].split('"')[0]
    assert path.startswith("/invitation/")
    assert path not in admin.get(reverse("accounts:people")).content.decode()

    # Whoever made it is not the one it is for.
    other = admin.get(path)
    assert (other.status_code, b"This link is for nina" in other.content) == (409, True)
    page = client.get(path)
    assert "alice made this link for nina, of files." in " ".join(page.content.decode().split())
    short = client.post(path, {"password": "short", "again": "short"})
    assert (short.status_code, b"too short" in short.content) == (422, True)
    chosen = {"password": "quite a long one", "again": "quite a long one"}
    assert client.post(path, chosen)["Location"] == "/"
    assert is_in(client)
    assert (client.get(path).status_code, Client().get(path).status_code) == (410, 410)
    member = Membership.objects.get(user__username="nina")
    assert (member.team, member.role) == (world.team, Role.OPERATOR)
    assert "with the link of alice" in " ".join(admin.get(reverse("accounts:people")).content.decode().split())


def test_people_are_read_with_few_queries(world: World, browse: As, django_assert_max_num_queries: AtMost) -> None:
    client = browse(world.alice)
    for number in range(20):
        invitations.invite(user=world.alice, team=world.team, username=f"x{number * 7}y{number}", role=Role.VIEWER)
    with django_assert_max_num_queries(12):
        assert is_in(client)
