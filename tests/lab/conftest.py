"""Clusters of other kinds than the guide's on the lab's pair, and FTP servers that hold what lbftp says they need."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Interface, IPv6Network
from typing import Any

import pytest

from lab import api
from lbftp.core.ftp.lines import snippet
from lbftp.core.ftp.parts import CERTIFICATE, KEY, OWN_ADDRESS6, ConfigFile
from lbftp.core.job import Probe
from lbftp.core.observe.observed import Observed
from lbftp.core.path import predict_mode, state_from_observed
from lbftp.core.promise import promised
from lbftp.core.sessions import kind_row, label
from lbftp.core.spec import ClusterSpec, RealServerSpec, RouterSpec, Vrrp
from tests.core.cases import R1, R2, guide
from tests.workers.conftest import LIMITS, Bench
from workers.observe import connected, look

SERVERS = ("ftp1", "ftp2")
CERTIFICATE_FILE = "/etc/lab-ftp.pem"
_OWN6 = {"ftp1": "fd00:50::11", "ftp2": "fd00:50::12"}
_CERTIFICATE = f"""
[ -e {CERTIFICATE_FILE} ] && exit 0
openssl req -x509 -newkey rsa:2048 -nodes -days 9 -subj "/O=Lab/CN=$(cat /etc/hostname)" \
    -keyout {CERTIFICATE_FILE}.key -out {CERTIFICATE_FILE}.crt 2>/dev/null
cat {CERTIFICATE_FILE}.key {CERTIFICATE_FILE}.crt >{CERTIFICATE_FILE}
"""


def _dual(router: RouterSpec, last: int) -> RouterSpec:
    public, internal = IPv6Interface(f"2001:db8:2::{last}/64"), IPv6Interface(f"fd00:50::{last}/64")
    return dataclasses.replace(router, public_address6=public, internal_address6=internal)


ROUTERS6 = (_dual(R1, 2), _dual(R2, 3))
SERVERS6 = tuple(
    RealServerSpec(name, IPv4Address(f"10.0.50.{last}"), IPv6Address(f"fd00:50::{last}"))
    for name, last in (("ftp1", 11), ("ftp2", 12))
)


def dual(**changes: Any) -> ClusterSpec:
    """A cluster with both IP versions in advertise mode with TLS; the guide's otherwise."""
    six = {
        "routers": ROUTERS6,
        "real_servers": SERVERS6,
        "vip6": IPv6Address("2001:db8:2::100"),
        "floating6": IPv6Address("fd00:50::1"),
        "internal_network6": IPv6Network("fd00:50::/64"),
        "mode": "advertise",
        "tls": True,
    }
    return guide(**{**six, **changes})


def neighbour(spec: ClusterSpec, name: str, last: int, **changes: Any) -> ClusterSpec:
    """A further cluster of the pair with a VIP, a mark and a VRID of its own; it shares the internal floating address."""
    vrrp = Vrrp(vrid=last, group=spec.group, internal_vrid=spec.vrrp.internal_vrid)
    address = IPv4Address(f"192.0.2.{last}")
    return dataclasses.replace(spec, name=name, vip=address, mark=last, vrrp=vrrp, **changes)


@dataclass
class Kinds:
    """The pair, and real servers that can be told to serve a cluster."""

    bench: Bench

    def probe(self) -> Probe:
        found = self.bench.job().probe
        assert found is not None
        return dataclasses.replace(found, sources=(*found.sources, *(f"2001:db8:2::{n}" for n in range(50, 58))))

    def serve(self, spec: ClusterSpec, *, main: bool = True) -> None:
        """Both real servers take the lines for vsftpd that lbftp renders for the cluster. Without `main`, instances of
        their own serve it beside what there is."""
        for name in SERVERS:
            self.bench.sh(name, _CERTIFICATE)
            for number, file in enumerate(snippet(spec, "vsftpd", "debian").files):
                if not file.path.endswith(".service"):
                    self._instance(name, spec, file, main=main and number == 0)

    def _instance(self, name: str, spec: ClusterSpec, file: ConfigFile, *, main: bool) -> None:
        port = next((line.split("=")[1] for line in file.lines if line.startswith("listen_port=")), "21")
        path = (
            "/etc/vsftpd.conf" if main else f"/etc/vsftpd-{spec.name}-{port}{'-6' if '-ipv6' in file.path else ''}.conf"
        )
        text = "\n".join(line.replace("require_ssl_reuse=NO", "require_ssl_reuse=YES") for line in file.lines)
        for placeholder, value in {
            CERTIFICATE: CERTIFICATE_FILE,
            KEY: CERTIFICATE_FILE,
            OWN_ADDRESS6: _OWN6[name],
        }.items():
            text = text.replace(placeholder, value)
        start = "systemctl restart vsftpd" if main else f"setsid vsftpd {path} </dev/null >/dev/null 2>&1 &"
        self.bench.sh(
            name,
            f"[ -e /etc/vsftpd.first ] || cp /etc/vsftpd.conf /etc/vsftpd.first\n"
            f"{{ cat /etc/vsftpd.first; printf '%s\\n' {shlex.quote(text)}; }} >{path}\n{start}",
        )

    def apply(self, spec: ClusterSpec, *others: ClusterSpec, **changes: Any) -> list[dict[str, Any]]:
        """Applied, proven in every promised kind on both servers, and nothing left to do; the rows of its sessions."""
        outcome = self.bench.apply(spec=spec, probe=self.probe(), others=others, **changes)
        assert outcome.state == "succeeded", outcome.text
        assert outcome.result["findings"] == []
        self.proven(spec)
        rows = self.rows()
        again = self.bench.do("plan", spec=spec, others=others)
        assert again.plan is not None, again.text
        assert again.plan.empty, [[s.id for s in r.steps] for r in again.plan.routers]
        return rows

    def verify(self, spec: ClusterSpec) -> None:
        outcome = self.bench.do("verify", spec=spec, probe=self.probe())
        assert outcome.state == "succeeded", outcome.text
        self.proven(spec)

    def proven(self, spec: ClusterSpec) -> None:
        """The last run's sessions were good, and of every promised kind with every server."""
        assert [row for row in self.rows() if not row["ok"]] == []
        assert {(label(row), row["real_server"]) for row in self.rows()} == everything(spec)

    def rows(self) -> list[dict[str, Any]]:
        return [e.data for e in self.bench.seen.events if e.kind == "session"]

    def look(self) -> Mapping[str, Observed]:
        with connected(self.bench.job().routers, LIMITS) as pair:
            return look(pair)

    def as_predicted(self, spec: ClusterSpec, master: str) -> dict[str, bool]:
        """Kind -> whether its sessions work now, which is what the explanation of what `master` holds says of it."""
        observed = self.look()[master]
        said = {}
        for client in promised(spec):
            state = state_from_observed(spec, observed, client)
            said[label(kind_row(client))] = predict_mode(state, client.mode).works
        assert self.happens(spec) == said
        return said

    def happens(self, spec: ClusterSpec) -> dict[str, bool]:
        """Kind -> whether its session from one address works now; what fails has only a few seconds to do so."""
        one = dataclasses.replace(self.probe(), sources=("192.0.2.57", "2001:db8:2::57"))
        with pytest.MonkeyPatch.context() as patience:
            patience.setattr("workers.probe.SESSION_TIMEOUT", 5)
            self.bench.do("verify", spec=spec, probe=one)
        return {label(row): row["ok"] for row in self.rows()}


def everything(spec: ClusterSpec) -> set[tuple[str, str]]:
    return {(label(kind_row(client)), name) for client in promised(spec) for name in SERVERS}


def data_from(rows: Sequence[Mapping[str, Any]], *modes: str) -> set[str]:
    return {row["data_from"] for row in rows if row["mode"] in modes}


@pytest.fixture(scope="module")
def kinds() -> Kinds:
    """The lab in its first state when a module begins."""
    status = api.reset()
    return Kinds(Bench({host.name: host for host in status.hosts}))
