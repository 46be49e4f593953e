"""What is on a router and is not ours, and whether it is still the same. Comparing is pure; reading is one command.

Deliberately not built on lbftp's own parsers: the demonstration must not judge lbftp with lbftp's eyes.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# One look: every file and link under /etc by digest, the whole text of those that lbftp shares with others, the rules.
SCRIPT = r"""
set -eu
cd /etc
echo '[digests]'
find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
find . -type l -printf 'link:%l  %p\n' | LC_ALL=C sort
for file in keepalived/keepalived.conf iptables/rules.v4 iptables/rules.v6 sysconfig/iptables sysconfig/ip6tables; do
    if [ -e "$file" ]; then echo "[file ./$file]"; base64 "$file"; fi
done
echo '[rules4]'; iptables-save
echo '[rules6]'; ip6tables-save
"""
_OWN_NEW_FILES = re.compile(
    r"\./(keepalived/lbftp\.d/[a-z0-9-]+(\.group)?\.conf|keepalived/lbftp\.d/[a-z0-9-]+\.group\.d/[a-z0-9-]+|"
    r"keepalived/lbftp\.d/[a-z0-9-]+\.check|modprobe\.d/lbftp\.conf|nftables\.d/lbftp-[a-z0-9-]+\.nft|"
    r"modules-load\.d/ip_vs_ftp\.conf|sysctl\.d/[0-9a-z-]*lbftp[a-z-]*\.conf"
    r"|systemd/system/lbftp-guard\.service|systemd/system/[a-z.-]+\.wants/[a-z0-9@.-]+\.service)"
)
# Switching one of our units on moves these too where it has an init script (systemd-sysv-install); that it is on or off
# as planned is told by its links under systemd/system.
_SWITCH = re.compile(r"\./rc[0-6S]\.d/[KS]\d\d(netfilter-persistent|iptables|ip6tables|nftables|keepalived)")
_INCLUDE = "include /etc/keepalived/lbftp.d/*.conf"
_OWN_CHAIN = re.compile(r"(:|-A |.* -j )LBFTP-")
_COUNTERS = re.compile(r"\[\d+:\d+\]")
# A table that had no rules need not exist; our chains may bring it into being, with these lines and nothing else.
_EMPTY_TABLE = re.compile(r":[A-Z]+ ACCEPT \[0:0\]")


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a router: digest by path, text of shared files by path, rules as printed."""

    digests: Mapping[str, str]
    texts: Mapping[str, str]
    rules4: str
    rules6: str


def read(answer: str) -> Look:
    """The look that SCRIPT printed."""
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in answer.splitlines():
        if re.fullmatch(r"\[(digests|file \S+|rules4|rules6)\]", line):
            lines = sections.setdefault(line[1:-1], [])
        else:
            lines.append(line)
    pairs = (line.split("  ", 1) for line in sections["digests"])
    digests = {path: digest for digest, path in pairs}
    texts = {
        name.removeprefix("file "): base64.b64decode("".join(body)).decode("utf-8", "surrogateescape")
        for name, body in sections.items()
        if name.startswith("file ")
    }
    return Look(digests, texts, "\n".join(sections["rules4"]), "\n".join(sections["rules6"]))


def changes(before: Look, after: Look) -> list[str]:
    """Everything foreign that is not as it was, a line each; empty: all of it is untouched."""
    found = _file_changes(before, after)
    for name, old, new in (("IPv4", before.rules4, after.rules4), ("IPv6", before.rules6, after.rules6)):
        found += [f"{name} rules: {line}" for line in _difference(foreign_rules(old), foreign_rules(new))]
    return found


def _file_changes(before: Look, after: Look) -> list[str]:
    found = []
    for path in sorted(before.digests.keys() | after.digests.keys()):
        old, new = before.digests.get(path), after.digests.get(path)
        if old == new or _SWITCH.fullmatch(path):
            continue
        if old is None:
            if not _OWN_NEW_FILES.fullmatch(path):
                found.append(f"{path}: is new and not ours")
        elif new is None:
            found.append(f"{path}: is gone")
        elif path in before.texts and path in after.texts:
            if foreign_text(after.texts[path]) != before.texts[path]:
                found.append(f"{path}: more than our own lines changed")
        else:
            found.append(f"{path}: has changed")
    return found


def foreign_text(text: str) -> str:
    """A shared file without our lines, every other byte as it is."""
    return "".join(line for line in text.splitlines(keepends=True) if not _is_ours(line.rstrip("\n")))


def foreign_rules(saved: str) -> list[str]:
    """The lines of iptables-save without comments, counters and what is ours, in order."""
    lines = [_COUNTERS.sub("[0:0]", line) for line in saved.splitlines() if line and not line.startswith("#")]
    return _without_empty_tables([line for line in lines if not _is_ours(line)])


def _is_ours(line: str) -> bool:
    return line.strip() == _INCLUDE or bool(_OWN_CHAIN.match(line))


def _without_empty_tables(lines: Iterable[str]) -> list[str]:
    kept: list[str] = []
    table: list[str] = []
    for line in lines:
        table.append(line)
        if line == "COMMIT":
            if not all(_EMPTY_TABLE.fullmatch(each) for each in table[1:-1]):
                kept += table
            table = []
    return kept + table


def _difference(old: list[str], new: list[str]) -> list[str]:
    if old == new:
        return []
    gone = [f"gone: {line}" for line in old if line not in new]
    come = [f"new: {line}" for line in new if line not in old]
    return gone + come or ["the order has changed"]
