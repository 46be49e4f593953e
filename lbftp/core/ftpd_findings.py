"""What an FTP server's configuration breaks in a cluster whose helper rewrites: reasons and remedies.

Nothing here is repairable by re-applying: lbftp does not log in to FTP servers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from lbftp.core.findings import Finding
from lbftp.core.observe.ftpd import Daemon, FtpServer
from lbftp.core.problem import Severity
from lbftp.core.render.ftpd import idle_timeout
from lbftp.core.spec import ClusterSpec

Rule = Callable[[ClusterSpec, str, FtpServer], Iterator[Finding]]

# The daemons' own names for what a remedy speaks of.
_NAMES: Final[Mapping[Daemon, Mapping[str, str]]] = {
    "vsftpd": {
        "range": "pasv_min_port and pasv_max_port",
        "address": "pasv_address",
        "idle": "idle_session_timeout",
        "passive": "pasv_enable=YES",
        "active": "port_enable=YES",
        "data": "connect_from_port_20=YES and ftp_data_port=20",
        "port": "listen_port",
    },
    "proftpd": {
        "range": "PassivePorts",
        "address": "MasqueradeAddress",
        "idle": "TimeoutIdle",
        "active": "RootRevoke off",
        "data": "RootRevoke off",
        "port": "Port",
    },
    "pure-ftpd": {
        "range": "PassivePortRange",
        "address": "ForcePassiveIP",
        "idle": "MaxIdleTime (minutes)",
        "passive": "NATmode no",
        "data": "the start as root",
        "port": "Bind",
    },
}

_MILDER: Final[Mapping[str, Severity]] = {
    "ftpd-passive-part": "warning",
    "ftpd-idle-timeout": "warning",
    "ftpd-tls": "warning",
    "ftpd-included": "info",
}


def server_findings(spec: ClusterSpec, server: str, found: Sequence[FtpServer]) -> list[Finding]:
    """What keeps `server` (its name) from doing its part in `spec`, for each of its FTP servers that listens."""
    listening = [one for one in found if one.control_port]
    return [finding for one in listening for rule in _RULES for finding in rule(spec, server, one)]


def _control_port(spec: ClusterSpec, server: str, one: FtpServer) -> Iterator[Finding]:
    if one.control_port != spec.control_port:
        yield _finding(
            "ftpd-control-port",
            (server, one),
            f"it listens at port {one.control_port}, so health checks fail and it gets no clients",
            (str(spec.control_port), str(one.control_port)),
            f"Let it listen at port {spec.control_port} ({_name(one, 'port')}).",
        )


def _passive(spec: ClusterSpec, server: str, one: FtpServer) -> Iterator[Finding]:
    wanted = spec.passive
    if not one.passive_on:
        why, has = "passive mode is switched off: PASV and EPSV fail", "off"
        remedy = f"Switch it on ({_name(one, 'passive')})."
        yield _finding("ftpd-passive-off", (server, one), why, (str(wanted), has), remedy)
    elif one.passive is None or not (wanted.low <= one.passive[0] and one.passive[1] <= wanted.high):
        has = f"{one.passive[0]}-{one.passive[1]}" if one.passive else "any port"
        why = f"passive ports are {has}: EPSV fails at each that the routers do not mark ({wanted})"
        yield _finding("ftpd-passive-range", (server, one), why, (str(wanted), has), _set(one, "range", str(wanted)))
    elif one.passive != (wanted.low, wanted.high):
        has = f"{one.passive[0]}-{one.passive[1]}"
        why = f"it uses only {has} of the passive ports that the routers mark ({wanted})"
        remedy = _set(one, "range", str(wanted))
        yield _finding("ftpd-passive-part", (server, one), why, (str(wanted), has), remedy)


def _address(_spec: ClusterSpec, server: str, one: FtpServer) -> Iterator[Finding]:
    if one.pasv_address:
        yield _finding(
            "ftpd-pasv-address",
            (server, one),
            f"it tells clients the address {one.pasv_address[:60]}; the helper takes that for the server: PASV fails",
            ("", one.pasv_address),
            f"Remove {_name(one, 'address')}: the helper puts the VIP in.",
        )


def _active(_spec: ClusterSpec, server: str, one: FtpServer) -> Iterator[Finding]:
    if not one.active_on:
        why, remedy = "active mode is switched off: PORT and EPRT fail", f"Switch it on ({_name(one, 'active')})."
        yield _finding("ftpd-active-off", (server, one), why, ("on", "off"), remedy)
    elif one.data_port != 20:
        has = f"port {one.data_port}" if one.data_port else "any port"
        why = f"active connections come from {has}, and the routers let only port 20 out: PORT and EPRT fail"
        remedy = f"Let them come from port 20 ({_name(one, 'data')})."
        yield _finding("ftpd-data-port", (server, one), why, ("20", has), remedy)


def _idle(spec: ClusterSpec, server: str, one: FtpServer) -> Iterator[Finding]:
    limit = spec.persistence_timeout
    if limit and not 0 < one.idle_timeout <= limit:
        has = f"{one.idle_timeout} s" if one.idle_timeout else "never"
        why = f"quiet sessions end after {has}, persistence after {limit} s: a late transfer may reach another server"
        remedy = f"{_set(one, 'idle', f'{idle_timeout(spec)} s')[:-1]}, or lengthen the cluster's persistence."
        yield _finding("ftpd-idle-timeout", (server, one), why, (f"{limit} s at most", has), remedy)


def _tls(_spec: ClusterSpec, server: str, one: FtpServer) -> Iterator[Finding]:
    if one.tls:
        why = "it offers TLS, through which the helper cannot see: PASV fails in sessions that use it"
        remedy = "Switch TLS off on this server, or serve TLS from a cluster that does without the helper."
        yield _finding("ftpd-tls", (server, one), why, ("off", "on"), remedy)


def _included(_spec: ClusterSpec, server: str, one: FtpServer) -> Iterator[Finding]:
    if one.included and not one.name:
        names = ", ".join(one.included)
        remedy = "See that they set none of what the cluster needs otherwise."
        yield _finding("ftpd-included", (server, one), f"it reads more files: {names}", ("", names), remedy)


_RULES: Final[tuple[Rule, ...]] = (_control_port, _passive, _address, _active, _idle, _tls, _included)


def _finding(code: str, where: tuple[str, FtpServer], why: str, was: tuple[str, str], remedy: str) -> Finding:
    server, one = where
    place = f"{server} ({one.daemon} {one.name[:60]})" if one.name else f"{server} ({one.daemon})"
    severity = _MILDER.get(code, "error")
    return Finding(code, severity, "", f"{place}: {why}", was[0], was[1], remedy, repairable=False)


def _set(one: FtpServer, what: str, value: str) -> str:
    return f"Set {_name(one, what)} to {value}."


def _name(one: FtpServer, what: str) -> str:
    return _NAMES[one.daemon][what]
