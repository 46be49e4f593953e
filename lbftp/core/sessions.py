"""A session of the probe: its row, and the words of pages, command line and verdicts for it.

A row says which kind of session it was: `mode` (PASV …), `tls` ('none', 'explicit', 'implicit'), `ip` (4, 6), `port`
and `address` (of the cluster). Rows of earlier versions have the mode only, and were plain FTP over IPv4 to the one
control port.

What the probe tells (workers/ftp_sessions.py): `ok`, `seconds`, `source`, `stage`, `error`, `message`, `command`,
`reply`, `control`, `data`, `client`, `client_port`, `data_client_port`, `told`, `told_port`, `data_from`, `bytes`,
`sha256`, `times` (connect, login, first_byte; seconds), `rates` (down, up; bytes per second), `left`, `certificate`,
`protocol`.

What the worker adds: `place` (the probe host's name, or 'the worker'); `real_server` and `data_server`: which server
the routers gave the control and the passive data connection to ('': not known); and `why` (lbftp.core.blame):
{"works": bool | None, "reason": str, "hop": str} for a session that failed, {} for one that is good. `works` is what
the routers' observed state says of this kind of session: True beside a failure means that the routers explain nothing.
`hop` is the part to look at: 'real server NAME' ('real server' where it is not known which), 'NAME, mangle PREROUTING'
and the like for a router, 'probe account', 'probe host NAME', 'VRRP', 'network'. For a good session `why` is filled
(with works False) only where the explanation says that it should have failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lbftp.core.promise import MODES, Client

_TLS: Final = {"none": "", "explicit": "TLS", "implicit": "implicit TLS"}
_TIMES: Final = {"connect": "connect", "login": "log-in", "first_byte": "first byte"}
_USUAL_PORT: Final = {"none": 21, "explicit": 21, "implicit": 990}
_MODES: Final = tuple(mode.upper() for mode in MODES)


def kind_row(client: Client) -> dict[str, Any]:
    """The part of a session's row that says which kind it was."""
    return {"mode": client.mode.upper(), "tls": client.tls, "ip": client.family, "port": client.port}


def label(row: Mapping[str, Any]) -> str:
    """'PASV', 'EPSV TLS IPv6', 'PASV port 2121': what is usual is left out."""
    tls, port = row.get("tls", "none"), row.get("port", 21)
    words = [str(row["mode"]), _TLS.get(tls, str(tls)), "IPv6" if row.get("ip") == 6 else ""]
    if "tls" in row and port != _USUAL_PORT.get(tls):
        words.append(f"port {port}")
    return " ".join(word for word in words if word)


def failure(row: Mapping[str, Any]) -> str:
    """What failed, and between whom: the command, the answer, both ends of both connections."""
    ways = [f"control {row['control']}"] + ([f"data {row['data']}"] if row["data"] else [])
    if row["command"]:
        said = f", last answer: {row['reply']}" if row["reply"] and row["reply"] not in row["message"] else ""
        ways.append(f"last command {row['command']}{said}")
    return f"{row['stage']}: {row['message']} ({'; '.join(ways)})"


def measured(row: Mapping[str, Any]) -> str:
    """', connect 4 ms, log-in 90 ms, first byte 12 ms, down 3.1 MB/s, up 1.2 MB/s', '' for a row without times."""
    times, rates = row.get("times") or {}, row.get("rates") or {}
    words = [f"{word} {times[name] * 1000:.0f} ms" for name, word in _TIMES.items() if name in times]
    words += [f"{name} {rate(rates[name])}" for name in ("down", "up") if name in rates]
    return "".join(f", {word}" for word in words)


def rate(value: float) -> str:
    """Bytes per second in words; a kB is 1000 bytes."""
    for unit, size in (("MB/s", 1_000_000), ("kB/s", 1000)):
        if value >= size:
            return f"{value / size:.1f} {unit}"
    return f"{value:.0f} B/s"


def order(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Sorts rows by IP version, TLS, port, and the modes' usual order."""
    mode, tls = str(row["mode"]), str(row.get("tls", "none"))
    place = _MODES.index(mode) if mode in _MODES else len(_MODES)
    known = list(_TLS)
    port = row.get("port", 0) if "tls" in row else 0
    return row.get("ip", 4), known.index(tls) if tls in known else len(known), port, place, mode
