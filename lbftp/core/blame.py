"""Why an FTP session failed: its row and what the routers were observed to hold -> the part that is to be looked at.

What the server itself said comes first: an answer such as 530 or 552 has come through the routers, so they carried it.
Then the explanation of what the routers hold (lbftp.core.path), for the very port that the session used. Where that
finds nothing wrong, what would fit of the server's settings is named, or that nothing explains it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from lbftp.core.ftp.server import FtpServer
from lbftp.core.observe.observed import Observed
from lbftp.core.path import Prediction, State, predict_mode, state_from_observed
from lbftp.core.path.hops import CLIENT, HELPER
from lbftp.core.path.rules import Ports
from lbftp.core.promise import MODES, Client, Mode
from lbftp.core.spec import ClusterSpec

Row = Mapping[str, Any]
Pair = Mapping[str, Observed]

ACCOUNT: Final = "probe account"
NETWORK: Final = "network"
VRRP: Final = "VRRP"
_TRANSFERS: Final = frozenset({"LIST", "RETR", "STOR"})
# (commands, codes, what such an answer means); the first that fits counts. RFC 959, 4.2; RFC 4217; RFC 2428.
_ANSWERS: Final = (
    ("", "421", "it takes no more sessions, or is about to stop"),
    ("USER PASS", "5[0-9][0-9].*(SSL|TLS|encrypt|secure)", "it takes sessions with TLS only"),
    ("USER PASS", "530", "it refuses the log-in: name or password of the account are not right there"),
    ("USER PASS", "", "it does not let the account in"),
    ("AUTH PBSZ PROT", "", "it does not offer TLS as the cluster promises it"),
    ("PASV EPSV", "", "passive mode is switched off there"),
    ("PORT EPRT", "", "active mode is switched off there, or it refuses the client's address"),
    ("STOR", "(452|552|4[0-9][0-9].*(space|disk|quota|writ)|5[0-9][0-9].*(space|disk|quota))",
     "its disk or the account's quota is full"),
    ("STOR", "55[03]", "the account may not write in the upload folder, or there is no such folder"),
    ("STOR", "45[0-9]", "it cannot write the file: see its disk and its log"),
    ("RETR", "(450|55[0-9])", "the file is not there, or the account may not read it"),
    ("LIST", "(450|55[0-9])", "the account may not list its folder"),
    ("DELE", "", "the account may not delete what it uploaded"),
    ("", "522", "it wants the data connection to resume the TLS session"),
)  # fmt: skip
# "Cannot open data connection" (425), "connection closed" (426): said by the server of a way that others may block.
_ABOUT_THE_WAY: Final = frozenset({"425", "426"})


@dataclass(frozen=True, slots=True)
class Why:
    """`works`: what the routers' state says of this kind of session (None: it cannot be told). `reason` is a sentence.

    `hop` is the part to look at: 'real server NAME', 'r1, mangle PREROUTING', 'probe host NAME', or a constant above.
    """

    works: bool | None
    reason: str
    hop: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def why(spec: ClusterSpec, row: Row, observed: Pair, servers: Sequence[FtpServer] = ()) -> Why:
    """For a row that failed. `observed` may be empty (the routers could not be looked at)."""
    if row.get("error") == "local":
        reason = (
            f"The session could not begin: {row['message']}. See the source addresses and routes of the probe host."
        )
        return Why(None, reason, f"probe host {row.get('place') or ''}".rstrip())
    holders = [one for one in observed.values() if one.holds(str(row.get("address") or _vip(spec, row)))]
    found = [(one.router, _predicted(spec, row, one, servers)) for one in holders]
    works = _works([prediction for _, prediction in found])
    if said := _answered(row):
        return Why(
            works, f"{_capital(_server(row))} answered {said}. The routers carried the session up to there.", _hop(row)
        )
    if not observed:
        return Why(None, "The routers could not be looked at, so nothing can be said of why.", NETWORK)
    return (
        _of_the_way(spec, row, found)
        or _of_vrrp(spec, row, holders)
        or _of_its_settings(spec, row, holders, works)
        or _of_doubt(row, found)
        or _of_the_server(spec, row, holders, works)
    )


def disagreement(spec: ClusterSpec, row: Row, observed: Pair, servers: Sequence[FtpServer] = ()) -> Why | None:
    """For a row that is good: the explanation that says it cannot be, if it does."""
    holders = [one for one in observed.values() if one.holds(str(row.get("address") or _vip(spec, row)))]
    found = [(one.router, _predicted(spec, row, one, servers)) for one in holders]
    bad = [(name, prediction) for name, prediction in found if prediction.outcome not in {"ok", "unknown"}]
    if not bad or len(bad) < len(found):
        return None
    name, prediction = bad[0]
    said = f"The session worked, although by what {name} holds it should not: {prediction.reason}"
    return Why(False, said, _at(name, prediction))


def _works(found: Sequence[Prediction]) -> bool | None:
    if not found or any(one.outcome == "unknown" for one in found):
        return None
    return all(one.works for one in found)


def _answered(row: Row) -> str:
    """'RETR with «550 …»: what it means', where the server itself refused; '' where something else went wrong."""
    stage, message, word = row["stage"], str(row["message"]), str(row["stage"]).split(" ")[0]
    if row.get("error", "") == "checksum":
        return f"{stage} with another content: {message}"
    if row.get("error", "reply") != "reply" or not re.match("[45][0-9][0-9]", message):
        return ""
    meaning = next((text for words, code, text in _ANSWERS if _fits(words, code, word, message)), "see its log")
    if message[:3] in _ABOUT_THE_WAY and meaning == "see its log":
        return ""
    return f"{word} with «{message}»: {meaning}"


def _fits(words: str, code: str, word: str, message: str) -> bool:
    return (not words or word in words.split()) and bool(re.match(code, message, re.IGNORECASE))


def _of_the_way(spec: ClusterSpec, row: Row, found: Sequence[tuple[str, Prediction]]) -> Why | None:
    """What routers hold explains it, on every one that holds the VIP."""
    bad = [(name, one) for name, one in found if one.outcome not in {"ok", "unknown"}]
    if not bad or len(bad) < len(found):
        return None
    name, prediction = bad[0]
    if stray := _stray_port(spec, row):
        return Why(False, f"{stray} {prediction.reason}", _hop(row))
    return Why(False, f"{prediction.reason}{_landed(row)}", _at(name, prediction))


def _of_doubt(row: Row, found: Sequence[tuple[str, Prediction]]) -> Why | None:
    """Nothing known stops it, and there is a rule on its way that may. A session that came to its server passed it."""
    if row.get("real_server") and not _in_data(row):
        return None
    for name, one in found:
        hop = next((hop for hop in one.hops if hop.outcome == "unknown"), None)
        if hop is not None:
            return Why(None, one.reason, hop.where.replace("router", name, 1))
    return None


def _of_vrrp(spec: ClusterSpec, row: Row, holders: Sequence[Observed]) -> Why | None:
    vip = row.get("address") or _vip(spec, row)
    if not holders:
        return Why(False, f"No router holds {vip}: nobody takes the clients' packets. See keepalived on both.", VRRP)
    if len(holders) > 1:
        names = " and ".join(sorted(one.router for one in holders))
        reason = f"{names} both hold {vip}: which of them answers is chance, and neither knows the other's clients."
        return Why(None, f"{reason} See that they hear each other's VRRP advertisements.", VRRP)
    return None


def _of_its_settings(spec: ClusterSpec, row: Row, holders: Sequence[Observed], works: bool | None) -> Why | None:
    fits = _stray_port(spec, row) or _fitting(spec, row, holders[0])
    return Why(works, f"{fits}{_landed(row)}", _hop(row)) if fits else None


def _of_the_server(spec: ClusterSpec, row: Row, holders: Sequence[Observed], works: bool | None) -> Why:
    """The routers' state explains nothing: what would fit of the server, or of the network."""
    if not row.get("real_server") and row["stage"] == "connect" and row.get("error") != "refused":
        reason = (
            f"By what {holders[0].router} holds it should work, and no router knows of the connection: its packets do "
            "not get there. See the network between the probe host and the virtual address."
        )
        return Why(works, reason, NETWORK)
    reason = f"By what {holders[0].router} holds it should work: the routers' state explains nothing."
    return Why(works, f"{reason} {_look_at(spec, row)}{_landed(row)}", _hop(row))


def _look_at(spec: ClusterSpec, row: Row) -> str:
    server, error, stage = _server(row), row.get("error", ""), str(row["stage"])
    if stage == "connect" and error == "refused":
        return f"{server} refuses connections to port {row['port']}: see that the FTP server runs and listens there."
    if stage == "connect":
        route = f", that its default route is the routers' {_floating(spec, row)}," if spec.nat else ""
        return f"{server} got the connection and its answers do not arrive: see that it is up{route} and its filter."
    if stage == "greeting":
        return f"{server} takes the connection and does not greet: see its log and its limits for clients."
    if stage == "TLS handshake" or error == "tls":
        return f"TLS with {server} failed: see its certificate and which versions of TLS it allows."
    if error == "closed":
        return f"{server} ended the session: see its log."
    return f"Look at {server} (its log, its own filter, its port range) and at the network between."


def _fitting(spec: ClusterSpec, row: Row, holder: Observed) -> str:
    """A setting of the server that would make this kind of session fail, though the routers are as they have to be."""
    mode, told, server = str(row["mode"]), str(row.get("told") or ""), _server(row)
    if not _in_data(row):
        return ""
    vip = str(row.get("address") or _vip(spec, row))
    if mode == "PASV" and told and told != vip:
        what = f"{server} told the client {told} instead of {vip}"
        if spec.mode == "advertise":
            return f"{what}: set pasv_address (or its like) to the virtual address there."
        return f"{what}, and the helper did not rewrite it: see that no other FTP helper is loaded on the router."
    state = _state(spec, row, holder)
    if mode == "PASV" and spec.mode == "helper" and _fails(replace(state, pasv_address="VIP"), row):
        return (
            f"What {holder.router} holds is right. It fails like this where {server} names the virtual address itself: "
            "take pasv_address (or its like) out there, the helper rewrites already."
        )
    if mode in {"PORT", "EPRT"} and _fails(replace(state, data_port=0, source_nat=""), row):
        return (
            f"What {holder.router} holds is right. It fails like this where {server} does not connect from port "
            f"{int(row.get('port', 21)) - 1}: set connect_from_port_20 (or its like) there."
        )
    return ""


def _stray_port(spec: ClusterSpec, row: Row) -> str:
    port = int(row.get("told_port") or 0)
    if not _in_data(row) or not port or spec.passive.low <= port <= spec.passive.high:
        return ""
    return f"{_server(row)} chose port {port}, outside the passive range {spec.passive} of the cluster: set it there."


def _landed(row: Row) -> str:
    """Where the data connection was given to another server than the session."""
    data, control = row.get("data_server"), row.get("real_server")
    if not data or not control or data == control:
        return ""
    return f" The data connection was given to {data}, the session to {control}."


def _in_data(row: Row) -> bool:
    """Whether it failed at a data connection. Servers connect to an active client before they answer its command."""
    words = str(row["stage"]).split(" ")
    transfers = len(words) > 1 and words[0] in {"PASV", "EPSV", *_TRANSFERS}
    waits = words[0] in _TRANSFERS and row["mode"] in {"PORT", "EPRT"} and row.get("error") == "timeout"
    return transfers or waits or str(row["message"])[:3] == "425"


def _predicted(spec: ClusterSpec, row: Row, one: Observed, servers: Sequence[FtpServer]) -> Prediction:
    return predict_mode(_state(spec, row, one, servers), _mode(row))


def _state(spec: ClusterSpec, row: Row, one: Observed, servers: Sequence[FtpServer] = ()) -> State:
    """What the router has for this client, the server having chosen the port that it told."""
    client = Client(_mode(row), 6 if row.get("ip") == 6 else 4, row.get("tls", "none"), int(row.get("port", 21)))
    state = state_from_observed(spec, one, client, servers)
    port = int(row.get("told_port") or 0)
    return replace(state, passive=Ports(port, port)) if port else state


def _fails(state: State, row: Row) -> bool:
    return predict_mode(state, _mode(row)).outcome not in {"ok", "unknown"}


def _mode(row: Row) -> Mode:
    return next(mode for mode in MODES if mode == str(row["mode"]).lower())


def _at(router: str, prediction: Prediction) -> str:
    """The hop that decides, with the router's name; what the server decides is the server's.

    A client that was handed the server's own address has nothing to be looked at: the helper did not rewrite it.
    """
    where = prediction.hops[-1].where if prediction.hops else "router"
    where = HELPER if where == CLIENT else where
    return where.replace("router", router, 1) if where.startswith("router") else where


def _server(row: Row) -> str:
    return str(row.get("real_server") or "the real server")


def _capital(text: str) -> str:
    """For the beginning of a sentence; a server's name stays as it is."""
    return text.replace("the real", "The real", 1) if text.startswith("the real server") else text


def _hop(row: Row) -> str:
    if str(row["stage"]) in {"USER", "PASS"} and str(row["message"]).startswith("530"):
        return ACCOUNT
    name = row.get("real_server")
    return f"real server {name}" if name else "real server"


def _vip(spec: ClusterSpec, row: Row) -> str:
    return next((str(side.vip) for side in spec.sides if side.family == row.get("ip", 4)), "")


def _floating(spec: ClusterSpec, row: Row) -> str:
    return next((str(side.floating) for side in spec.sides if side.family == row.get("ip", 4)), "floating address")
