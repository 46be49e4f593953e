"""What this project knows of one FTP daemon, as one record. Each daemon's folder fills one in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from lbftp.core.ftp.editing import Edit, Wanted
from lbftp.core.ftp.parts import Snippet
from lbftp.core.ftp.server import FtpServer
from lbftp.core.observe.observed import Platform
from lbftp.core.spec import ClusterSpec


@dataclass(frozen=True, slots=True)
class ToldNothing:
    """Why a daemon answers PASV with 0.0.0.0 although an address is set, and what helps."""

    why: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The daemon's own names for what a remedy speaks of, as they go behind "Set", "Switch it on
    (…)" and the like.

    `data_port` holds {port}. `ipv4` and `ipv6` are what serves that IP version. `told_nothing` is
    for a daemon that answers PASV with 0.0.0.0 for a reason of its own.
    """

    passive_range: str
    address: str
    idle_timeout: str
    passive_on: str
    active_on: str
    data_port: str
    control_port: str
    ipv4: str
    ipv6: str
    bound: str
    tls: str
    implicit: str
    plain: str
    reuse: str
    certificate: str
    told_nothing: ToldNothing | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be set for one of a daemon's servers: the findings with `codes` are to go.
    `config` is the daemon's main file or folder, `number` the server's place in the order of
    reading, `files` all texts by path."""

    spec: ClusterSpec
    config: str
    files: Mapping[str, str]
    number: int
    server: FtpServer
    codes: AbstractSet[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the daemon's own files are edited.

    `codes` are the findings that are put right so; certificates, further ports and demands on
    clients are people's. `options` are the lower-case names of all that is set: their lines may be
    shown to people. `harmless` are further options known to hold no secret, where every other line
    is hidden; None: lines are hidden by what they look like.

    `wanted` gives the options that are to change, `spelled` them as lines for a person, `edited`
    the files that change. `reloadable` says whether reading the files again is enough. `whole` is
    the one text that the daemon judges, '' where it judges the edited files. `judge` is the shell
    text of the step that has it judge, run as a function, and `judged_by` the sentence that says
    how. `wanted` and `edited` raise Unsettable.
    """

    codes: frozenset[str]
    options: frozenset[str]
    wanted: Callable[[Asked], Wanted]
    spelled: Callable[[Asked, Wanted], list[str]]
    edited: Callable[[Asked, Wanted], dict[str, str]]
    reloadable: Callable[[Wanted], bool]
    judged_by: str
    judge: Callable[[str, Sequence[Edit], str], str]
    whole: Callable[[str, Mapping[str, str]], str] = lambda _config, _files: ""
    harmless: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """`name` is that of its process, and of its unit without ".service"; `title` is how people
    write it.

    `main_files` are where packages put its main file, and `option_folder` where one has a file for
    each option, '' for none. `found_by` are shell commands that print every file it may read.
    `read` gives its servers, from the main file's path and all texts; it raises ObserveError where
    the daemon would not start. `lines` gives what a cluster needs of it on a platform; it raises
    SpecError with the reason if it can serve none of it.
    """

    name: str
    title: str
    main_files: tuple[str, ...]
    found_by: tuple[str, ...]
    read: Callable[[str, Mapping[str, str]], tuple[FtpServer, ...]]
    lines: Callable[[ClusterSpec, Platform], Snippet]
    settings: Settings
    words: Words
    option_folder: str = ""
