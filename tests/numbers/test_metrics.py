"""/metrics: who may read it, that Prometheus' own parser reads it, and what it leaves out."""

from __future__ import annotations

import importlib
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from lbftp.core.observe.numbers import parse
from lbftp.numbers import services
from lbftp.numbers.models import Latest
from tests.core.numbers_cases import IDLE, MASTER
from tests.worlds import CANARY_FTP, CANARY_KEY, CANARY_SUDO, World, applied

TOKEN = "0123456789abcdef0123456789"


@pytest.fixture
def sampled(world: World) -> World:
    applied(world)
    now = timezone.now()
    services.watch_all(now=now)
    for look, text in zip(services.claim_due(now=now), (MASTER, IDLE), strict=True):
        services.take(look=look, found=parse(text), at=now)
    return world


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(settings, "METRICS_TOKEN", TOKEN)
    return TOKEN


def read(text: str) -> dict[tuple[str, str, str], float]:
    """(measure, router, server) -> value, by the parser of Prometheus' own client library."""
    families: Any = importlib.import_module("prometheus_client.parser").text_string_to_metric_families(text)
    found = {}
    for family in families:
        assert family.documentation
        for sample in family.samples:
            labels = sample.labels
            assert (labels["team"], labels["cluster"]) == ("files", "web")
            key = (sample.name, labels.get("router", ""), labels.get("server", labels.get("state", "")))
            assert key not in found
            found[key] = sample.value
    return found


def get(client: Client, bearer: str | None = None) -> Any:
    headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
    return client.get("/metrics", headers=headers)


def test_prometheus_reads_what_routers_said(sampled: World, token: str, client: Client) -> None:
    answer = get(client, token)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = read(answer.content.decode())
    assert found["lbftp_vip_held", "r1", ""] == 1
    assert found["lbftp_vip_held", "r2", ""] == 0
    assert found["lbftp_server_out_bytes_total", "r1", "ftp2"] == 1_075_952
    assert found["lbftp_server_passive_ports_used", "r1", "ftp2"] == 2
    assert found["lbftp_conntrack_limit", "r1", ""] == 262_144
    assert found["lbftp_passive_ports", "", ""] == 10_001
    assert found["lbftp_server_in_rotation", "r2", "ftp1"] == 0
    assert ("lbftp_server_out_bytes_total", "r2", "ftp1") not in found, "r2 has no such server to count"
    assert sum(value for (name, _, _), value in found.items() if name == "lbftp_cluster_state") == 1


def test_what_was_said_long_ago_is_left_out(sampled: World, token: str, client: Client) -> None:
    Latest.objects.filter(router="r1").update(at=timezone.now() - timedelta(seconds=settings.SAMPLE_SECONDS * 3 + 1))
    found = read(get(client, token).content.decode())
    assert found["lbftp_router_answers", "r1", ""] == 0
    assert found["lbftp_router_answers", "r2", ""] == 1
    assert {name for name, router, _ in found if router == "r1"} == {
        "lbftp_router_answers",
        "lbftp_router_answered_timestamp_seconds",
    }


@pytest.mark.parametrize("bearer", [None, "", "wrong", TOKEN[:-1]])
def test_strangers_read_nothing(sampled: World, token: str, client: Client, bearer: str | None) -> None:
    answer = get(client, bearer)
    assert answer.status_code == 401
    assert b"lbftp_" not in answer.content


@pytest.mark.parametrize("bearer", [None, "", " "])
def test_a_site_without_a_token_has_none(sampled: World, client: Client, bearer: str | None) -> None:
    assert get(client, bearer).status_code == 401


def test_people_see_their_teams_clusters(sampled: World, client: Client) -> None:
    for user, sees in ((sampled.victor, True), (sampled.mallory, False), (sampled.root, False)):
        client.force_login(user)
        answer = get(client)
        assert answer.status_code == 200
        assert (b'cluster="web"' in answer.content) == sees
    assert client.post("/metrics").status_code == 405


def test_no_secret_is_in_it(sampled: World, token: str, client: Client) -> None:
    text = get(client, token).content.decode()
    assert not any(secret in text for secret in (CANARY_KEY, CANARY_SUDO, CANARY_FTP, TOKEN, sampled.r1.host_key))


def test_names_are_quoted(sampled: World, token: str, client: Client) -> None:
    sampled.team.name = 'a "b" \\ c\nd'
    sampled.team.save(update_fields=["name"])
    families: Any = importlib.import_module("prometheus_client.parser").text_string_to_metric_families(
        get(client, token).content.decode()
    )
    teams = {sample.labels["team"] for family in families for sample in family.samples}
    assert teams == {'a "b" \\ c\nd'}
