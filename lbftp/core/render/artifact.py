"""What a router must hold for one cluster, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from lbftp.core.observe.iptables import Rule
from lbftp.core.ours import OWNED
from lbftp.core.spec import Family

# run: the running system; join: what may only follow once both routers run the rest; persist: what a boot reads.
Phase = Literal["run", "join", "persist"]
# keepalived: its files; script: run by keepalived; modprobe, module, sysctl, nft, nft-include: what a boot reads.
FileKind = Literal["keepalived", "script", "modprobe", "module", "sysctl", "nft", "nft-include"]

HEADER: Final = (
    f"# {OWNED} file. Change the cluster on the site instead: compliance puts edits made here back.",
    "# Cluster: {name} (on the site: Clusters, {name}; on the command line: manage.py lbftp status {name})",
)


@dataclass(frozen=True, slots=True)
class OwnChain:
    """A chain that is ours alone, and the one jump from a built-in chain that leads to it."""

    table: str
    name: str
    builtin: str
    rules: tuple[Rule, ...]
    family: Family = 4

    @property
    def jump(self) -> Rule:
        return Rule(("-j", self.name), f"-j {self.name}")


@dataclass(frozen=True, slots=True)
class OwnFile:
    """A file that must have exactly this text. `phase` 'persist': only a boot reads it."""

    kind: FileKind
    path: str
    text: str
    phase: Phase
    why: str
    mode: int = 0o644


def header(name: str) -> list[str]:
    """The first lines of every file of ours."""
    return [line.format(name=name) for line in HEADER]


@dataclass(frozen=True, slots=True)
class Artifact:
    """Something rendered, for people to read: a file, or rules (`path` says which). `router` is its name."""

    router: str
    path: str
    text: str
