"""Pages that go on by themselves: whoever watches, comes late or lost the line sees the same in the end."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Person, Site

pytestmark = pytest.mark.browser

PASSWORD = "a long enough one"
STEPS = ("modules", "rules", "keepalived", "reload")
CUT = "() => { for (const live of lbftp.lives) for (const socket of live.sockets.values()) socket.close(); }"


def _person(chromium: Browser, site: Site, name: str) -> Person:
    person = Person(chromium.new_context(viewport={"width": 1280, "height": 900}), site.base)
    person.sign_in(name, PASSWORD).close()
    return person


def _begin(site: Site) -> list[dict[str, Any]]:
    rows = [
        {"router": router, "id": one, "title": f"Do {one}", "phase": "run"} for router in ("r2", "r1") for one in STEPS
    ]
    return [
        {"kind": "phase", "data": {"name": "apply", "title": "Apply"}},
        {"kind": "steps", "data": {"steps": rows}},
    ]


def _step(router: str, one: str, state: str) -> dict[str, Any]:
    data = {"id": one, "title": f"Do {one}", "state": state, "seconds": 0.5 if state == "done" else None, "message": ""}
    return {"kind": "step", "router": router, "data": data}


def _output(router: str, one: str, text: str) -> dict[str, Any]:
    return {"kind": "output", "router": router, "data": {"step": one, "text": text}}


def _seen(page: Page) -> str:
    """What the run's part of the page is, without what only this browser knows: its own marks and spaces."""
    html = str(page.locator("#run").evaluate("element => element.outerHTML"))
    html = re.sub(r' data-kept-\w+="[^"]*"| data-chosen=""', "", html)
    html = re.sub(r' class="([^"]*?) ?htmx-\w+"', r' class="\1"', html)
    return re.sub(r"\s+", " ", html)


def _state(page: Page, router: str, one: str) -> str:
    return str(page.locator(f"#lane-{router} [data-step={one}]").get_attribute("data-state"))


def test_watching_coming_late_and_coming_back_show_the_same(chromium: Browser, site: Site) -> None:
    run = site.actor.do("begin")["run"]
    person = _person(chromium, site, "victor")
    early = person.open(f"/runs/{run}/")
    broken = _person(chromium, site, "carol")
    returning = broken.open(f"/runs/{run}/")
    expect(early.locator("[data-link=on]")).to_be_visible()
    assert site.actor.do("claim", run=run)["claimed"]
    site.actor.do("record", found=_begin(site))

    states: set[tuple[str, str, str]] = set()
    for router in ("r2", "r1"):
        for place, one in enumerate(STEPS):
            found = [_step(router, one, "started"), *(_output(router, one, f"line {n} of {one}") for n in range(40))]
            site.actor.do("record", found=found)
            expect(early.locator(f"#lane-{router} [data-step={one}]")).to_have_attribute("data-state", "running")
            states.add((router, one, "running"))
            site.actor.do("record", found=[_step(router, one, "done")])
            expect(early.locator(f"#lane-{router} [data-step={one}]")).to_have_attribute("data-state", "done")
            states.add((router, one, "done"))
            if (router, place) == ("r2", 1):
                broken.context.set_offline(True)
                returning.evaluate(CUT)
                expect(returning.locator("[data-link=off]")).to_be_visible()
    assert len(states) == 2 * 2 * len(STEPS)
    assert early.locator("#run").get_attribute("data-state") == "running"
    assert _state(returning, "r1", "reload") == "waiting"

    broken.context.set_offline(False)
    expect(returning.locator("#lane-r1 [data-step=reload]")).to_have_attribute("data-state", "done", timeout=20_000)
    sessions = [
        {"mode": mode, "real_server": server, "source": "192.0.2.50", "ok": True, "seconds": 0.3, "stage": "fetch"}
        for mode in ("PASV", "PORT")
        for server in ("ftp1", "ftp2")
    ]
    site.actor.do("record", found=[{"kind": "session", "data": one} for one in sessions])
    site.actor.do("end", state="succeeded", outcome="Applied and proven.")
    for page in (early, returning):
        expect(page.locator("#run")).to_have_attribute("data-state", "succeeded", timeout=20_000)
        expect(page.locator("[data-link]")).to_be_hidden()
    late = person.open(f"/runs/{run}/")
    assert _seen(early) == _seen(late)
    assert _seen(returning) == _seen(late)
    assert person.complaints == []


def test_an_update_takes_nothing_out_of_a_persons_hands(chromium: Browser, site: Site) -> None:
    proposed = site.actor.do("propose")
    person = _person(chromium, site, "bob")
    page = person.open(f"/changes/{proposed['change']}/")
    expect(page.get_by_role("heading", name="Planning")).to_be_visible()
    site.actor.do("plan")
    expect(page.get_by_role("button", name="Approve this plan")).to_be_visible()
    page.get_by_label("Remark").fill("I read all of")
    page.get_by_text("Reject it").click()
    page.get_by_label("Reason").fill("half a reas")
    # What others do makes the page look again; the socket also says so every few seconds.
    with page.expect_response(re.compile(r"/live/$")):
        _person(chromium, site, "carol").open(f"/changes/{proposed['change']}/").get_by_role(
            "button", name="Approve this plan"
        ).click()
    expect(page.get_by_role("heading", name="Approved", exact=True)).to_be_visible()
    expect(page.get_by_label("Reason")).to_have_value("half a reas")
    expect(page.get_by_label("Reason")).to_be_focused()
    assert person.complaints == []


def test_what_somebody_opened_stays_open(chromium: Browser, site: Site) -> None:
    run = site.actor.do("begin")["run"]
    page = _person(chromium, site, "victor").open(f"/runs/{run}/")
    site.actor.do("claim", run=run)
    site.actor.do("record", found=_begin(site))
    site.actor.do("record", found=[_step("r2", "modules", "started"), _output("r2", "modules", "modprobe says hello")])
    expect(page.get_by_text("modprobe says hello")).to_be_visible()
    site.actor.do("record", found=[_step("r2", "modules", "done")])
    expect(page.get_by_text("modprobe says hello")).to_be_hidden()
    page.locator("#lane-r2 [data-step=modules] summary").click()
    site.actor.do("record", found=[_step("r2", "rules", "started"), _output("r2", "modules", "and a late line")])
    expect(page.get_by_text("and a late line")).to_be_visible()
    site.actor.do("end", state="failed", outcome="Enough of it.")
    expect(page.get_by_role("heading", name="Enough of it.")).to_be_visible()
    expect(page.get_by_text("modprobe says hello")).to_be_visible()


def test_lint_speaks_while_somebody_types(chromium: Browser, site: Site) -> None:
    person = _person(chromium, site, "bob")
    page = person.open("/clusters/new/")
    page.get_by_role("textbox", name="Name").fill("media")
    page.get_by_label("Virtual IP (VIP)").fill("192.0.2.120")
    page.get_by_label("Internal network", exact=True).fill("10.0.50.0/24")
    page.get_by_label("Internal floating address", exact=True).fill("10.0.99.9")
    expect(page.locator("#problems-floating")).to_contain_text("FTP011")
    page.get_by_label("Internal floating address", exact=True).fill("10.0.50.9")
    # Another one takes its place: the real servers that are chosen have another default route already.
    expect(page.locator("#problems-floating")).not_to_contain_text("FTP011")
    expect(page.locator("#problems-floating")).to_contain_text("FTP203")
    expect(page.get_by_label("Internal floating address", exact=True)).to_be_focused()
    page.get_by_label("Passive ports from").fill("30000")
    expect(page.locator("#problems-passive_high")).to_contain_text("reversed")
    assert person.complaints == []


def test_the_theme_is_remembered(chromium: Browser, site: Site) -> None:
    page = _person(chromium, site, "victor").open("/")
    button = page.locator(".top > .who [data-theme-button]")
    expect(button).to_have_text("Theme: auto")
    button.click()
    button.click()
    expect(button).to_have_text("Theme: dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


@pytest.mark.parametrize("width", [390, 1440])
def test_no_page_is_wider_than_the_screen(chromium: Browser, site: Site, width: int) -> None:
    person = _person(chromium, site, "alice")
    page = person.open("/")
    page.set_viewport_size({"width": width, "height": 800})
    paths = ["/", "/routers/", "/routers/1/", "/clusters/1/", "/clusters/1/edit/", "/changes/", "/changes/1/"]
    paths += ["/runs/", "/runs/1/", "/compliance/", "/clusters/1/compliance/", "/people/", "/audit/", "/credentials/"]
    for path in paths:
        page.goto(site.base + path)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, (path, wide)


def _guard(state: str, seconds: int) -> dict[str, Any]:
    until = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat() if seconds else None
    return {"kind": "guard", "router": "r2", "data": {"state": state, "seconds": seconds, "until": until}}


def test_a_guard_counts_down_and_is_extended_and_put_back(chromium: Browser, site: Site) -> None:
    run = site.actor.do("begin")["run"]
    person = _person(chromium, site, "carol")
    page = person.open(f"/runs/{run}/")
    site.actor.do("claim", run=run)
    site.actor.do("record", found=[*_begin(site), _guard("armed", 600)])
    time = page.locator("#lane-r2 .guard time")
    expect(time).to_have_text(re.compile(r"^in (10:00|9:[0-5]\d)$"))
    first = time.text_content()
    expect(time).not_to_have_text(first or "")
    page.get_by_role("button", name="Extend").click()
    expect(page.get_by_text("carol lets the guards start anew.")).to_be_visible()
    site.actor.do("record", found=[_guard("extended", 1800)])
    expect(time).to_have_text(re.compile(r"^in (30:00|29:[0-5]\d)$"))
    page.locator("#cancel summary").click()
    # What somebody opened stays open while the page goes on.
    site.actor.do("record", found=[_step("r2", "modules", "started")])
    expect(page.locator("#lane-r2 [data-step=modules]")).to_have_attribute("data-state", "running")
    page.get_by_role("button", name="Yes, put it back").click()
    expect(page.get_by_text("Being cancelled")).to_be_visible()
    site.actor.do("record", found=[_guard("restored", 0)])
    expect(page.locator("#lane-r2 .guard")).to_have_text(re.compile("Put back as it was"))
    site.actor.do("end", state="cancelled", outcome="Cancelled by carol.")
    expect(page.get_by_role("heading", name="Cancelled by carol.")).to_be_visible()
    assert person.complaints == []
