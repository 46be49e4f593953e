"""`manage.py lbftp why`: of a cluster, and of one case."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from lbftp.changes import services
from tests.cli.test_cli import cli, write
from tests.worlds import World, applied, draft6, edit, finished

pytestmark = pytest.mark.django_db


def test_why_of_a_cluster(world: World) -> None:
    answer = cli("why", "web", "--json")
    assert answer.status == 0
    assert {mode: found["outcome"] for mode, found in answer.json.items()} == dict.fromkeys(
        ("pasv", "epsv", "port", "eprt"), "ok"
    )
    one = cli("why", "web", "--client", "pasv", "--user", "victor")
    assert one.out.startswith("PASV: ok. ip_vs_ftp rewrites")
    assert "EPSV" not in one.out
    assert cli("why", "web", "--user", "mallory").status == 2
    assert cli("why", "web", "--state", "-").status == 2
    assert cli("why").status == 2


def test_why_of_a_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = {"id": "x", "service": "fwmark 21, NAT, real server port 0", "helper": False, "persistence": False}
    answer = cli("why", "--state", write(tmp_path, json.dumps(case)), "--json")
    found = {mode: found["outcome"] for mode, found in answer.json.items()}
    assert (answer.status, found) == (0, {"pasv": "unreachable", "epsv": "refused", "port": "ok", "eprt": "ok"})
    assert answer.json["pasv"]["reason"].endswith("ip_vs_ftp is not loaded.")
    assert [h["ok"] for h in answer.json["pasv"]["hops"]][-2:] == [True, False]
    monkeypatch.setattr("sys.stdin", io.StringIO('{"ip_version": 6}'))
    assert sorted(cli("why", "--state", "-", "--json").json) == ["eprt", "epsv"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "case: has to be one JSON object"),
        ('{"helpr": true}', "helpr: is not a key of a case; known keys: service,"),
        ('{"helper": "yes"}', "helper: 'yes' is not true or false"),
        ('{"\\ud800": 1}', "is not a key of a case"),
    ],
)
def test_why_of_a_wrong_file_is_wrong_use(tmp_path: Path, text: str, words: str) -> None:
    answer = cli("why", "--state", write(tmp_path, text), "--json")
    assert (answer.status, answer.json["exit"]) == (2, 2)
    assert words in answer.err


def test_why_over_ipv6_has_no_pasv(tmp_path: Path) -> None:
    answer = cli("why", "--state", write(tmp_path, '{"ip_version": 6}'), "--client", "pasv")
    assert (answer.status, "does not exist over IPv6" in answer.err) == (2, True)


def test_a_case_says_itself_whether_there_is_tls(tmp_path: Path) -> None:
    case = write(tmp_path, '{"tls": "implicit", "pasv_address": "VIP", "helper": false}')
    assert cli("why", "--state", case, "--client", "pasv", "--json").json["pasv"]["outcome"] == "ok"
    answer = cli("why", "--state", case, "--client", "tls-pasv")
    assert (answer.status, "ask for pasv" in answer.err) == (2, True)


def test_every_kind_of_client(world: World) -> None:
    edit(world, world.bob, **draft6())
    found = cli("why", "web", "--client", "all", "--json").json
    assert {"pasv", "epsv", "port", "eprt", "tls-pasv", "epsv ipv6", "tls-eprt ipv6"} <= set(found)
    assert (found["tls-pasv"]["outcome"], found["tls-pasv"]["promised"]) == ("unreachable", False)
    assert found["epsv ipv6"]["client"] == {"mode": "epsv", "family": 6, "tls": "none", "port": 21, "pinned": False}
    assert [*cli("why", "web", "--client", "tls-epsv", "--ip", "6", "--json").json] == ["tls-epsv ipv6"]
    assert sorted(cli("why", "web", "--ip", "6", "--json").json) == ["eprt ipv6", "epsv ipv6"]


@pytest.mark.parametrize(
    "words", [["--client", "pasv", "--ip", "6"], ["--client", "implicit-pasv"], ["--port", "2121"]]
)
def test_kinds_that_cannot_come(world: World, words: list[str]) -> None:
    answer = cli("why", "web", *words)
    assert (answer.status, "No such client can come to web: plain-pasv over IPv4 at 21" in answer.err) == (2, True)


def test_what_decides_stands_beside_each_hop(world: World) -> None:
    text = cli("why", "web", "--client", "epsv").out
    assert "  + router, filter INPUT: Lets packets for VIP:21 pass: policy ACCEPT." in text
    assert "[passive range 10000-20000]" in text


def test_a_router_is_answered_for_by_the_draft_and_its_findings(world: World) -> None:
    text = cli("why", "web", "--router", "r1", "--client", "epsv").out
    assert "What r1 holds is not kept on the site" in text
    assert "Nobody has looked at it yet" in text
    applied(world)
    run = services.verify(user=world.bob, cluster=world.cluster)
    finding = {"code": "module", "severity": "error", "router": "r1", "what": "ip_vs_ftp is not loaded"}
    finished(run, findings=[finding])
    assert f"Run {run.pk} found there: ip_vs_ftp is not loaded" in cli("why", "web", "--router", "r1").out
    assert f"Run {run.pk} found nothing else there." in cli("why", "web", "--router", "r2").out
    answer = cli("why", "web", "--router", "r9")
    assert (answer.status, "it has: r1, r2" in answer.err) == (2, True)
