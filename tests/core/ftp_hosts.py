"""FTP servers' machines as lbftp looks at them, made from the text of their daemon's files."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from lbftp.core.ftp.files import main_file, servers
from lbftp.core.ftp.host import FtpHost, Instance
from tests.core.test_ftp_host import HOST

VSFTPD = "/etc/vsftpd.conf"
PROFTPD = "/etc/proftpd/proftpd.conf"
PURE = "/etc/pure-ftpd/pure-ftpd.conf"


def machine(daemon: str, files: Mapping[str, str], *, unit: str = "", name: str = "ftp1") -> FtpHost:
    """One daemon that runs with these files, started by its unit."""
    config = main_file(daemon, [f"/usr/sbin/{daemon}"], files)
    found = servers(daemon, config, files)
    ports = tuple(sorted({one.control_port for one in found}))
    one = Instance(daemon, unit or f"{daemon}.service", config, ports, found, enabled="enabled")
    reloadable = frozenset({one.unit}) if daemon != "pure-ftpd" else frozenset()
    return dataclasses.replace(HOST, name=name, instances=(one,), reloadable=reloadable, files=dict(files))
