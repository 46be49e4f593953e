"""Which acceleration this computer's QEMU can use: tried once, in bounded time, and remembered."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
import time
from pathlib import Path

from lab import processes, tools
from lab.command import ACCELERATION

KVM = Path("/dev/kvm")
# A guest whose first program has run says this; one that hangs never does.
ALIVE = b"Attempted to kill init"
PATIENCE = 25.0


def choose(image: Path, memory: Path) -> str:
    """'kvm' or 'tcg'. `memory` is the file of earlier answers; `image` holds a kernel to try with."""
    if not KVM.exists():
        return "tcg"
    answers = _answers(memory)
    key = computer()
    if key not in answers:
        answers[key] = "kvm" if kvm_works(image, PATIENCE) else "tcg"
        new = memory.with_suffix(".new")
        new.write_text(json.dumps(answers, indent=1))
        new.rename(memory)
    return answers[key]


def computer() -> str:
    """A name for what the answer depends on: kernel, processor and QEMU."""
    processor = Path("/proc/cpuinfo").read_text().split("\n\n")[0]
    fixed = [line for line in processor.splitlines() if line.startswith(("vendor_id", "model name", "flags"))]
    text = "\n".join([platform.release(), qemu_version(), *fixed])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def qemu_version() -> str:
    """The first line of QEMU's version: a snapshot is loaded by the version that made it."""
    return tools.run_tool(["qemu-system-x86_64", "--version"]).splitlines()[0]


def kvm_works(image: Path, patience: float) -> bool:
    """Whether a guest gets through its kernel's start under KVM within `patience` seconds."""
    log = image / "kvm-trial.log"
    argv = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
    argv += ["-machine", "pc", *ACCELERATION["kvm"], "-m", "256", "-serial", f"file:{log}"]
    argv += ["-kernel", str(image / "vmlinuz"), "-initrd", str(image / "initrd.img")]
    argv += ["-append", "console=ttyS0 panic=-1 rdinit=/bin/true"]
    trial = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(trial, patience)
        return log.exists() and ALIVE in log.read_bytes()
    finally:
        processes.stop(trial.pid)
        trial.wait()
        log.unlink(missing_ok=True)


def _wait(trial: subprocess.Popen[bytes], patience: float) -> None:
    deadline = time.monotonic() + patience
    while trial.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)


def _answers(memory: Path) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads(memory.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found
