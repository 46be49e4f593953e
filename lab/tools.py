"""The programs of the build machine that the laboratory needs, installed if they are missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from lab.places import LabError

PACKAGES = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "vde_switch": "vde2",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
}
DEBIAN_KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SYSTEM_PATH = "/usr/sbin:/sbin"


def missing_packages() -> list[str]:
    """Names of the packages that still have to be installed, sorted."""
    path = os.pathsep.join([os.environ.get("PATH", "/usr/bin:/bin"), SYSTEM_PATH])
    missing = {package for program, package in PACKAGES.items() if shutil.which(program, path=path) is None}
    if not DEBIAN_KEYS.exists():
        missing.add("debian-archive-keyring")
    return sorted(missing)


def ensure() -> None:
    """Install what is missing. Makes the administrator's programs findable for child processes too."""
    if "/usr/sbin" not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", "/usr/bin:/bin"), SYSTEM_PATH])
    missing = missing_packages()
    if missing:
        _install(missing)


def _install(packages: list[str]) -> None:
    if os.geteuid() != 0:
        raise LabError(f"missing packages: {' '.join(packages)}. Install them, or run this as root")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=600"]
    run_tool([*apt, "update"], env=environment)
    run_tool([*apt, "install", "--yes", "--no-install-recommends", *packages], env=environment)


def run_tool(argv: list[str], *, env: dict[str, str] | None = None, timeout: float = 1800) -> str:
    """Run a program, return its output; LabError carries the end of what it said."""
    try:
        done = subprocess.run(
            argv, env=env, timeout=timeout, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LabError(f"{argv[0]}: {error}") from error
    if done.returncode != 0:
        said = (done.stdout + done.stderr)[-3000:]
        raise LabError(f"{' '.join(argv[:6])} … ended with status {done.returncode}:\n{said}")
    return done.stdout
