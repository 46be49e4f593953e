"""The keys of an FTP server's own files that a cluster needs otherwise, set in place; everybody else's lines stay."""

from __future__ import annotations

from lbftp.core.ftp.editing import Edit
from lbftp.core.ftp_keys.instance import InstanceKeys, Unset
from lbftp.core.ftp_keys.plan import KIND, chosen, concerned, server_plan, servers_plan
from lbftp.core.ftp_keys.server import ServerKeys, server_keys

__all__ = [
    "KIND", "Edit", "InstanceKeys", "ServerKeys", "Unset", "chosen", "concerned", "server_keys",
    "server_plan", "servers_plan",
]  # fmt: skip
