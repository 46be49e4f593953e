"""proftpd.conf with all that it includes: where a server's own directives stand, and the lines with
them set.

Read as `proftpd.read` reads: of one name the first counts, a server's own beat <Global>'s, a
virtual host inherits nothing from the main server. What depends on a module or a definition cannot
be told from outside and is not edited.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Final

from lbftp.core.ftp.daemon import Asked, Settings
from lbftp.core.ftp.editing import ADDRESS_CODES, RANGE_CODES, Edit, Unsettable, Wanted, checked, plain
from lbftp.core.ftp.parts import idle_timeout, names_vip
from lbftp.core.ftp.proftpd.files import Line, proftpd_lines
from lbftp.core.ftp.proftpd.read import BLOCK, WORD, taken, words
from lbftp.core.spec import ClusterSpec

CODES: Final = ADDRESS_CODES | RANGE_CODES | {"ftpd-idle-timeout", "ftpd-data-port", "ftpd-active-off"}
MAIN, GLOBAL = 0, -1


def wanted(spec: ClusterSpec, codes: AbstractSet[str]) -> Wanted:
    """The directives that findings with these codes ask for. Raises Unsettable."""
    need: dict[str, str | None] = {}
    if codes & RANGE_CODES:
        if spec.passive.size == 1:
            raise Unsettable("ProFTPD needs at least two passive ports")
        need["PassivePorts"] = f"{spec.passive.low:d} {spec.passive.high:d}"
    if codes & ADDRESS_CODES:
        need["MasqueradeAddress"] = f"{IPv4Address(str(spec.vip))}" if names_vip(spec) else None
    if "ftpd-idle-timeout" in codes:
        need["TimeoutIdle"] = f"{idle_timeout(spec):d}"
    if codes & {"ftpd-data-port", "ftpd-active-off"}:
        need["RootRevoke"] = "off"
    return need


@dataclass(frozen=True, slots=True)
class _Statement:
    """One directive of a server: MAIN, GLOBAL or the number of a virtual host, from 1; where it
    begins and ends. `depends`: on a module or a definition."""

    server: int
    name: str
    first: int
    last: int
    depends: bool


@dataclass(frozen=True, slots=True)
class _Block:
    """`server` is whose directives stand in it, None if that is nobody's here."""

    name: str
    server: int | None
    depends: bool


@dataclass(slots=True)
class _Read:
    """`lines` in the order in which they are read; `ends`: where each virtual host's block
    closes; `apart`: the first line of a block with other servers' directives."""

    config: str
    files: Mapping[str, str]
    lines: Sequence[Line]
    statements: list[_Statement] = field(default_factory=list)
    ends: dict[int, int] = field(default_factory=dict)
    blocks: list[_Block] = field(default_factory=list)
    hosts: int = 0
    apart: int | None = None

    @property
    def here(self) -> _Block:
        return self.blocks[-1] if self.blocks else _Block("", MAIN, depends=False)

    def of(self, server: int, name: str) -> list[_Statement]:
        return [s for s in self.statements if s.server == server and s.name == name.lower()]

    def file_with(self, path: str, changed: Mapping[int, Sequence[str]]) -> tuple[str, str]:
        """The path, and the file's text with other lines in place of those numbers."""
        lines = re.split(r"(?<=\n)", self.files[path])
        return path, "".join(text for number, line in enumerate(lines) for text in changed.get(number, [line]))


def edited(config: str, files: Mapping[str, str], server: int, need: Wanted) -> dict[str, str]:
    """The files that change, with these directives of `server` (MAIN, or the number of a virtual
    host in the order of reading) set. Raises Unsettable, and ObserveError where the daemon would
    not start."""
    now = dict(files)
    for name, value in checked(need).items():
        read = _read(config, now)
        path, text = _removed(read, server, name) if value is None else _set(read, server, (name, value))
        now[path] = text
    return {path: text for path, text in now.items() if text != files.get(path)}


def _read(config: str, files: Mapping[str, str]) -> _Read:
    read = _Read(config, files, proftpd_lines(config, files))
    for path in {line.path for line in read.lines}:
        plain(files[path])
    for first, last, text in _whole(read.lines):
        if block := BLOCK.fullmatch(text):
            _pass(read, block, first)
        elif (found := words(text)) and (server := read.here.server) is not None:
            read.statements.append(_Statement(server, found[0].lower(), first, last, read.here.depends))
    return read


def _whole(lines: Sequence[Line]) -> Iterator[tuple[int, int, str]]:
    """First and last line, and the text, of everything but comments (`proftpd.read` has the
    rule).
    """
    begun, first = "", 0
    for number, line in enumerate(lines):
        text = line.text.strip()
        if not begun and text.startswith("#"):
            continue
        first = first if begun else number
        whole = begun + text
        begun = f"{whole[:-1]} " if whole.endswith("\\") else ""
        if whole and not begun:
            yield first, number, whole


def _pass(read: _Read, block: re.Match[str], number: int) -> None:
    """Into a block, or out of one."""
    end, name, argument = block[1], block[2].lower(), block[3].strip()
    if end:
        gone = read.blocks.pop() if read.blocks else read.here
        if gone.name == "virtualhost" and gone.server is not None:
            read.ends[gone.server] = number
        return
    here = read.here
    inside = _Block(name, None, depends=True)
    if here.server is not None and name in {"virtualhost", "global"}:
        read.apart = number if read.apart is None else read.apart
        read.hosts += name == "virtualhost"
        # If a virtual host is there at all, what stands in it counts.
        host = name == "virtualhost"
        inside = _Block(name, read.hosts if host else GLOBAL, here.depends and not host)
    elif here.server is not None and taken(name, argument):
        inside = _Block(name, here.server, depends=True)
    read.blocks.append(inside)


def _set(read: _Read, server: int, option: tuple[str, str]) -> tuple[str, str]:
    name, value = option
    own = read.of(server, name)
    if not own:
        return _added(read, server, f"{name} {value}")
    line = _plain_line(read, own[0], name)
    return read.file_with(line.path, {line.number: [f"{_indent(line)}{name} {value}{_comment(line.text)}\n"]})


def _added(read: _Read, server: int, text: str) -> tuple[str, str]:
    """Before the end of a virtual host; in the main server behind its last directive before
    others' blocks begin.
    """
    own = [s for s in read.statements if s.server == server and not s.depends]
    if server != MAIN:
        end = read.lines[read.ends[server]]
        _refuse_twice(read, end)
        indent = _indent(read.lines[own[-1].first]) if own else f"{_indent(end)}  "
        return read.file_with(end.path, {end.number: [f"{indent}{text}\n", end.text]})
    before = [s for s in own if read.lines[s.last].path == read.config and (read.apart is None or s.first < read.apart)]
    if not before:
        return read.config, f"{text}\n{read.files[read.config]}"
    last = read.lines[before[-1].last]
    return read.file_with(read.config, {last.number: [last.text, f"{text}\n"]})


def _removed(read: _Read, server: int, name: str) -> tuple[str, str]:
    """All of the server's own; where it has none, <Global>'s: the caller sees whom else that
    concerns.
    """
    found = read.of(server, name) or read.of(GLOBAL, name)
    lines = [_plain_line(read, one, name) for one in found]
    if len({line.path for line in lines}) != 1:
        raise Unsettable(f"{name} does not stand in one file")
    return read.file_with(lines[0].path, {line.number: [] for line in lines})


def _plain_line(read: _Read, one: _Statement, name: str) -> Line:
    """Where a directive stands that is one line of one server's. Raises Unsettable."""
    line = read.lines[one.first]
    where = f"{name} in line {line.number + 1} of {line.path}"
    if one.depends:
        raise Unsettable(f"{where} depends on a module or a definition, so whether it counts cannot be told")
    if one.first != one.last:
        raise Unsettable(f"{where} goes on over several lines")
    _refuse_twice(read, line)
    return line


def _refuse_twice(read: _Read, line: Line) -> None:
    if sum((other.path, other.number) == (line.path, line.number) for other in read.lines) > 1:
        raise Unsettable(f"{line.path} is included more than once")


def _indent(line: Line) -> str:
    return line.text[: len(line.text) - len(line.text.lstrip())]


def _comment(text: str) -> str:
    """What stands behind a directive as a comment, with the space before it; '' for none."""
    for match in WORD.finditer(text):
        if match[2] is not None and match[2].startswith("#"):
            before = text[: match.start()]
            return before[len(before.rstrip()) :] + text[match.start() :].rstrip("\n")
    return ""


def spelled(need: Wanted) -> list[str]:
    """The lines for somebody who sets them by hand."""
    return [f"{name} {value}" if value is not None else f"no {name}" for name, value in need.items()]


def _spelled(asked: Asked, need: Wanted) -> list[str]:
    host = f" (in the virtual host {asked.server.name})" if asked.server.name else ""
    return [f"{line}{host}" for line in spelled(need)]


def _whole_text(config: str, files: Mapping[str, str]) -> str:
    return "".join(line.text for line in proftpd_lines(config, files))


def _judge(_config: str, _edits: Sequence[Edit], whole: str) -> str:
    return f"""printf %s {shlex.quote(whole)} >"$work/new" || return 1
proftpd -t -c "$work/new" >"$work/said" 2>&1 && return 0
refused "$work/said" "ProFTPD refuses the new text"
return 1"""


# What ProFTPD's modules for databases, directories and other log-ins are given stands in plain text
# in its file, so only directives that are known to hold none are shown of it.
_HARMLESS: Final = frozenset({
    "defaultaddress", "defaultserver", "include", "maxinstances", "port", "servername", "servertype", "socketbindtight",
    "timeoutlogin", "timeoutnotransfer", "timeoutstalled", "tlsengine", "tlsoptions", "tlsprotocol", "tlsrequired",
    "umask", "useipv6", "usereversedns",
})  # fmt: skip

SETTINGS: Final = Settings(
    codes=CODES,
    options=frozenset({"passiveports", "masqueradeaddress", "timeoutidle", "rootrevoke"}),
    wanted=lambda asked: wanted(asked.spec, asked.codes),
    spelled=_spelled,
    edited=lambda asked, need: edited(asked.config, asked.files, asked.number, need),
    # SIGHUP has it read everything again.
    reloadable=lambda _need: True,
    judged_by="proftpd -t reads it with everything that it includes",
    judge=_judge,
    whole=_whole_text,
    harmless=_HARMLESS,
)
