"""What an FTP server's configuration breaks in a cluster: reasons and remedies
(docs/ftp-servers.md).

Nothing here is repairable by re-applying, which changes routers only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address
from typing import Final

from lbftp.core.checks.catalogue import entry
from lbftp.core.findings import Finding
from lbftp.core.ftp.daemon import Words
from lbftp.core.ftp.daemons import named
from lbftp.core.ftp.parts import explicit, idle_timeout, names_vip, served_ports, unfilled
from lbftp.core.ftp.server import FtpServer
from lbftp.core.promise import data_port, data_ports
from lbftp.core.spec import ClusterSpec, Family

Rule = Callable[[ClusterSpec, str, FtpServer], Iterator[Finding]]


def daemon_findings(spec: ClusterSpec, server: str, found: Sequence[FtpServer]) -> list[Finding]:
    """What keeps `server` (its name) from doing its part in `spec`.

    `found` are all its FTP servers: each instance of vsftpd or Pure-FTPd, each server of ProFTPD.
    One that listens at none of the cluster's ports is not the cluster's business.
    """
    listening = [one for one in found if one.control_port in served_ports(spec)]
    missing = list(_unserved(spec, server, found)) if found else []
    return missing + [finding for one in listening for rule in _RULES for finding in rule(spec, server, one)]


def _unserved(spec: ClusterSpec, server: str, found: Sequence[FtpServer]) -> Iterator[Finding]:
    """Ports, and IP versions of ports, at which nothing listens. A remedy speaks of the first
    server that was found.
    """
    has = ", ".join(sorted({str(one.control_port) for one in found if one.control_port})) or "none"
    for port in served_ports(spec):
        here = [one for one in found if one.control_port == port]
        if not here:
            why = f"nothing listens at port {port}: health checks there fail, and clients get no answer"
            remedy = f"Let it listen at port {port} ({_words(found[0]).control_port})."
            yield _finding("ftpd-control-port", (server, found[0]), why, (str(port), has), remedy)
            continue
        for side in spec.sides:
            if not any(side.family in one.families for one in here):
                why = f"port {port} is not served over IPv{side.family}: its clients get no answer"
                remedy = f"Let it listen on IPv{side.family} ({_family_name(here[0], side.family)})."
                yield _finding("ftpd-ip-version", (server, here[0]), why, (f"IPv{side.family}", "not served"), remedy)


def _family_name(one: FtpServer, family: Family) -> str:
    words = _words(one)
    return words.ipv4 if family == 4 else words.ipv6


def _bound(spec: ClusterSpec, server: str, one: FtpServer) -> Iterator[Finding]:
    """With NAT packets come to the server's own address, else to the VIP."""
    own = [a for s in spec.real_servers if s.name == server for a in (s.address, s.address6)]
    wanted = {str(a) for a in (own if spec.nat else (spec.vip, spec.vip6)) if a is not None}
    if one.bound and wanted and _same(one.bound) not in wanted:
        text = " or ".join(sorted(wanted))
        why = f"it listens at {one.bound[:60]} only, and the routers' packets come to {text}"
        remedy = f"Let it listen at every address, or at {text} ({_words(one).bound})."
        yield _finding("ftpd-bound", (server, one), why, (text, one.bound), remedy)


def _passive(spec: ClusterSpec, server: str, one: FtpServer) -> Iterator[Finding]:
    wanted = spec.passive
    lost = "EPSV fails" if spec.mode == "helper" else "PASV and EPSV fail"
    has = f"{one.passive[0]}-{one.passive[1]}" if one.passive else "any port"
    where, was = (server, one), (str(wanted), has)
    if not one.passive_on:
        remedy = f"Switch it on ({_words(one).passive_on})."
        why = "passive mode is switched off: PASV and EPSV fail"
        yield _finding("ftpd-passive-off", where, why, (str(wanted), "off"), remedy)
    elif one.passive is None or not (wanted.low <= one.passive[0] and one.passive[1] <= wanted.high):
        why = f"passive ports are {has}: {lost} at each that the routers do not mark ({wanted})"
        yield _finding("ftpd-passive-range", where, why, was, _set(_words(one).passive_range, str(wanted)))
    elif one.passive != (wanted.low, wanted.high):
        why = f"it uses only {has} of the passive ports that the routers mark ({wanted})"
        yield _finding("ftpd-passive-part", where, why, was, _set(_words(one).passive_range, str(wanted)))


def _address(spec: ClusterSpec, server: str, one: FtpServer) -> Iterator[Finding]:
    """What PASV names; EPSV and IPv6 name nothing."""
    vip, told, where = str(spec.vip or ""), one.pasv_address, (server, one)
    if not vip or 4 not in one.families:
        return
    if spec.mode == "helper":
        if told:
            why = f"it tells clients the address {told[:60]}; the helper takes that for the server: PASV fails"
            remedy = f"Remove {_words(one).address}: the helper puts the VIP in."
            yield _finding("ftpd-pasv-address", where, why, ("", told), remedy)
    elif not told:
        if names_vip(spec):
            why = "it tells clients its own address, which they cannot reach: PASV fails"
            yield _finding("ftpd-pasv-missing", where, why, (vip, ""), _set(_words(one).address, vip))
    elif _same(told) != vip:
        yield _told_wrong(spec, where, vip)


def _told_wrong(spec: ClusterSpec, where: tuple[str, FtpServer], vip: str) -> Finding:
    one = where[1]
    told = one.pasv_address
    remedy = _set(_words(one).address, vip) if spec.nat else f"Remove {_words(one).address}: clients come to the VIP."
    nothing = _words(one).told_nothing
    if nothing is not None and told == "0.0.0.0":  # noqa: S104 - what clients are told
        remedy = nothing.remedy if spec.nat else remedy
        return _finding("ftpd-pasv-ipv6", where, nothing.why, (vip, told), remedy)
    if _same(told) == "":
        why = f"it tells clients what the name {told[:60]} stands for, which need not be the VIP"
        return _finding("ftpd-pasv-name", where, why, (vip, told), remedy)
    why = f"it tells clients the address {told[:60]} and not the VIP: PASV fails"
    return _finding("ftpd-pasv-address", where, why, (vip, told), remedy)


def _same(text: str) -> str:
    """An address in its one form; '' for what is none."""
    try:
        return str(ip_address(text))
    except ValueError:
        return ""


def _active(spec: ClusterSpec, server: str, one: FtpServer) -> Iterator[Finding]:
    """The helper prepares only one port; without it the routers' rules let every data port of
    the cluster pass.
    """
    wanted = (data_port(one.control_port),) if spec.mode == "helper" else data_ports(spec)
    if spec.active == "none":
        return
    if not one.active_on:
        why, remedy = "active mode is switched off: PORT and EPRT fail", f"Switch it on ({_words(one).active_on})."
        yield _finding("ftpd-active-off", (server, one), why, ("on", "off"), remedy)
    elif one.data_port not in wanted:
        port = data_port(one.control_port)
        has = f"port {one.data_port}" if one.data_port else "any port"
        why = f"active connections come from {has}, and the routers let only port {port} out: PORT and EPRT fail"
        remedy = f"Let them come from port {port} ({_words(one).data_port.format(port=port)})."
        yield _finding("ftpd-data-port", (server, one), why, (str(port), has), remedy)


def _idle(spec: ClusterSpec, server: str, one: FtpServer) -> Iterator[Finding]:
    limit = spec.persistence_timeout
    if limit and not 0 < one.idle_timeout <= limit:
        has = f"{one.idle_timeout} s" if one.idle_timeout else "never"
        why = f"quiet sessions end after {has}, persistence after {limit} s: a late transfer may reach another server"
        shorter = _set(_words(one).idle_timeout, f"{idle_timeout(spec)} s").removesuffix(".")
        remedy = f"{shorter}, or lengthen the cluster's persistence."
        yield _finding("ftpd-idle-timeout", (server, one), why, (f"{limit} s at most", has), remedy)


def _tls(spec: ClusterSpec, server: str, one: FtpServer) -> Iterator[Finding]:
    if spec.mode == "helper":
        if one.tls:
            why = "it offers TLS, through which the helper cannot see: PASV fails in sessions that use it"
            remedy = "Switch TLS off on this server, or serve TLS from a cluster that does without the helper."
            yield _finding("ftpd-tls", (server, one), why, ("off", "on"), remedy)
    elif one.control_port in spec.implicit_ports:
        yield from _implicit(server, one)
    else:
        yield from _explicit(spec, server, one)


def _implicit(server: str, one: FtpServer) -> Iterator[Finding]:
    if one.implicit:
        yield from _certificate(server, one)
    else:
        why = f"port {one.control_port} does not begin with TLS: clients of implicit TLS get no session"
        remedy = f"Switch implicit TLS on for this port ({_words(one).implicit})."
        yield _finding("ftpd-implicit-off", (server, one), why, ("implicit TLS", "no implicit TLS"), remedy)


def _explicit(spec: ClusterSpec, server: str, one: FtpServer) -> Iterator[Finding]:
    port, where = one.control_port, (server, one)
    if one.implicit:
        why = f"port {port} begins with TLS: plain clients and those of explicit TLS get no session"
        remedy = f"Switch implicit TLS off for this port ({_words(one).implicit})."
        yield _finding("ftpd-implicit-on", where, why, ("no implicit TLS", "implicit TLS"), remedy)
        return
    if one.tls_required:
        why = f"it refuses plain sessions at port {port}, which the cluster promises too"
        remedy = f"Allow them ({_words(one).plain}), or leave it so if no client of yours is plain."
        yield _finding("ftpd-tls-required", where, why, ("allowed", "required"), remedy)
    if explicit(spec) and not one.tls:
        why = f"the cluster promises explicit TLS, and port {port} does not take it: AUTH TLS is refused"
        remedy = f"Switch it on ({_words(one).tls}) and name a certificate ({_words(one).certificate})."
        yield _finding("ftpd-tls-off", where, why, ("on", "off"), remedy)
    elif explicit(spec):
        yield from _certificate(server, one)


def _certificate(server: str, one: FtpServer) -> Iterator[Finding]:
    if not one.certificate or unfilled(one.certificate):
        why = "it has TLS and names no certificate: it does not start, or refuses TLS"
        remedy = f"Name the files that hold the certificate and its key ({_words(one).certificate})."
        yield _finding("ftpd-certificate", (server, one), why, ("a file", one.certificate), remedy)
    if one.tls_reuse:
        why = "data connections must resume the TLS session: transfers of clients that do not resume it fail"
        remedy = f"Set {_words(one).reuse}, or leave it so if all of your clients resume it."
        yield _finding("ftpd-tls-reuse", (server, one), why, ("not required", "required"), remedy)


def _included(_spec: ClusterSpec, server: str, one: FtpServer) -> Iterator[Finding]:
    if one.included and not one.name:
        names = ", ".join(one.included)
        remedy = "See that they set none of what the cluster needs otherwise."
        yield _finding("ftpd-included", (server, one), f"it reads more files: {names}", ("", names), remedy)


_RULES: Final[tuple[Rule, ...]] = (_bound, _passive, _address, _active, _idle, _tls, _included)


def _finding(code: str, where: tuple[str, FtpServer], why: str, was: tuple[str, str], remedy: str) -> Finding:
    server, one = where
    place = f"{server} ({one.daemon} {one.name[:60]})" if one.name else f"{server} ({one.daemon})"
    return Finding(code, entry(code).severity, "", f"{place}: {why}", was[0], was[1], remedy, repairable=False)


def _set(option: str, value: str) -> str:
    return f"Set {option} to {value}."


def _words(one: FtpServer) -> Words:
    return named(one.daemon).words
