"""What every page keeps: nothing inline, nothing from elsewhere, one heading, labels, words beside colours."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.test import Client
from django.urls import reverse

from lbftp.changes.services import comply
from lbftp.changes.services.events import record
from lbftp.compliance.services import set_policy
from lbftp.core.job import Event
from tests.web.conftest import As
from tests.worlds import World, applied, claimed

TEMPLATES = Path(settings.BASE_DIR) / "templates"
SOURCES = sorted(TEMPLATES.rglob("*.html"))


class _Page(HTMLParser):
    """Collects tags with their attributes, and ids of fields and of labels."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, *names: str) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs in self.tags if tag in names]


@pytest.fixture
def pages(world: World, browse: As) -> dict[str, str]:
    """Every kind of page with something on it, as the administrator gets it."""
    change = applied(world)
    set_policy(
        user=world.bob, cluster=world.cluster, cron="*/5 * * * *", time_zone="UTC", action="report", enabled=True
    )
    run = comply(user=world.bob, cluster=world.cluster, reapply=False)
    job = claimed(run)
    finding = {"code": "module", "severity": "error", "what": "gone", "expected": "a", "found": "b", "remedy": "c"}
    step = {"router": "r1", "id": "look", "title": "Look", "phase": "observe"}
    events = [Event("steps", data={"steps": [step]}), Event("finding", "r1", finding)]
    record(run_id=run.pk, fence=job.fence, events=events)
    cluster, client = world.cluster.pk, browse(world.alice)
    addresses = [
        "/",
        *(reverse(name) for name in ("accounts:people", "accounts:add-person", "inventory:routers")),
        *(reverse(name) for name in ("inventory:add-router", "inventory:add-probe-host", "inventory:real-servers")),
        *(reverse(name) for name in ("inventory:credentials", "inventory:add-credential", "inventory:probe-hosts")),
        *(reverse(name) for name in ("changes:changes", "changes:runs", "changes:audit", "compliance:policies")),
        *(reverse(name, args=[cluster]) for name in ("clusters:cluster", "clusters:edit", "changes:propose")),
        reverse("clusters:new"),
        reverse("clusters:revision", args=[cluster, 1]),
        reverse("compliance:cluster", args=[cluster]),
        reverse("inventory:router", args=[world.r1.pk]),
        reverse("inventory:probe-host", args=[world.client.pk]),
        reverse("inventory:credential", args=[world.key.pk]),
        reverse("changes:change", args=[change.pk]),
        reverse("changes:run", args=[run.pk]),
    ]
    found = {url: client.get(url) for url in addresses}
    assert {url: page.status_code for url, page in found.items() if page.status_code != 200} == {}
    return {url: page.content.decode() for url, page in found.items()}


def test_nothing_inline_and_nothing_from_elsewhere(pages: dict[str, str]) -> None:
    for url, text in pages.items():
        for tag, attrs in _Page(text).tags:
            assert not [name for name in attrs if name.startswith(("on", "hx-on"))], (url, tag)
            assert "style" not in attrs, (url, tag, attrs)
            source = attrs.get("src") or (attrs.get("href") if tag == "link" else None)
            assert source is None or source.startswith("/static/"), (url, source)
        assert "<style" not in text
        assert not re.search(r"<script(?![^>]*\ssrc=)", text), url


def test_fields_have_labels_and_ids_are_used_once(pages: dict[str, str]) -> None:
    for url, text in pages.items():
        page = _Page(text)
        labels = {attrs.get("for") for attrs in page.all("label")}
        for attrs in page.all("input", "select", "textarea"):
            if attrs.get("type") not in ("hidden", "submit"):
                assert attrs.get("id") in labels or attrs.get("aria-label"), (url, attrs)
        ids = [str(attrs["id"]) for _, attrs in page.tags if attrs.get("id")]
        assert sorted(set(ids)) == sorted(ids), (url, [one for one in ids if ids.count(one) > 1])


def test_each_page_has_one_first_heading_a_main_part_and_a_title_of_its_own(pages: dict[str, str]) -> None:
    for url, text in pages.items():
        page = _Page(text)
        assert len(page.all("h1")) == 1, url
        assert len(page.all("main")) == 1, url
        assert re.search(r"<title>.+lbftp</title>", text), url
        assert page.all("html")[0].get("lang") == "en"


def test_pictures_say_what_they_show_or_are_hidden_from_readers(pages: dict[str, str]) -> None:
    for url, text in pages.items():
        for attrs in _Page(text).all("svg"):
            named = attrs.get("aria-labelledby") or attrs.get("aria-label")
            assert attrs.get("aria-hidden") == "true" or (attrs.get("role") == "img" and named), (url, attrs)


def test_forms_that_post_carry_the_token(pages: dict[str, str]) -> None:
    for url, text in pages.items():
        for form in re.findall(r"<form[^>]*method=\"post\".*?</form>", text, re.DOTALL):
            assert "csrfmiddlewaretoken" in form, url


def test_the_policy_for_content(world: World, browse: As) -> None:
    header = browse(world.alice).get("/").headers["Content-Security-Policy"]
    assert "unsafe" not in header
    assert "default-src 'self'" in header
    assert "style-src 'self'" in header
    assert "base-uri 'none'" in header


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(TEMPLATES)))
def test_templates_do_not_switch_escaping_off(path: Path) -> None:
    text = path.read_text()
    assert "|safe" not in text
    assert "autoescape off" not in text
    assert "http://" not in text.replace("http://www.w3.org/", "")
    assert "https://" not in text


def test_error_pages(world: World, browse: As, client: Client) -> None:
    gone = browse(world.alice).get("/nothing/of/that/name/")
    assert (gone.status_code, b"Nothing here" in gone.content) == (404, True)
    refused = browse(world.victor).get(reverse("clusters:edit", args=[world.cluster.pk]))
    assert (refused.status_code, b"Not yours to do" in refused.content) == (403, True)
    assert b"operator" in refused.content
    stale = Client(enforce_csrf_checks=True).post(reverse("accounts:login"), {"username": "x"})
    assert (stale.status_code, b"Session changed" in stale.content) == (403, True)


_AWAY = (503, b"The database does not answer", "5")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError, (500, b"Something broke here", None)),
        (OperationalError, _AWAY),
        (InterfaceError, _AWAY),
    ],
)
def test_what_broke_is_said_without_details(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: type[Exception],
    told: tuple[int, bytes, str | None],
) -> None:
    """A database that does not answer is no mistake of ours."""

    def fall(_user: object) -> None:
        raise error("a-secret-detail")

    monkeypatch.setattr("lbftp.web.views.fleet", fall)
    client = Client(raise_request_exception=False)
    client.force_login(world.alice)
    response = client.get("/")
    status, words, retry = told
    assert (response.status_code, response.get("Retry-After")) == (status, retry)
    assert words in response.content
    assert b"a-secret-detail" not in response.content
    assert "a-secret-detail" in caplog.text
