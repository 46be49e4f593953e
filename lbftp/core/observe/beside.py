"""What a router tells beside its configuration: keepalived's last words on real servers, files that it has not read
yet, settings that a boot will bring, routing by marks, and ports in use. A part is empty where it could not be asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

from lbftp.core.observe.connections import address_of

# The folders of sysctl.d(5), the strongest first: a name in one hides the same name in those behind it.
SYSCTL_FOLDERS: Final = (
    "/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d",
)  # fmt: skip

# keepalived 2.2 (ipwrapper.c): "Removing service [10.0.50.11]:none:0 from VS FWM 21", "Disabling … of VS …".
_WORD: Final = re.compile(r"\b(Add|Remov|Enabl|Disabl)ing service \[([0-9A-Fa-f.:]+)\]:\S+ (?:to|from|of) VS FWM (\d+)")
# "TCP_CHECK on service [10.0.50.11]:none:0 failed.", "TCP connection to [10.0.50.11]:none:0 timeout."
_CHECK: Final = re.compile(r"\[([0-9A-Fa-f.:]+)\]:\S+ .*\b(?:fail|timed? ?out|unreachable|error)")
_START: Final = re.compile(r"\bStarting Keepalived v")
_SETTING: Final = re.compile(r"^\s*-?\s*([A-Za-z0-9_./*-]+?)\s*=\s*(.*?)\s*$")


@dataclass(frozen=True, slots=True)
class Word:
    """keepalived's last word on a real server: whether it serves, when (as text, '' unknown), what the check said."""

    serves: bool
    at: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """A line of a sysctl.d file that a boot applies."""

    path: str
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Use:
    """Open connections that a virtual address's port has to a real server."""

    vip: str
    server: str
    port: int
    count: int


@dataclass(frozen=True, slots=True)
class Beside:
    """`words` by (mark, real server's address); `told`: the log reaches back to keepalived's start, so that a server
    without a word serves. `late` are files that changed after keepalived last read them, with the seconds between.
    `settings` in the order in which a boot applies them; `routing` are lines of `ip rule`."""

    words: Mapping[tuple[int, str], Word] = field(default_factory=dict)
    told: bool = False
    late: Mapping[str, float] = field(default_factory=dict)
    settings: tuple[Setting, ...] = ()
    routing: tuple[str, ...] = ()
    use: tuple[Use, ...] = ()

    def word(self, mark: int, server: str) -> Word | None:
        """keepalived's view of the server; None if it is not known."""
        return self.words.get((mark, server), Word(True) if self.told else None)

    def at_boot(self, key: str) -> Setting | None:
        """The line that decides about `key` at a boot; None if there is none."""
        return next((s for s in reversed(self.settings) if s.key == key), None)


def beside(text: Mapping[str, str]) -> Beside:
    """From the answer's parts. Raises nothing: what is not understood is left out."""
    words, told = _words(text.get("journal", ""))
    return Beside(
        words,
        told,
        _late(text),
        tuple(_settings(text.get("sysctl.files", ""), text.get("sysctl.lines", ""))),
        tuple(line.strip() for name in ("rules", "rules6") for line in text.get(name, "").splitlines()),
        tuple(_use(text.get("use", ""))),
    )


def _words(journal: str) -> tuple[dict[tuple[int, str], Word], bool]:
    """From `journalctl -o short-iso --utc`. A start of keepalived makes all earlier words void."""
    words: dict[tuple[int, str], Word] = {}
    said: dict[str, str] = {}
    told = False
    for line in journal.splitlines():
        stamp, _, message = line.partition(" ")
        if _START.search(line):
            words, said, told = {}, {}, True
        elif found := _WORD.search(line):
            verb, server, mark = found.groups()
            serves = verb in {"Add", "Enabl"}
            words[int(mark[:10]), server] = Word(serves, _when(stamp), "" if serves else said.get(server, ""))
        elif found := _CHECK.search(message):
            said[found[1]] = message.partition("]: ")[2][:150]
    return words, told


def _when(stamp: str) -> str:
    found = re.fullmatch(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}:[0-9]{2}:[0-9]{2})[+-]0000", stamp)
    return f"{found[1]} {found[2]} UTC" if found else ""


def _seconds(text: str) -> float:
    return float(text) if re.fullmatch(r"[0-9]{1,11}(\.[0-9]{1,9})?", text) else 0.0


def _late(text: Mapping[str, str]) -> dict[str, float]:
    """Files whose inode changed after keepalived's unit last changed its state, which a start and a reload do.

    `changed` are lines of `stat -c '%Z %n'`; the file `uptime` among them was written when it was read.
    """
    stamps = {}
    for line in text.get("changed", "").splitlines():
        stamp, _, path = line.partition(" ")
        if stamp.isascii() and stamp.isdigit() and len(stamp) < 12:
            stamps[path] = int(stamp)
    up, read = _seconds(text.get("uptime", "").strip()), _read_at(text.get("units", ""))
    now = stamps.pop("uptime", 0)
    if not (up and read and now):
        return {}
    at = now - (up - read)
    # Stamps are whole seconds, and a file that was put in place just before the reload is not late. One of the future
    # was written under another clock, and tells nothing.
    return {path: stamp - at for path, stamp in stamps.items() if at + 1 < stamp <= now}


def _read_at(units: str) -> float:
    """Seconds from boot to keepalived's last change of state; 0 if it is not known, or if it does not run."""
    for block in units.split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if values.get("Id") == "keepalived.service" and values.get("ActiveState") == "active":
            stamp = values.get("StateChangeTimestampMonotonic", "")
            return int(stamp) / 1e6 if stamp.isascii() and stamp.isdigit() and len(stamp) < 20 else 0.0
    return 0.0


def _settings(files: str, lines: str) -> Iterator[Setting]:
    """sysctl.d(5): by the files' names, whatever their folders; the last of several lines for one key counts."""
    chosen: dict[str, str] = {}
    for path in sorted(files.splitlines(), key=_strength):
        chosen.setdefault(path.rpartition("/")[2], path)
    found: dict[str, list[str]] = {}
    for line in lines.splitlines():
        path, _, content = line.partition(":")
        found.setdefault(path, []).append(content)
    for name in sorted(chosen):
        for content in found.get(chosen[name], ()):
            if match := _SETTING.match(content):
                yield Setting(chosen[name], match[1].replace("/", "."), match[2])


def _strength(path: str) -> int:
    folder = path.rpartition("/")[0]
    return SYSCTL_FOLDERS.index(folder) if folder in SYSCTL_FOLDERS else len(SYSCTL_FOLDERS)


def _use(text: str) -> Iterator[Use]:
    """Lines of VIP, real server, port (as in /proc/net/ip_vs_conn) and their number."""
    for line in text.splitlines():
        words = line.split()
        try:
            vip, server, port, count = words
            yield Use(address_of(vip), str(ip_address(address_of(server))), int(port, 16), int(count))
        except ValueError:
            continue
