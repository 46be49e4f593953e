"""What is up and what is not, read from processes and ports."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lab import command, image, remote, running
from lab.running import Running
from lab.state import State
from lab.topology import ACCOUNTS, FTP_ACCOUNT, HOSTS, INTERNAL_FLOATING, MACHINES, NETWORKS, VIP, Host


@dataclass(frozen=True, slots=True)
class HostStatus:
    """One host as others need it. Addresses are None where the host is not on that network."""

    name: str
    role: str
    machine: str
    address: str
    port: int
    user: str
    key: str
    host_key: str
    up: bool
    public_address: str | None
    internal_address: str | None
    public_addresses: list[str]
    internal_addresses: list[str]

    def to_json(self) -> dict[str, Any]:
        """The fields as `status --json` shows them."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class LabStatus:
    """The whole laboratory. `ready`: every host answers. `complaints`: one line each, empty when ready."""

    hosts: list[HostStatus]
    ready: bool
    complaints: list[str]
    acceleration: str | None

    def host(self, name: str) -> HostStatus:
        """The host of that name (KeyError if there is none)."""
        return {host.name: host for host in self.hosts}[name]

    def to_json(self) -> dict[str, Any]:
        """What `status --json` prints."""
        return {
            "ready": self.ready,
            "hosts": [host.to_json() for host in self.hosts],
            "networks": {name: {"ipv4": v4, "ipv6": v6} for name, (v4, v6) in NETWORKS.items()},
            "vip": VIP,
            "internal_floating": INTERNAL_FLOATING,
            "accounts": ACCOUNTS,
            "ftp_account": FTP_ACCOUNT,
            "acceleration": self.acceleration,
            "complaints": self.complaints,
        }


DOWN = LabStatus([], False, ["the lab is down; `python -m lab up` starts it"], None)


def status(folder: Path, patience: float = 10) -> LabStatus:
    """Look at the laboratory of that run folder. Takes `patience` seconds if something does not answer."""
    state = State.load(folder)
    if state is None:
        return DOWN
    lab = state.running(folder)
    lost = lost_processes(lab)
    if len(lost) == len(MACHINES) + len(command.networks()):
        return DOWN
    if not (lab.image / "keys").is_dir():
        return replace(DOWN, complaints=[f"{lab.image} is gone; `python -m lab up` makes it again and restarts all"])

    def answers(host: Host) -> bool:
        return host.machine not in lost and remote.wait(lab.endpoint(host.name), patience)

    with ThreadPoolExecutor(len(HOSTS)) as pool:
        answering = list(pool.map(answers, HOSTS))
    hosts = [_host(lab, host, up) for host, up in zip(HOSTS, answering, strict=True)]
    complaints = [*lost.values(), *_silent(lab, hosts, lost)]
    return LabStatus(hosts, not complaints, complaints, lab.acceleration)


def lost_processes(lab: Running) -> dict[str, str]:
    """Name of each machine or switch that should run and does not -> what to tell people."""
    lost = {}
    for machine in MACHINES:
        if running.machine_pid(lab.folders, machine.name) is None:
            log = lab.folders.log(machine.name)
            lost[machine.name] = f"machine {machine.name}: its QEMU is not running; its last words are in {log}"
    for network in command.networks():
        if running.switch_pid(lab.folders, network) is None:
            lost[network] = f"network {network}: its switch (vde_switch) is lost; `python -m lab up` restarts all"
    return lost


def _silent(lab: Running, hosts: list[HostStatus], lost: dict[str, str]) -> list[str]:
    return [
        f"host {host.name}: no answer on SSH port {host.port}; its machine's log is {lab.folders.log(host.machine)}"
        for host in hosts
        if not host.up and host.machine not in lost
    ]


def _host(lab: Running, host: Host, up: bool) -> HostStatus:
    keys = lab.image / "keys"
    return HostStatus(
        name=host.name,
        role=host.role,
        machine=host.machine,
        address="127.0.0.1",
        port=lab.ports[host.name],
        user="root",
        key=str(keys / "lab"),
        host_key=image.host_key(keys, host.name),
        up=up,
        public_address=host.address("public"),
        internal_address=host.address("internal"),
        public_addresses=host.addresses("public"),
        internal_addresses=host.addresses("internal"),
    )
