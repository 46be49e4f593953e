"""How a session of the probe is called: the words of pages, command line and verdicts for a kind of client.

A session's row says `mode` (PASV …), `tls` ('none', 'explicit', 'implicit'), `ip` (4, 6) and `port` (of the cluster).
Rows of earlier versions have the mode only, and were plain FTP over IPv4 to the one control port.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lbftp.core.promise import MODES, Client

_TLS: Final = {"none": "", "explicit": "TLS", "implicit": "implicit TLS"}
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


def order(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Sorts rows by IP version, TLS, port, and the modes' usual order."""
    mode, tls = str(row["mode"]), str(row.get("tls", "none"))
    place = _MODES.index(mode) if mode in _MODES else len(_MODES)
    known = list(_TLS)
    port = row.get("port", 0) if "tls" in row else 0
    return row.get("ip", 4), known.index(tls) if tls in known else len(known), port, place, mode
