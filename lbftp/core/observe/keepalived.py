"""keepalived's configuration text, as far as lbftp must understand what others wrote (keepalived.conf(5))."""

from __future__ import annotations

import fnmatch
import re
from typing import Final

INCLUDE_DIR: Final = "/etc/keepalived/lbftp.d"
MAIN: Final = "/etc/keepalived/keepalived.conf"
INCLUDE_LINE: Final = f"include {INCLUDE_DIR}/*.conf"

_COMMENT: Final = re.compile(r"(^|\s)[!#].*$", re.MULTILINE)
_INCLUDE: Final = re.compile(r"^\s*include[rmwbac]*\s+(\S+)\s*$", re.MULTILINE)
_VRID: Final = re.compile(r"\bvirtual_router_id\s+(\d+)")
_FWMARK: Final = re.compile(r"\bvirtual_server\s+fwmark\s+(\d+)")


def bare(text: str) -> str:
    """`text` without comments. A `#` or `!` begins one where a word could begin."""
    return _COMMENT.sub("", text)


def includes_ours(text: str) -> bool:
    """Whether the main file reads every `*.conf` of our folder."""
    return any(fnmatch.fnmatch(f"{INCLUDE_DIR}/x.conf", pattern) for pattern in _INCLUDE.findall(bare(text)))


def router_ids(text: str) -> frozenset[int]:
    """Every virtual_router_id that `text` uses."""
    return frozenset(int(i) for i in _VRID.findall(bare(text)))


def marks(text: str) -> frozenset[int]:
    """Every firewall mark that `text` has a virtual server for."""
    return frozenset(int(i) for i in _FWMARK.findall(bare(text)))
