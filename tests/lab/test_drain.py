"""A real server is drained while a client uploads to it: the upload goes on, others go elsewhere, and it ends as empty.

`make test-drain` uploads 200 MB; `make test` as much as a quiet machine carries in some seconds.
"""

from __future__ import annotations

import base64
import dataclasses
import os
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from lab import api
from lbftp.changes import services
from lbftp.changes.models import ChangeRequest
from lbftp.core import day_two
from lbftp.core.day_two import ServerSet
from lbftp.core.sessions_left import Left, Table
from lbftp.core.spec import ClusterSpec
from lbftp.daytwo import page
from lbftp.daytwo.models import Drain
from lbftp.daytwo.services import acting, drains
from tests.core.cases import GUIDE
from tests.workers.conftest import LIMITS, Bench
from tests.worlds import World, applied, finished, planned
from workers import draining

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1500)]

MEGABYTES = int(os.environ.get("LBFTP_DRAIN_MEGABYTES") or 32)
SOURCE, OTHER = "192.0.2.51", "192.0.2.57"
# Slow until the file /tmp/go is there, then as fast as it goes; says what it sent.
_UPLOAD = f"""
import ftplib, hashlib, os, time

class Slow:
    left, digest = {MEGABYTES} << 20, hashlib.sha256()
    def read(self, size):
        if not os.path.exists("/tmp/go"):
            size = 4096
            time.sleep(0.5)
        block = os.urandom(min(size, self.left))
        self.left -= len(block)
        self.digest.update(block)
        return block

ftp = ftplib.FTP(source_address=("{SOURCE}", 0))
ftp.connect("192.0.2.100", 21, timeout=120)
ftp.login("ftpuser", "lab-ftp-password")
slow = Slow()
print(ftp.storbinary("STOR upload/drained.bin", slow, 65536))
ftp.quit()
print(slow.digest.hexdigest())
"""
_WHERE = "curl -sS --interface {} --user ftpuser:lab-ftp-password ftp://192.0.2.100/server.txt"


@dataclasses.dataclass
class Upload:
    bench: Bench
    server: str

    def finish(self) -> list[str]:
        """What the client said in the end."""
        self.bench.sh("client", "touch /tmp/go")
        end = time.monotonic() + 900
        while "exit" not in (said := self.bench.sh("client", "cat /tmp/upload.log")):
            assert time.monotonic() < end, said
            time.sleep(1)
        return said.splitlines()


def look(bench: Bench, spec: ClusterSpec) -> Table:
    found = draining.look(spec, (bench.access("r1"), bench.access("r2")), LIMITS)
    assert isinstance(found, Table), found
    return found


def left(bench: Bench, spec: ClusterSpec, server: str) -> Left:
    return look(bench, spec).left[server]


@pytest.fixture(scope="module")
def upload() -> Upload:
    """The guide's cluster is applied and a client uploads through the VIP, slowly."""
    bench = Bench({host.name: host for host in api.reset().hosts})
    outcome = bench.apply()
    assert outcome.state == "succeeded", outcome.text
    program = base64.b64encode(_UPLOAD.encode()).decode()
    run = "python3 /tmp/upload.py >/tmp/upload.log 2>&1; echo exit $? >>/tmp/upload.log"
    start = (
        f"rm -f /tmp/go; echo {program} | base64 -d >/tmp/upload.py; setsid sh -c '{run}' </dev/null >/dev/null 2>&1 &"
    )
    bench.sh("client", start)
    end = time.monotonic() + 60
    while not (busy := [n for n, one in look(bench, GUIDE).left.items() if one.transfers]):
        assert time.monotonic() < end, bench.sh("client", "cat /tmp/upload.log")
        time.sleep(1)
    return Upload(bench, busy[0])


def seen(bench: Bench, spec: ClusterSpec) -> Drain:
    """The drain's row after a look at the lab's pair, as the worker does it at its interval."""
    (question,) = drains.claim(now=timezone.now() + timedelta(hours=1))
    drains.take(question=question, found=look(bench, spec), at=timezone.now())
    return Drain.objects.latest("pk")


def carried(world: World, change: ChangeRequest) -> None:
    """Planned, and applied by its author alone."""
    planned(change.runs.get())
    change.refresh_from_db()
    finished(services.apply_change(user=world.bob, change=change))
    change.refresh_from_db()
    world.cluster.refresh_from_db()


def test_an_upload_survives_the_drain_and_ends_it(world: World, upload: Upload) -> None:
    bench, server = upload.bench, upload.server
    other = next(s.name for s in GUIDE.real_servers if s.name != server)
    applied(world)
    acting.allow_operators(user=world.alice, cluster=world.cluster, alone=True)
    drain = acting.drain(user=world.bob, cluster=world.cluster, server=server)
    spec = day_two.carried(GUIDE, ServerSet(server, 0))
    outcome = bench.apply(spec=spec, previous=GUIDE)
    assert outcome.state == "succeeded", outcome.text
    carried(world, drain)

    # The address that uploads is kept by persistence; others go elsewhere.
    assert bench.sh("client", _WHERE.format(SOURCE)).strip() == server
    assert bench.sh("client", _WHERE.format(OTHER)).strip() == other
    row = seen(bench, spec)
    assert (row.state, row.sessions_left, row.transfers_left) == ("draining", 1, 1)
    assert page.told(row) == "1 session, 1 transfer left"
    assert row.clients_left
    assert row.until is not None

    said = upload.finish()
    assert said[0].startswith("226"), said
    assert said[-1] == "exit 0"
    held = bench.sh(server, "sha256sum /home/ftpuser/upload/drained.bin; stat -c %s /home/ftpuser/upload/drained.bin")
    assert held.split() == [said[1], "/home/ftpuser/upload/drained.bin", str(MEGABYTES << 20)]

    row = seen(bench, spec)
    assert (row.state, row.sessions_left, row.transfers_left) == ("empty", 0, 0)
    assert row.clients_left, "persistence would bring the client back, and the row says so"

    undo = acting.undo(user=world.bob, change=drain)
    outcome = bench.apply(spec=GUIDE, previous=spec)
    assert outcome.state == "succeeded", outcome.text
    carried(world, undo)
    row.refresh_from_db()
    assert row.state == "ended"
    assert bench.sh("r1", "ipvsadm -Sn | grep -c -- '-w 1'").strip() == "2"
    assert bench.sh("client", _WHERE.format(SOURCE)).strip() == server
