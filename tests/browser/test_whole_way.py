"""The whole way by clicking, as two people: from an empty site to a cluster that real FTP sessions proved.

With LBFTP_SCREENS set to a folder, pictures of the pages are left there (docs/screens was made so).
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from lbftp.core.hostkey import fingerprint
from ops.stack import Stack
from tests.browser.conftest import Person, first_code

pytestmark = [pytest.mark.browser, pytest.mark.lab, pytest.mark.timeout(900)]

PASSWORDS = {"alice": "quite a long one", "bob": "another long one"}
# A machine in software emulation takes its time for each look.
PATIENCE = 120_000
Seen = set[tuple[str, str, str]]


def test_the_whole_way(chromium: Browser, stack: Stack, lab: dict[str, Any]) -> None:
    hosts = {host["name"]: host for host in lab["hosts"]}
    alice = Person(chromium.new_context(viewport={"width": 1440, "height": 900}), stack.base_url)
    bob = Person(chromium.new_context(viewport={"width": 1440, "height": 900}), stack.base_url)
    page = _first_visit(alice, bob, stack)
    _credentials(page, hosts["r1"], lab["ftp_account"])
    for name in ("r1", "r2"):
        _enrol_router(page, hosts[name])
    _enrol_probe(page, hosts["client"])
    for name in ("ftp1", "ftp2"):
        _add_real_server(page, hosts[name])
    _define_cluster(page, lab)
    _propose(page)
    _own_approval_is_refused(page)
    _bob_approves(bob)
    seen = _apply_and_watch(page)
    assert len(seen) >= 12, seen
    assert {state for _, _, state in seen} >= {"running", "done"}
    _verified(page)
    _home_shows_it_in_step(page)
    assert alice.complaints == []
    assert bob.complaints == []


def _first_visit(alice: Person, bob: Person, stack: Stack) -> Page:
    page = alice.open("/")
    page.get_by_label("One-time code").fill(first_code(stack.env))
    page.get_by_label("Your user name").fill("alice")
    page.get_by_label("Password", exact=True).fill(PASSWORDS["alice"])
    page.get_by_label("Password again").fill(PASSWORDS["alice"])
    page.get_by_label("Name of your team").fill("Operations")
    page.get_by_role("button", name="Create and sign in").click()
    expect(page.get_by_role("heading", name="Enrol two routers")).to_be_visible()
    _picture(page, "first-steps")
    _menu(page, "People")
    page.get_by_role("link", name="Invite a person").click()
    page.get_by_label("User name").fill("bob")
    page.get_by_label("Role").select_option("operator")
    page.get_by_role("button", name="Make the link").click()
    link = page.get_by_label("Link for bob of Operations").input_value()
    _bob_comes(bob, link.removeprefix(stack.base_url))
    return page


def _bob_comes(bob: Person, path: str) -> None:
    """With the link that alice gave him; he alone knows his password."""
    page = bob.open(path)
    page.get_by_label("Password", exact=True).fill(PASSWORDS["bob"])
    page.get_by_label("Password again").fill(PASSWORDS["bob"])
    page.get_by_role("button", name="Set it and sign in").click()
    expect(page.locator("#messages")).to_contain_text("Welcome, bob")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(re.compile(r"/sign-in/"))
    page.close()
    # What the page had asked just before may be answered after the session: 401, seen by nobody.
    bob.complaints[:] = [line for line in bob.complaints if "401" not in line]


def _menu(page: Page, *names: str) -> None:
    page.get_by_role("navigation", name="Main", exact=True).get_by_role("link", name=names[0]).click()
    for name in names[1:]:
        page.get_by_role("navigation", name=names[0]).get_by_role("link", name=name).click()


def _credentials(page: Page, router: dict[str, Any], account: dict[str, str]) -> None:
    rows = [
        ("routers", "ssh", router["user"], Path(router["key"]).read_text()),
        ("ftp account", "ftp", account["user"], account["password"]),
    ]
    for name, purpose, user, secret in rows:
        _menu(page, "Machines", "Credentials")
        page.get_by_role("link", name="Add a credential").click()
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_label("User on the machine").fill(user)
        page.get_by_label("What it is for").select_option(purpose)
        expect(page.get_by_label("Kind")).to_be_visible(visible=purpose == "ssh")
        page.get_by_label("Key or password").fill(secret)
        page.get_by_role("button", name="Add", exact=True).click()
        expect(page.get_by_role("rowheader", name=name)).to_be_visible()


def _enrol(page: Page, host: dict[str, Any]) -> None:
    """From the form to a pinned key: the page goes on by itself when the worker has fetched it."""
    page.get_by_label("Name", exact=True).fill(host["name"])
    page.get_by_label("Address", exact=True).fill(host["address"])
    page.get_by_label("SSH port").fill(str(host["port"]))
    page.get_by_label("Credential").select_option(label="routers")
    page.get_by_role("button", name="Fetch its key").click()
    expect(page.get_by_role("heading", name=f"Is this {host['name']}?")).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#fingerprint")).to_have_text(fingerprint(host["host_key"]))
    _picture(page, f"confirm-{host['name']}")
    page.get_by_role("button", name="Yes, pin this key").click()


def _enrol_router(page: Page, host: dict[str, Any]) -> None:
    _menu(page, "Machines", "Routers")
    page.get_by_role("link", name="Enrol a router").click()
    _enrol(page, host)
    expect(page.get_by_role("heading", name="What was found")).to_be_visible(timeout=PATIENCE)
    page.get_by_label("Public interface").select_option("pub0")
    page.get_by_label("Internal interface").select_option("int0")
    page.get_by_role("button", name="Save interfaces").click()
    expect(page.locator("#messages")).to_contain_text("ready to be used")
    _picture(page, f"router-{host['name']}")


def _enrol_probe(page: Page, host: dict[str, Any]) -> None:
    _menu(page, "Machines", "Probe hosts")
    page.get_by_role("link", name="Enrol a probe host").click()
    page.get_by_label("Source addresses").fill(", ".join(a for a in host["public_addresses"] if ":" not in a))
    _enrol(page, host)
    expect(page.locator("#messages")).to_contain_text("is pinned")


def _add_real_server(page: Page, host: dict[str, Any]) -> None:
    _menu(page, "Machines", "Real servers")
    page.get_by_label("Name", exact=True).fill(host["name"])
    page.get_by_label("IPv4 address").fill(host["internal_address"])
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("rowheader", name=host["name"])).to_be_visible()


def _define_cluster(page: Page, lab: dict[str, Any]) -> None:
    _menu(page, "Fleet")
    page.get_by_role("link", name="Define a cluster").click()
    page.get_by_role("textbox", name="Name").fill("files")
    page.get_by_label("Comment").fill("The lab, for the tests")
    page.get_by_label("Virtual IP (VIP)").fill(lab["vip"])
    page.get_by_label("Internal network", exact=True).fill(lab["networks"]["internal"]["ipv4"])
    page.get_by_label("Internal floating address", exact=True).fill("10.99.0.1")
    expect(page.locator("#problems-floating")).to_contain_text("outside the internal network")
    page.get_by_label("Internal floating address", exact=True).fill(lab["internal_floating"])
    expect(page.locator("#problems-floating")).to_be_empty()
    page.get_by_label("client", exact=True).check()
    page.get_by_label("FTP account").select_option(label="ftp account")
    page.get_by_label("File to fetch").fill("probe.bin")
    page.get_by_label("Folder to upload into").fill(".")
    expect(page.locator("#lint")).to_contain_text("no problems")
    _picture(page, "form")
    page.get_by_role("button", name="Save the draft").click()
    expect(page.get_by_role("heading", name="Nothing of this is on the routers yet")).to_be_visible()


def _propose(page: Page) -> None:
    page.get_by_role("link", name="Propose", exact=True).click()
    page.get_by_label("Title").fill("First set-up")
    page.get_by_label("Reason").fill("Customers wait for it.")
    page.get_by_role("button", name="Propose and plan").click()
    expect(page.get_by_role("heading", name="Waiting for approval")).to_be_visible(timeout=PATIENCE)
    for router in ("r1", "r2"):
        expect(page.locator(f"#router-{router}")).to_contain_text("ip_vs_ftp")
    _picture(page, "change")


def _own_approval_is_refused(page: Page) -> None:
    expect(page.locator("#hindrance")).to_have_text("This is your own change: somebody else has to approve it.")
    expect(page.get_by_role("button", name="Approve this plan")).to_have_count(0)
    # Also for somebody who sends the form anyway.
    path = re.sub(r".*(/changes/\d+/).*", r"\1approve/", page.url)
    page.evaluate(
        """path => {
            const form = document.querySelector("#replan").cloneNode(true);
            form.action = path;
            document.body.append(form);
            form.submit();
        }""",
        path,
    )
    expect(page.get_by_role("alert")).to_contain_text("somebody else has to approve it")
    expect(page.get_by_role("heading", name="Waiting for approval")).to_be_visible()


def _bob_approves(bob: Person) -> None:
    page = bob.sign_in("bob", PASSWORDS["bob"])
    expect(page.get_by_role("heading", name="Waiting for you")).to_be_visible()
    page.get_by_role("link", name="Review First set-up").click()
    page.get_by_label("Remark").fill("Read both routers' differences.")
    page.get_by_role("button", name="Approve this plan").click()
    expect(page.get_by_role("heading", name="Approved", exact=True)).to_be_visible()


def _apply_and_watch(page: Page) -> Seen:
    """Alice's page learns of the approval by itself. Returns (lane, step, state) as seen while the run went on."""
    page.get_by_role("button", name="Apply now").click(timeout=30_000)
    page.wait_for_url(re.compile(r"/runs/\d+/"))
    seen: Seen = set()
    until = time.monotonic() + 600
    read = """() => [document.querySelector("#run").dataset.state, [...document.querySelectorAll("[data-step]")].map(
        step => [step.closest(".lane").id, step.dataset.step, step.dataset.state])]"""
    while time.monotonic() < until:
        state, steps = page.evaluate(read)
        if state not in ("queued", "running"):
            break
        now = {(lane, step, how) for lane, step, how in steps if how != "waiting"}
        if now - seen and len(seen) < 14 <= len(seen | now):
            _picture(page, "run-going-on")
        seen |= now
        page.wait_for_timeout(100)
    expect(page.locator("#run")).to_have_attribute("data-state", "succeeded")
    return seen


def _verified(page: Page) -> None:
    rows = page.locator("#sessions tbody tr")
    expect(rows).to_have_count(4)
    for place, mode in enumerate(("PASV", "EPSV", "PORT", "EPRT")):
        expect(rows.nth(place)).to_contain_text(mode)
        expect(rows.nth(place).locator(".cell .t-ok")).to_have_count(2)
    expect(page.locator("#sessions .t-bad")).to_have_count(0)
    _picture(page, "run")


def _home_shows_it_in_step(page: Page) -> None:
    page.get_by_role("link", name="files").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("In step")
    _picture(page, "cluster")
    _menu(page, "Fleet")
    row = page.get_by_role("row", name="files")
    expect(row).to_contain_text("In step")
    expect(row).to_contain_text("MASTER")
    expect(row).to_contain_text("2 of 2")
    expect(row.locator(".mode.ok")).to_have_count(4)
    _picture(page, "fleet")


def _picture(page: Page, name: str) -> None:
    if folder := os.environ.get("LBFTP_SCREENS"):
        page.screenshot(path=Path(folder) / f"{name}.png")
