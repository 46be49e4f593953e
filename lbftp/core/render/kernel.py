"""The helper module and forwarding, and the files that keep them over a reboot (modules-load.d(5), sysctl.d(5))."""

from __future__ import annotations

from typing import Final

from lbftp.core.observe.program import MODULE_FILE, SYSCTL_FILE

MODULES: Final = ("ip_vs_ftp",)
SYSCTLS: Final = (("net.ipv4.ip_forward", "1"),)


def module_file(existing: str | None) -> tuple[str, str]:
    """(path, content): the guide's file. A line is appended to one that exists without it, as the guide's echo does."""
    lines = (existing or "").splitlines()
    missing = [m for m in MODULES if m not in [line.strip() for line in lines]]
    if existing is None:
        return MODULE_FILE, "".join(f"{m}\n" for m in MODULES)
    gap = "" if existing.endswith("\n") or not existing else "\n"
    return MODULE_FILE, existing + (gap + "".join(f"{m}\n" for m in missing) if missing else "")


def sysctl_file() -> tuple[str, str]:
    """(path, content). The file serves every cluster on the router."""
    lines = ["# lbftp owns this file: FTP clusters behind IPVS with NAT need forwarding."]
    return SYSCTL_FILE, "\n".join([*lines, *(f"{key} = {value}" for key, value in SYSCTLS)]) + "\n"
