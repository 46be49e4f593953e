"""What a checkout remembers of its laboratory between commands: one small file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from lab.command import Folders
from lab.running import Running

NAME = "lab.json"


@dataclass(frozen=True, slots=True)
class State:
    """Paths and ports of the laboratory as it was last started. `identity` is that of ready.Ready."""

    sockets: str
    image: str
    identity: str
    acceleration: str
    ports: dict[str, int]

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """What was remembered in that run folder; None if nothing, or nothing that this version understands."""
        try:
            return cls(**json.loads((folder / NAME).read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def save(self, folder: Path) -> None:
        """Remember this; readers see the old or the new file, never half of one."""
        folder.mkdir(parents=True, exist_ok=True)
        new = folder / f"{NAME}.new"
        new.write_text(json.dumps(asdict(self), indent=1) + "\n")
        new.rename(folder / NAME)

    def running(self, folder: Path) -> Running:
        """The laboratory in that run folder."""
        folders = Folders(folder, Path(self.sockets))
        return Running(folders, Path(self.image), self.acceleration, self.ports)
