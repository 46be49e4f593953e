"""What is lost is noticed, named and repaired; what is stopped is gone; a reboot keeps the disk."""

from __future__ import annotations

import os
import signal
import time

import pytest

from lab import api, processes
from lab.places import run_folder

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]


def pid_of(name: str) -> int:
    """The process id in a pid file of the running laboratory."""
    return int((run_folder() / f"{name}.pid").read_text())


def test_a_killed_machine_is_named_and_comes_back_alone(lab_up: api.LabStatus) -> None:
    api.run("r2", "touch /root/stays")
    os.kill(pid_of("r1"), signal.SIGKILL)
    processes.wait_gone(pid_of("r1"), 5)
    status = api.status()
    assert not status.ready
    assert [host.name for host in status.hosts if not host.up] == ["r1"]
    assert len(status.complaints) == 1
    assert "machine r1" in status.complaints[0]
    assert str(run_folder() / "r1.log") in status.complaints[0]
    assert api.ensure_up().ready
    assert api.run("client", "ping -q -c 1 -W 5 192.0.2.2").returncode == 0
    assert api.run("r2", "rm /root/stays").returncode == 0


def test_a_killed_switch_is_named_and_all_comes_back(lab_up: api.LabStatus) -> None:
    os.kill(pid_of("switch-public"), signal.SIGKILL)
    processes.wait_gone(pid_of("switch-public"), 5)
    status = api.status()
    assert not status.ready
    assert "network public" in status.complaints[0]
    assert api.ensure_up().ready
    assert api.run("client", "ping -q -c 1 -W 5 192.0.2.2").returncode == 0


def test_a_frozen_machine_is_not_taken_for_a_living_one(lab_up: api.LabStatus) -> None:
    os.kill(pid_of("net"), signal.SIGSTOP)
    try:
        status = api.status()
        assert [host.name for host in status.hosts if not host.up] == ["ftp1", "ftp2", "client"]
        assert all("no answer" in complaint for complaint in status.complaints)
    finally:
        os.kill(pid_of("net"), signal.SIGCONT)


def test_up_leaves_a_running_lab_as_it_is(lab_up: api.LabStatus) -> None:
    before = processes.using(run_folder())
    started = time.monotonic()
    assert api.ensure_up().ready
    assert time.monotonic() - started < 15
    assert processes.using(run_folder()) == before


def test_a_reboot_keeps_the_disk_and_brings_the_addresses_back(fresh_lab: api.LabStatus) -> None:
    boot = "cat /proc/sys/kernel/random/boot_id"
    before = api.run("r2", f"{boot}; echo kept > /etc/kept; ip -br address show pub0; sync").stdout.split("\n", 1)
    api.run("r2", "systemctl reboot")
    deadline = time.monotonic() + 240
    while api.run("r2", boot, timeout=120).stdout.strip() in {before[0], ""} and time.monotonic() < deadline:
        time.sleep(2)
    after = api.run(
        "r2", f"{boot}; cat /etc/kept; ip -br address show pub0; systemctl is-system-running --wait", timeout=240
    )
    lines = after.stdout.splitlines()
    assert lines[0] != before[0]
    assert lines[1] == "kept"
    assert lines[2].split()[2:] == before[1].split()[2:]
    assert lines[3] == "running"
    assert "-P INPUT DROP" in api.run("r2", "iptables -S INPUT").stdout
    assert abs(int(api.run("r2", "date +%s").stdout) - time.time()) < 5


def test_down_leaves_nothing_and_up_brings_the_same_ports(lab_up: api.LabStatus) -> None:
    pids = processes.using(run_folder())
    assert len(pids) == 5
    assert api.down() == pids
    assert processes.using(run_folder()) == []
    assert not [pid for pid in pids if processes.command_line(pid)]
    assert api.status().complaints == ["the lab is down; `python -m lab up` starts it"]
    started = time.monotonic()
    status = api.ensure_up()
    assert time.monotonic() - started < 20
    assert status.ready
    assert [host.port for host in status.hosts] == [host.port for host in lab_up.hosts]
