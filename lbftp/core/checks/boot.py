"""What the next boot will bring that is not seen yet: settings of others that come after ours (sysctl.d(5),
modules-load.d(5), modprobe.d(5))."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lbftp.core.findings import Finding, finding
from lbftp.core.observe.observed import Observed
from lbftp.core.ours import SYSCTL_FILE
from lbftp.core.render import kernel
from lbftp.core.spec import ClusterSpec

# systemd-modules-load keeps to `blacklist`; `install` runs something else in the module's place.
_BLOCKS: Final = re.compile(r"^\s*(blacklist\s+ip_vs_ftp|install\s+ip_vs_ftp\s+\S*/(?:true|false))\b", re.MULTILINE)


def check(spec: ClusterSpec, observed: Observed) -> Iterator[Finding]:
    yield from _sysctls(spec, observed)
    yield from _module(spec, observed)


def _sysctls(spec: ClusterSpec, observed: Observed) -> Iterator[Finding]:
    for key, value in kernel.sysctls(spec):
        last = observed.beside.at_boot(key)
        if last is not None and last.path != SYSCTL_FILE and last.value != value:
            fields = {"path": last.path, "key": key, "value": last.value}
            yield finding("sysctl-overridden", observed.router, f"{key} = {value}", f"{key} = {last.value}", **fields)


def _module(spec: ClusterSpec, observed: Observed) -> Iterator[Finding]:
    if spec.mode != "helper":
        return
    for path, text in sorted(observed.files.items()):
        if path.startswith("/etc/modprobe") and text and (line := _BLOCKS.search(text)):
            yield finding("module-blocked", observed.router, "", line[1], path=path)
