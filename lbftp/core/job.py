"""What a worker is handed for one run: plain values, no rows. Services build them, workers use them.

Secrets are kept out of `repr`, so that a traceback or a log line cannot show them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lbftp.core.spec import ClusterSpec

# How long routers wait for the confirmation of a change before they put themselves back.
GUARD_SECONDS: Final = 120
GUARD_BOUNDS: Final = (30, 3600)
# The phase in which a run waits for a person.
AWAIT: Final = "await"
# What a change may be, beside bringing routers to a revision: each is a kind of run of the same name.
REVISION: Final = "revision"
DISTURBING: Final = frozenset({"restart", "reboot", "failover"})
CHANGING: Final = frozenset({"apply", "comply", "rollback", "servers", "maintenance"}) | DISTURBING


@dataclass(frozen=True, slots=True)
class Access:
    """How to log in to one machine over SSH. `host_key` is the pinned 'ssh-ed25519 AAAA…' ('' : none confirmed yet)."""

    name: str
    address: str
    port: int
    username: str
    host_key: str
    key: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    sudo: bool = False
    sudo_password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Probe:
    """One place that FTP sessions are made from, as whom, and which file they fetch ('': none).

    `access` is a probe host's, None for the worker itself; `sources`: addresses to connect from; `upload`: a folder on
    the FTP servers where a file may be put and deleted, '' for none.
    """

    access: Access | None
    sources: tuple[str, ...]
    username: str
    path: str
    password: str = field(default="", repr=False)
    upload: str = ""

    @property
    def name(self) -> str:
        return self.access.name if self.access else "the worker"


@dataclass(frozen=True, slots=True)
class Job:
    """One claimed run. `fence` is the number of this claim; a report with an older one is refused.

    `spec` is the revision to reach or to check; `previous` the one applied now, `applied_number` its number.
    `approved_digest` is the plan digest that people approved (apply only). `others` are the applied specs of other
    clusters on the same routers. An import run has `routers` and no spec. `target` is the one machine of an enrol or
    facts run; `target_kind` ('router', 'probehost') and `target_id` its row. `guard`: seconds that routers wait for a
    change's confirmation; `by_hand`: it is a person who confirms; `owner`: this manager's name there; `dry`: stop
    before the first change. `change` is the kind of change that is planned or carried out, `params` what people chose
    for it (ChangeRequest.params). `resting` are routers of the spec that are in maintenance: a run that looks leaves
    them alone. `servers` are those real servers of the spec that lbftp may log in to.
    `seconds`: after so long the run ends by itself (0: never; core.durations).
    """

    run_id: int
    kind: str
    fence: int
    spec: ClusterSpec | None = None
    previous: ClusterSpec | None = None
    applied_number: int = 0
    approved_digest: str = ""
    routers: tuple[Access, ...] = ()
    probes: tuple[Probe, ...] = ()
    others: tuple[ClusterSpec, ...] = ()
    reapply: bool = False
    target: Access | None = None
    target_kind: str = ""
    target_id: int = 0
    guard: int = GUARD_SECONDS
    owner: str = "lbftp"
    dry: bool = False
    by_hand: bool = False
    change: str = REVISION
    params: Mapping[str, Any] = field(default_factory=dict)
    resting: frozenset[str] = frozenset()
    servers: tuple[Access, ...] = ()
    seconds: int = 0

    @property
    def probe(self) -> Probe | None:
        """The first probe host; None if there is none, whether or not the worker itself makes sessions."""
        return next((probe for probe in self.probes if probe.access), None)


@dataclass(frozen=True, slots=True)
class Look:
    """One claimed look at a router's live numbers. `fence` is the number of this claim; `specs` what is applied there,
    by cluster."""

    router_id: int
    fence: int
    access: Access
    specs: Mapping[int, ClusterSpec]


@dataclass(frozen=True, slots=True)
class Orders:
    """What people ask of a run. `cancel` is the reason, '' for none; `extend`: guards are to start anew, told once;
    `confirm`: who said that the change stays, '' for nobody yet."""

    cancel: str = ""
    extend: bool = False
    confirm: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened in a run, before it has a sequence number."""

    kind: str
    router: str = ""
    data: dict[str, Any] = field(default_factory=dict)
