"""Blocks -> what they mean: VRRP instances and groups, virtual and real servers, checks
(keepalived.conf(5), 2.2).

Defaults are keepalived's. An option that is not understood, or has a value that keepalived would
not take, is kept as a block in `others`: nothing is lost, and nothing is raised here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_address, ip_interface
from itertools import pairwise
from typing import Final

from lbftp.core.observe.keepalived.records import (
    Check,
    Floating,
    Globals,
    Instance,
    Kind,
    Meaning,
    RealServer,
    SyncGroup,
    VirtualServer,
)
from lbftp.core.observe.keepalived.tree import Block, Config
from lbftp.core.spec.values import Address, Family

CHECKS: Final = frozenset({
    "TCP_CHECK", "MISC_CHECK", "HTTP_GET", "SSL_GET", "SMTP_CHECK", "DNS_CHECK", "BFD_CHECK",
    "UDP_CHECK", "PING_CHECK", "FILE_CHECK",
})  # fmt: skip
FLAGS: Final = frozenset({"sh-port", "sh-fallback", "mh-port", "mh-fallback"})
_ON: Final = frozenset({"on", "true", "yes"})
_OFF: Final = frozenset({"off", "false", "no"})


def meaning(config: Config) -> Meaning:
    """What `config` means. Raises nothing."""
    services = (_virtual_server(b) for b in config.named("virtual_server"))
    return Meaning(
        instances=tuple(_instance(b) for b in config.named("vrrp_instance")),
        sync_groups=tuple(_sync_group(b) for b in config.named("vrrp_sync_group")),
        virtual_servers=tuple(s for s in services if s is not None),
        mark_groups={_word(b, 1): _marks(b) for b in config.named("virtual_server_group")},
        globals=_globals([c for b in config.named("global_defs") for c in b.children]),
    )


@dataclass(slots=True)
class _Options:
    """A block's statements, taken by name; what nobody took is left. The last of several of one
    name counts.
    """

    found: dict[str, list[Block]] = field(default_factory=dict)
    bad: list[Block] = field(default_factory=list)

    @classmethod
    def of(cls, blocks: Iterable[Block]) -> _Options:
        options = cls()
        for block in blocks:
            options.found.setdefault(block.name, []).append(block)
        return options

    def blocks(self, name: str) -> list[Block]:
        return self.found.pop(name, [])

    def word(self, name: str, default: str = "") -> str:
        blocks = self.blocks(name)
        return _word(blocks[-1], 1) if blocks else default

    def number(self, *names: str) -> int | None:
        """The number of the last of `names` that is there; a value that is none stays among the
        others.
        """
        value = None
        for name in names:
            for block in self.blocks(name):
                number = as_number(_word(block, 1))
                if number is None:
                    self.bad.append(block)
                else:
                    value = number
        return value

    def flag(self, name: str) -> bool:
        blocks = self.blocks(name)
        return bool(blocks) and _word(blocks[-1], 1).lower() not in _OFF

    def items(self, name: str) -> Iterator[Block]:
        for block in self.blocks(name):
            yield from block.children

    def take(self, name: str, read: Callable[[str], object | None]) -> None:
        """Leaves the option `name` among the others if `read` makes nothing of its word."""
        for block in self.found.get(name, []):
            if read(_word(block, 1)) is None:
                self.bad.append(block)

    def rest(self) -> tuple[Block, ...]:
        left = [*self.bad, *(b for blocks in self.found.values() for b in blocks)]
        return tuple(sorted(left, key=lambda b: (b.file, b.line)))


def as_number(word: str) -> int | None:
    return int(word) if word.isascii() and word.isdigit() and len(word) <= 10 else None


def _word(block: Block, index: int) -> str:
    return block.words[index] if index < len(block.words) else ""


def _address(word: str) -> Address | None:
    try:
        return ip_address(word.partition("/")[0]) if "%" not in word else None
    except ValueError:
        return None


def _floating(block: Block, interface: str) -> Floating | None:
    """An address line of an instance: `ADDRESS[/LENGTH] [dev …]`; without a length it is a
    host's.
    """
    words = block.words
    device = next((after for word, after in pairwise(words) if word == "dev"), interface)
    try:
        return Floating(ip_interface(block.name), device) if "%" not in block.name else None
    except ValueError:
        return None


def _instance(block: Block) -> Instance:
    options = _Options.of(block.children)
    held = [*options.items("virtual_ipaddress"), *options.items("virtual_ipaddress_excluded")]
    interface = options.word("interface")
    floating = {id(b): _floating(b, interface) for b in held}
    # Read, so that it does not count as an option that nobody knows.
    options.word("unicast_src_ip")

    return Instance(
        block=block,
        name=_word(block, 1),
        state=options.word("state", "BACKUP"),
        interface=interface,
        vrid=options.number("virtual_router_id"),
        priority=_or(options.number("priority"), 100),
        advert_int=options.word("advert_int", "1"),
        preempt=not options.flag("nopreempt"),
        preempt_delay=options.word("preempt_delay", "0"),
        unicast_peers=tuple(b.name for b in options.items("unicast_peer")),
        addresses=tuple(a for a in floating.values() if a is not None),
        track_interfaces=tuple(b.name for b in options.items("track_interface")),
        authentication=bool(options.blocks("authentication")),
        others=(*(b for b in held if floating[id(b)] is None), *options.rest()),
    )


def _sync_group(block: Block) -> SyncGroup:
    options = _Options.of(block.children)
    members = tuple(b.name for b in options.items("group"))
    return SyncGroup(block, _word(block, 1), members, options.rest())


def _marks(block: Block) -> tuple[int, ...]:
    numbers = (as_number(_word(b, 1)) for b in block.children if b.name == "fwmark")
    return tuple(n for n in numbers if n is not None)


def _kind(word: str) -> Kind:
    """By the first word behind virtual_server."""
    if word == "fwmark":
        return "fwmark"
    return "group" if word == "group" else "address"


def _virtual_server(block: Block) -> VirtualServer | None:
    """None for a head that names no service."""
    word, second = _word(block, 1), _word(block, 2)
    kind = _kind(word)

    mark = as_number(second) if kind == "fwmark" else None
    address = _address(word) if kind == "address" else None
    if kind != "group" and mark is None and address is None:
        return None

    options = _Options.of(block.children)
    servers = tuple(_real_server(b) for b in options.blocks("real_server"))
    family = _family(options.word("ip_family"), address, servers)
    options.take("sorry_server", _address)
    persistence = options.blocks("persistence_timeout")
    return VirtualServer(
        block=block,
        kind=kind,
        mark=mark,
        address=address,
        port=_or(as_number(second), 0) if kind == "address" else 0,
        group=second if kind == "group" else "",
        family=family,
        scheduler=_last(options, ("lb_algo", "lvs_sched"), "wlc"),
        flags=tuple(sorted(name for name in FLAGS if options.flag(name))),
        method=_last(options, ("lb_kind", "lvs_method"), "NAT").upper(),
        # Without a number six minutes (keepalived.conf(5)).
        persistence=_or(as_number(_word(persistence[-1], 1)), 360) if persistence else 0,
        granularity=_granularity(options.word("persistence_granularity")),
        delay_loop=_or(options.number("delay_loop"), 60),
        quorum=_or(options.number("quorum"), 1),
        inhibit=options.flag("inhibit_on_failure"),
        sorry=_address(options.word("sorry_server")),
        connect_timeout=options.number("connect_timeout"),
        retry=options.number("retry"),
        real_servers=servers,
        others=options.rest(),
    )


def _family(word: str, address: Address | None, servers: tuple[RealServer, ...]) -> Family:
    """By ip_family, else by the addresses, else IPv4, as keepalived does."""
    known = [address, *(s.address for s in servers)]
    first = next((a for a in known if a is not None), IPv4Address(0))
    if word:
        return 6 if word == "inet6" else 4
    return 6 if first.version == 6 else 4


def _last(options: _Options, names: tuple[str, ...], default: str) -> str:
    """The option under either of its names, whichever comes later."""
    blocks = sorted((b for name in names for b in options.blocks(name)), key=lambda b: b.line)
    return _word(blocks[-1], 1) if blocks else default


def _granularity(word: str) -> int | None:
    """A prefix length: IPv4 writes it as a mask, IPv6 as the number."""
    try:
        if "." in word:
            return ip_interface(f"0.0.0.0/{word}").network.prefixlen
        return as_number(word)
    except ValueError:
        return None


def _real_server(block: Block) -> RealServer:
    options = _Options.of(block.children)
    checks = tuple(_check(b) for b in block.children if b.name in CHECKS)
    for name in CHECKS:
        options.blocks(name)
    named = block.comment if len(block.comment.split()) == 1 else ""
    return RealServer(
        block=block,
        address=_address(_word(block, 1)),
        port=_or(as_number(_word(block, 2)), 0),
        name=named,
        weight=_or(options.number("weight"), 1),
        upper=_or(options.number("uthreshold"), 0),
        lower=_or(options.number("lthreshold"), 0),
        inhibit=options.flag("inhibit_on_failure"),
        method=_last(options, ("lb_kind", "lvs_method"), "").upper(),
        checks=checks,
        others=options.rest(),
    )


def _check(block: Block) -> Check:
    options = _Options.of(block.children)
    return Check(
        block=block,
        kind=block.name,
        connect_port=options.number("connect_port"),
        connect_timeout=options.number("connect_timeout", "misc_timeout"),
        retry=options.number("retry"),
        misc_path=options.word("misc_path"),
        others=options.rest(),
    )


def _globals(blocks: list[Block]) -> Globals:
    options = _Options.of(blocks)
    daemon = options.blocks("lvs_sync_daemon")

    return Globals(
        sync_daemon=daemon[-1].words[1:] if daemon else (),
        script_security=options.flag("enable_script_security"),
        others=options.rest(),
    )


def _or(value: int | None, default: int) -> int:
    return default if value is None else value
