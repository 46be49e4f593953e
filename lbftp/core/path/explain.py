"""Every kind of client of a cluster at once: what becomes of it, and whether that is what the cluster promises."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from lbftp.core.ftp.server import FtpServer
from lbftp.core.observe.observed import Observed
from lbftp.core.path.hops import Prediction
from lbftp.core.path.known import state_from_observed, state_from_spec
from lbftp.core.path.state import State
from lbftp.core.path.walk import predict_mode
from lbftp.core.promise import Client, kinds, promised
from lbftp.core.spec import ClusterSpec


@dataclass(frozen=True, slots=True)
class Explanation:
    """What becomes of one kind of client. `kept` is False where the cluster promises it and it does not work."""

    client: Client
    promised: bool
    prediction: Prediction

    @property
    def kept(self) -> bool:
        return self.prediction.outcome in {"ok", "unknown"} or not self.promised

    def to_json(self) -> dict[str, Any]:
        return {**self.prediction.to_json(), "client": asdict(self.client), "promised": self.promised}


def explain(
    spec: ClusterSpec,
    clients: Iterable[Client] | None = None,
    observed: Observed | None = None,
    servers: Sequence[FtpServer] = (),
) -> list[Explanation]:
    """For `clients` (None: every kind), by what `observed` holds, or by what the spec makes of a router.

    KeyError: an IP version or a router that is not the cluster's.
    """
    known, states = set(promised(spec)), dict[Client, State]()
    found = []
    for client in kinds(spec) if clients is None else clients:
        door = replace(client, mode="epsv")
        if door not in states:
            states[door] = (
                state_from_spec(spec, door, servers)
                if observed is None
                else state_from_observed(spec, observed, door, servers)
            )
        ours = replace(client, pinned=False) in known
        found.append(Explanation(client, ours, predict_mode(states[door], client.mode)))
    return found


def label(spec: ClusterSpec, client: Client) -> str:
    """A short name that tells the kinds of one cluster apart: 'pasv', 'tls-epsv ipv6', 'eprt at 2121'."""
    usual = spec.implicit_ports[:1] if client.tls == "implicit" else (spec.control_port,)
    words = [client.mode if client.tls == "none" else client.name]
    words += ["ipv6"] if client.family == 6 else []
    words += [] if client.port in usual else [f"at {client.port}"]
    return " ".join(words)
