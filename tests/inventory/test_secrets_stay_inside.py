"""The world's secrets are canaries: they may be nowhere but in the ciphertext and in the worker's hands."""

from __future__ import annotations

import io
import json
import logging

import pytest
import structlog
import yaml
from django.core import serializers
from django.core.management import call_command

from lbftp.changes import services
from lbftp.changes.models import RunEvent
from lbftp.changes.services import runs
from lbftp.clusters.services import dump
from lbftp.inventory.crypto import opened
from lbftp.inventory.models import Credential
from tests.worlds import CANARY_FTP, CANARY_KEY, CANARY_SUDO, World, applied, claimed, finished

pytestmark = pytest.mark.django_db
CANARIES = (CANARY_KEY, CANARY_SUDO, CANARY_FTP)


def assert_clean(*texts: str) -> None:
    for text in texts:
        for canary in CANARIES:
            assert canary not in text


def test_not_in_representations(world: World) -> None:
    change = applied(world)
    job = claimed(services.verify(user=world.bob, cluster=world.cluster))
    assert_clean(repr(job), str(job), repr(job.routers), repr(job.probe), repr(world.key), str(world.key), repr(change))


def test_not_in_what_is_stored_or_dumped(world: World) -> None:
    applied(world)
    finished(services.comply(user=None, cluster=world.cluster, reapply=False))
    rows = [*world.cluster.revisions.all(), *world.cluster.changes.all(), *world.cluster.runs.all()]
    assert_clean(serializers.serialize("json", [*rows, *RunEvent.objects.all(), world.cluster]))
    assert_clean(json.dumps(dump(world.cluster)), yaml.safe_dump(dump(world.cluster)))


def test_not_in_what_the_command_prints(world: World) -> None:
    applied(world)
    for words in (["status"], ["status", "--json"], ["dump", "web"], ["dump", "web", "--json"]):
        out, err = io.StringIO(), io.StringIO()
        call_command("lbftp", *words, stdout=out, stderr=err)
        assert_clean(out.getvalue(), err.getvalue())


def test_not_in_logs_of_a_job_that_cannot_be_built(
    world: World, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    applied(world)
    run = services.verify(user=world.bob, cluster=world.cluster)
    world.r2.delete()
    with caplog.at_level(logging.DEBUG), structlog.testing.capture_logs() as logs:
        assert runs.claim(run_id=run.pk, worker="w") is None
    run.refresh_from_db()
    assert logs
    assert_clean(str(logs), caplog.text, capsys.readouterr().out, run.outcome)


def test_not_in_dumps_of_the_database_which_can_be_loaded_again(world: World) -> None:
    text = serializers.serialize("json", Credential.objects.all())
    assert_clean(text)
    Credential.objects.update(secret="lost", sudo_password="")
    for item in serializers.deserialize("json", text):
        item.save()
    key = Credential.objects.get(pk=world.key.pk)
    assert (opened(key.secret), opened(key.sudo_password)) == (CANARY_KEY, CANARY_SUDO)
