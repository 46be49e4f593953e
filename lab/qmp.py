"""QEMU's monitor protocol, as far as the laboratory needs it."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lab.places import LabError, SnapshotBrokenError

FULL_SPEED = 16 * 1024**3


class Monitor:
    """A connection to one machine's monitor. Use it as a context manager."""

    def __init__(self, path: Path, timeout: float = 30) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        try:
            self._connect(time.monotonic() + timeout)
        except LabError:
            self._socket.close()
            raise
        self._file = self._socket.makefile("rb")
        self._read()
        self.call("qmp_capabilities")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._socket.close()

    def call(self, name: str, **arguments: object) -> Any:
        """Run a command and return its answer. LabError if QEMU refuses or is gone."""
        self._send(json.dumps({"execute": name, "arguments": arguments}).encode() + b"\n")
        while True:
            answer = self._read()
            if "error" in answer:
                raise LabError(f"{self._path.name}: {name}: {answer['error'].get('desc')}")
            if "return" in answer:
                return answer["return"]

    def save_to(self, shell_command: str) -> None:
        """Stop the machine and stream its state into the shell command."""
        self.call("stop")
        self.call("migrate-set-parameters", **{"max-bandwidth": FULL_SPEED})
        self.call("migrate", uri=f"exec:{shell_command}")
        self._migrated(300)

    def load_from(self, shell_command: str) -> None:
        """Take the state from the shell command and let the machine run on. It was started to wait for that.

        SnapshotBrokenError if QEMU cannot read the state (it ends itself then).
        """
        try:
            self.call("migrate-incoming", uri=f"exec:{shell_command}")
            self._migrated(60)
        except LabError as error:
            raise SnapshotBrokenError(str(error)) from error
        self.call("cont")

    def _migrated(self, patience: float) -> None:
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            state = self.call("query-migrate").get("status")
            if state == "completed":
                return
            if state in {"failed", "cancelled"}:
                raise LabError(f"{self._path.name}: the machine's state could not be moved")
            time.sleep(0.05)
        raise LabError(f"{self._path.name}: moving the machine's state took over {patience:.0f} s")

    def _connect(self, deadline: float) -> None:
        while True:
            try:
                return self._socket.connect(str(self._path))
            except (FileNotFoundError, ConnectionRefusedError) as error:
                if time.monotonic() > deadline:
                    raise LabError(f"{self._path}: {error}") from error
                time.sleep(0.05)

    def _send(self, line: bytes) -> None:
        try:
            self._socket.sendall(line)
        except OSError as error:
            raise LabError(f"{self._path.name}: {error}") from error

    def _read(self) -> dict[str, Any]:
        try:
            line = self._file.readline()
        except OSError as error:
            raise LabError(f"{self._path.name}: {error}") from error
        if not line:
            raise LabError(f"{self._path.name}: the machine's monitor went away")
        answer: dict[str, Any] = json.loads(line)
        return answer
