"""One case in the form of the truth table's file -> State. Raises CaseError, and nothing else, on anything.

A key that is absent has the guide's value: a mark service with persistence, helper, marks and masquerading, forwarding
on, no filter policy, IPv4, two real servers, plain FTP, no `pasv_address`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from lbftp.core.path.rules import Filter, Line, Ports, line
from lbftp.core.path.state import CONTROL, DATA, State
from lbftp.core.promise import Tls

# What the file says beside the case itself.
_REMARKS: Final = frozenset(
    {"id", "why", "note", "notes", "comment", "description", "result", "active_data_source"}
)  # fmt: skip
KEYS: Final = (
    "service", "persistence", "helper", "mark_control", "mark_passive", "mark_20", "masquerade_20", "snat_20",
    "conntrack_active", "vs_conntrack", "pasv_address", "tls", "ip_forward", "filter_policy", "ip_version",
    "real_servers", "control_port", "helper_ports", "marked_range", "server_range", "data_port", "pinned",
    "draining_servers",
)  # fmt: skip

_SERVICE_FORMS: Final = (
    "'fwmark N, NAT, real server port P' (IPv6: 'fwmark N IPv6, …'), 'VIP:PORT tcp, NAT', or 'none'; "
    "instead of NAT also DR or TUN"
)
_POLICY_FORMS: Final = (
    "'INPUT DROP, accepts …' and 'FORWARD DROP, accepts …' with any of ESTABLISHED,RELATED, mark N, dport N[:M], "
    "sport N[:M], everything"
)
_FWMARK: Final = re.compile(r"(?:fwmark|fw-?mark|firewall mark|mark) (0x[0-9a-f]{1,8}|[0-9]{1,10})( ipv[46])?")
_PLAIN: Final = re.compile(r"\[?vip\]?:([0-9]{1,5})( tcp)?( ipv[46])?")
_REAL_PORT: Final = re.compile(r"real server port ([0-9]{1,5})")
_METHODS: Final[Mapping[str, Literal["NAT", "DR", "TUN"]]] = {
    "nat": "NAT", "masq": "NAT", "masquerading": "NAT",
    "dr": "DR", "direct routing": "DR", "gatewaying": "DR",
    "tun": "TUN", "tunnel": "TUN", "tunnelling": "TUN", "tunneling": "TUN", "ipip": "TUN",
}  # fmt: skip

_CHAIN: Final = re.compile(r"\b(INPUT|FORWARD|OUTPUT)\s+(?:policy\s+)?(ACCEPT|DROP|REJECT)\b", re.IGNORECASE)
_LIST: Final = r"[0-9]{1,5}(?:[:-][0-9]{1,5})?(?:\s*,\s*[0-9]{1,5}(?:[:-][0-9]{1,5})?)*"
_WORD: Final = r"(?:ESTABLISHED|RELATED|NEW|INVALID)"
_ACCEPT: Final = re.compile(
    rf"(?P<tracked>\b{_WORD}\b(?:\s*[,/]\s*{_WORD}\b)*)"
    r"|\b(?P<mark>(?:fw)?marks?\b(?:\s+(?P<value>0x[0-9a-f]{1,8}|[0-9]{1,10})\b)?)"
    rf"|\b(?P<side>dports?|sports?|destination ports?|source ports?|ports?)\s+(?P<ports>{_LIST})\b"
    r"|\b(?P<passive>(?:the\s+)?passive (?:range|ports))\b"
    r"|\b(?P<all>everything|all)\b",
    re.IGNORECASE,
)
# Words that change nothing. Addresses beside a port are taken to be the cluster's own.
_NOISE: Final = frozenset({
    "accepts", "accept", "accepted", "accepting", "allows", "allowed", "but", "only", "nothing", "the", "by",
    "default", "policy", "with", "its", "rule", "rules", "tcp", "from", "to", "internal", "network", "real", "server",
    "servers", "vip", "packets", "traffic", "connection", "connections", "--", "-s", "-d", "-p", "-m", "conntrack",
    "state", "--ctstate", "--state",
})  # fmt: skip
_ADDRESS: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}(/[0-9]{1,2})?")
_JOINS: Final = frozenset({"and", "or"})


class CaseError(ValueError):
    """A case that cannot be understood. `key` is the key; the text says what is accepted."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(f"{key}: {message}")
        self.key = key


def state_from_case(case: object) -> State:
    """The state that `case` describes."""
    if not isinstance(case, Mapping):
        raise CaseError("case", "has to be one JSON object in the form of the truth table's cases")
    if unknown := sorted(repr(str(key)[:40])[1:-1] for key in case if key not in KEYS and key not in _REMARKS):
        raise CaseError(unknown[0], f"is not a key of a case; known keys: {', '.join(KEYS)}")
    service = _service(case)
    control, mark = service["control_port"], service.get("mark", 21)
    passive = _range(case, "server_range", Ports(10000, 20000))
    return State(
        **service,
        marked=_marked(case, control, passive),
        passive=passive,
        servers=_number(case, "real_servers", 2, 0, 65535),
        draining=_number(case, "draining_servers", 0, 0, 65535),
        pinned=_flag(case, "pinned", False),
        data_port=_number(case, "data_port", DATA, 0, 65535),
        persistence=_persistence(case),
        helper=_flag(case, "helper", True),
        helper_ports=_helper_ports(case),
        source_nat=_source_nat(case),
        conntrack=_flag(case, "conntrack_active", False),
        vs_conntrack=_flag(case, "vs_conntrack", False),
        pasv_address=_pasv_address(case),
        tls=_tls(case),
        ip_forward=_flag(case, "ip_forward", True),
        filters=tuple(_filters(case, mark, passive)),
    )


def _service(case: Mapping[Any, Any]) -> dict[str, Any]:
    """The fields of State that the text says."""
    text = case.get("service", "fwmark 21, NAT, real server port 0")
    if text is not None and not isinstance(text, str):
        raise CaseError("service", f"{_short(text)} is not a text such as {_SERVICE_FORMS}")
    control = _number(case, "control_port", CONTROL, 1, 65535)
    found: dict[str, Any] = {"ip": _ip(case), "control_port": control}
    parts = [" ".join(part.lower().split()) for part in (text or "none").split(",")]
    if parts in (["none"], [""]):
        return {**found, "service": "none"}
    for number, part in enumerate(parts):
        found |= _head(part, text) if number == 0 else _tail(part, text)
    if "ip_version" in case and found["ip"] != _ip(case):
        raise CaseError("ip_version", "and `service` name different IP versions: name one")
    if found.get("method", "NAT") != "NAT":
        # Direct routing and tunnelling leave ports alone; keepalived drops the port with a warning.
        found["real_port"] = 0
    return found


def _head(part: str, text: object) -> dict[str, Any]:
    family: dict[str, Any] = {"ip": 6} if part.endswith(" ipv6") else {}
    if mark := _FWMARK.fullmatch(part):
        value = int(mark[1], 0) if mark[1].startswith("0x") else int(mark[1])
        if 1 <= value <= 0xFFFFFFFF:
            return {"service": "fwmark", "mark": value, **family}
    if plain := _PLAIN.fullmatch(part):
        port = _port("service", plain[1])
        return {"service": "port", "control_port": port, **family}
    raise CaseError("service", f"{_short(text)} is not understood; write {_SERVICE_FORMS}")


def _tail(part: str, text: object) -> dict[str, Any]:
    if part in _METHODS:
        return {"method": _METHODS[part]}
    if found := _REAL_PORT.fullmatch(part):
        return {"real_port": _port("service", found[1], 0)}
    if part in {"ipv4", "ipv6"}:
        return {"ip": int(part[3])}
    raise CaseError("service", f"{part[:60]!r} in {_short(text)} is not understood; write {_SERVICE_FORMS}")


def _ip(case: Mapping[Any, Any]) -> int:
    version = _number(case, "ip_version", 4, 4, 6)
    if version == 5:
        raise CaseError("ip_version", "5 is not an IP version: 4 or 6")
    return version


def _marked(case: Mapping[Any, Any], control: int, passive: Ports) -> tuple[Ports, ...]:
    """The truth table's two marking rules. `marked_range`: the router's range, where it is another than the servers';
    `mark_20`: a rule for VIP:20, which direct routing needs for active mode."""
    found = [Ports(control, control)] if _flag(case, "mark_control", True) else []
    if _flag(case, "mark_passive", True):
        found.append(_range(case, "marked_range", passive))
    if _flag(case, "mark_20", False):
        found.append(Ports(DATA, DATA))
    return tuple(found)


def _persistence(case: Mapping[Any, Any]) -> bool:
    value = case.get("persistence", True)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value > 0
    if not isinstance(value, bool):
        raise CaseError("persistence", f"{_short(value)} is not true, false or a number of seconds")
    return value


def _source_nat(case: Mapping[Any, Any]) -> Literal["", "MASQUERADE", "SNAT"]:
    """`snat_20`: the exact form, to the VIP; it goes before masquerading."""
    snat = _flag(case, "snat_20", False)
    masquerade = _flag(case, "masquerade_20", not snat)
    return "SNAT" if snat else "MASQUERADE" if masquerade else ""


def _pasv_address(case: Mapping[Any, Any]) -> str | None:
    value = case.get("pasv_address")
    if value is None or (isinstance(value, str) and 0 < len(value) <= 60 and value.isprintable()):
        return "VIP" if value is not None and value.upper() == "VIP" else value
    raise CaseError("pasv_address", f"{_short(value)} is not null, 'VIP' or another address as a text")


def _tls(case: Mapping[Any, Any]) -> Tls:
    value = case.get("tls", False)
    if value in ("explicit", "implicit"):
        return "explicit" if value == "explicit" else "implicit"
    if not isinstance(value, bool):
        raise CaseError("tls", f"{_short(value)} is not true or false, 'explicit' or 'implicit'")
    return "explicit" if value else "none"


def _helper_ports(case: Mapping[Any, Any]) -> tuple[int, ...]:
    value = case.get("helper_ports", [CONTROL])
    if not isinstance(value, (list, tuple)) or not all(type(p) is int and 1 <= p <= 65535 for p in value):
        raise CaseError("helper_ports", f"{_short(value)} is not a list of ports such as [21, 2121]")
    return tuple(value)


def _filters(case: Mapping[Any, Any], mark: int, passive: Ports) -> Iterator[Filter]:
    value = case.get("filter_policy")
    texts = value if isinstance(value, (list, tuple)) else [] if value is None else [value]
    for text in texts:
        if not isinstance(text, str):
            raise CaseError("filter_policy", f"{_short(text)} is not a text such as {_POLICY_FORMS}")
        places = list(_CHAIN.finditer(text))
        if text.strip() and not places:
            raise CaseError("filter_policy", f"{_short(text)} names no chain and policy; write {_POLICY_FORMS}")
        _gap(text[: places[0].start()] if places else "")
        ends = [*(place.start() for place in places[1:]), len(text)]
        for place, end in zip(places, ends, strict=False):
            rest = text[place.end() : end]
            yield Filter(place[1].upper(), place[2].upper(), tuple(_accepts(rest, mark, passive)))


def _accepts(text: str, mark: int, passive: Ports) -> Iterator[Line]:
    """One rule for each thing that `text` says is accepted; things with nothing but a space between them are one."""
    parts: list[str] = []
    end = 0
    for found in _ACCEPT.finditer(text):
        joined = _gap(text[end : found.start()])
        part = _conditions(found, mark, passive)
        if joined and parts:
            parts[-1] += " " + part
        else:
            parts.append(part)
        end = found.end()
    _gap(text[end:])
    yield from (line(f"{part} -j ACCEPT".strip()) for part in parts)


def _gap(text: str) -> bool:
    """Whether nothing separates what stands before and after. Raises CaseError for words that mean something."""
    words = [w for w in (word.rstrip(".:") for word in re.findall(r"[^\s,;+&()]+", text)) if w]
    if unknown := [w for w in words if w.lower() not in _NOISE | _JOINS and not _ADDRESS.fullmatch(w)]:
        raise CaseError("filter_policy", f"{unknown[0][:40]!r} is not understood; write {_POLICY_FORMS}")
    return not re.search(r"[,;+&]", text) and not {w.lower() for w in words} & _JOINS


def _conditions(found: re.Match[str], mark: int, passive: Ports) -> str:
    if found["tracked"]:
        return f"-m conntrack --ctstate {','.join(re.findall(r'[A-Z]+', found['tracked'].upper()))}"
    if found["mark"]:
        value = found["value"].lower() if found["value"] else str(mark)
        return f"-m mark --mark {int(value, 16 if value.startswith('0x') else 10):#x}"
    if found["passive"]:
        return f"-p tcp --dport {passive.low}:{passive.high}"
    if found["ports"]:
        option = "sports" if found["side"].lower().startswith("s") else "dports"
        return f"-p tcp -m multiport --{option} {','.join(_port_list(found['ports']))}"
    return ""


def _port_list(text: str) -> Iterator[str]:
    for part in re.split(r"\s*,\s*", text):
        yield ":".join(str(_port("filter_policy", number, 0)) for number in re.split("[:-]", part))


def _range(case: Mapping[Any, Any], key: str, default: Ports) -> Ports:
    value = case.get(key)
    if value is None:
        return default
    good = isinstance(value, (list, tuple)) and len(value) == 2 and all(type(p) is int for p in value)
    if not good or not 1 <= value[0] <= value[1] <= 65535:
        raise CaseError(key, f"{_short(value)} is not a pair of ports such as [10000, 20000], the lower one first")
    return Ports(value[0], value[1])


def _flag(case: Mapping[Any, Any], key: str, default: bool) -> bool:
    value = case.get(key, default)
    if not isinstance(value, bool):
        raise CaseError(key, f"{_short(value)} is not true or false")
    return value


def _number(case: Mapping[Any, Any], key: str, default: int, low: int, high: int) -> int:
    value = case.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise CaseError(key, f"{_short(value)} is not a whole number from {low} to {high}")
    return value


def _port(key: str, text: str, low: int = 1) -> int:
    if not low <= int(text) <= 65535:
        raise CaseError(key, f"{text} is not a port from {low} to 65535")
    return int(text)


def _short(value: object) -> str:
    return repr(value)[:60]
