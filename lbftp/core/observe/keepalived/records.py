"""What blocks of keepalived's configuration mean: instances, groups, servers, checks
(keepalived.conf(5), 2.2). Read by `typed.py`.

Defaults are keepalived's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lbftp.core.observe.keepalived.tree import Block
from lbftp.core.spec.values import Address, Family, Interface

# How a virtual_server names its service.
Kind = Literal["fwmark", "address", "group"]


@dataclass(frozen=True, slots=True)
class Floating:
    """An address that an instance moves; `device` is the interface it goes to."""

    address: Interface
    device: str


@dataclass(frozen=True, slots=True)
class Instance:
    """A vrrp_instance. `advert_int` and `preempt_delay` are as written; `addresses` includes the
    excluded ones.
    """

    block: Block
    name: str
    state: str
    interface: str
    vrid: int | None
    priority: int
    advert_int: str
    preempt: bool
    preempt_delay: str
    unicast_peers: tuple[str, ...]
    addresses: tuple[Floating, ...]
    track_interfaces: tuple[str, ...]
    authentication: bool
    others: tuple[Block, ...]

    def holds(self, address: Address | None) -> bool:
        return any(a.address.ip == address for a in self.addresses)


@dataclass(frozen=True, slots=True)
class SyncGroup:
    block: Block
    name: str
    members: tuple[str, ...]
    others: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """A health check; numbers are None where nothing is said."""

    block: Block
    kind: str
    connect_port: int | None
    connect_timeout: int | None
    retry: int | None
    misc_path: str
    others: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class RealServer:
    """`name` is the comment line above, if it is one word; `port` is 0 where none is given."""

    block: Block
    address: Address | None
    port: int
    name: str
    weight: int
    upper: int
    lower: int
    inhibit: bool
    method: str
    checks: tuple[Check, ...]
    others: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class VirtualServer:
    """A virtual_server: by `kind` its `mark`, its address and port, or the name of its group.

    `persistence` is in seconds, 0: none. `granularity` is a prefix length, None where nothing is
    said.
    """

    block: Block
    kind: Kind
    mark: int | None
    address: Address | None
    port: int
    group: str
    family: Family
    scheduler: str
    flags: tuple[str, ...]
    method: str
    persistence: int
    granularity: int | None
    delay_loop: int
    quorum: int
    inhibit: bool
    sorry: Address | None
    connect_timeout: int | None
    retry: int | None
    real_servers: tuple[RealServer, ...]
    others: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Globals:
    """global_defs, as far as it matters here. `sync_daemon` are the words after lvs_sync_daemon."""

    sync_daemon: tuple[str, ...]
    script_security: bool
    others: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Meaning:
    """A whole configuration. `groups` are virtual_server_group blocks: name -> marks in it."""

    instances: tuple[Instance, ...]
    sync_groups: tuple[SyncGroup, ...]
    virtual_servers: tuple[VirtualServer, ...]
    mark_groups: dict[str, tuple[int, ...]]
    globals: Globals
