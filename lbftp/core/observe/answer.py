"""A router's answer to `observe.program` -> Observed. Raises ObserveError, and nothing else, on any bytes."""

from __future__ import annotations

from collections.abc import Mapping

from lbftp.core.observe import checkpoints, facts, iptables, ipvs, nftables
from lbftp.core.observe.beside import beside
from lbftp.core.observe.errors import ObserveError
from lbftp.core.observe.observed import Facts, Observed
from lbftp.core.observe.program import FILES, MAGIC
from lbftp.core.secrecy import hidden


def unframe(answer: bytes) -> dict[str, bytes]:
    """Part -> its bytes. A cut or foreign answer raises ObserveError."""
    start = answer.find(MAGIC.encode() + b"\n")
    head, gap, body = answer[max(start, 0) :].partition(b"\n\n")
    if start < 0 or not gap:
        # Hidden before it is cut: half a secret would not be found any more.
        shown = hidden(answer[:5000].decode(errors="replace"))
        raise ObserveError("answer", f"is not one of lbftp's: {shown[:200]!r}")
    return _cut(head.partition(b"\n")[2], body, "the answer")[0]


def _cut(listing: bytes, body: bytes, what: str) -> tuple[dict[str, bytes], bytes]:
    """Name -> its bytes, by the lines of `wc -c`, and what is left of `body`."""
    parts: dict[str, bytes] = {}
    for line in listing.decode("utf-8", "surrogateescape").splitlines():
        length, _, name = line.strip().partition(" ")
        if not length.isascii() or not length.isdigit() or len(length) > 12:
            raise ObserveError(what, f"has a length that is no number: {line[:60]!r}")
        if name != "total":
            parts[name], body = body[: int(length)], body[int(length) :]
            if len(parts[name]) != int(length):
                raise ObserveError(what, f"was cut off in {name}")
    return parts, body


def observed(router: str, answer: bytes) -> Observed:
    """What `router` holds."""
    parts = unframe(answer)
    text = {name: content.decode("utf-8", "surrogateescape") for name, content in parts.items()}
    codes = dict(line.rsplit(" ", 1) for line in _text(text, "status").splitlines() if " " in line)
    _required(text, codes, ("addr", "os", "kernel", "tcp"))
    found = _facts(text)
    files = dict.fromkeys(FILES) | files_of(parts)
    return Observed(
        router=router,
        facts=found,
        modules=frozenset(line.split(" ", 1)[0] for line in _text(text, "modules").splitlines()),
        sysctls=_settings(_text(text, "sysctl")),
        running=iptables.parse(_text(text, "iptables")),
        saved=iptables.parse(files.get(found.rules_path) or "", found.rules_path),
        services=ipvs.parse(_text(text, "ipvs")),
        files=files,
        units=facts.units(_text(text, "units")),
        others=_complaints(text, codes),
        running6=iptables.parse(text.get("iptables6", ""), "ip6tables-save"),
        saved6=iptables.parse(files.get(found.saved_path(6)) or "", found.saved_path(6)),
        nft=nftables.parse(text["nft"]) if codes.get("nft") == "0" else None,
        module_parameters=_pairs(text.get("parameters", "")),
        beside=beside(text),
        checkpoints=checkpoints.listed(text.get("checkpoints", "")),
    )


def files_of(parts: Mapping[str, bytes]) -> dict[str, str]:
    """Path -> content, from the parts "lengths" and "contents"."""
    if "lengths" not in parts or "contents" not in parts:
        raise ObserveError("answer", "lacks the files")
    found, rest = _cut(parts["lengths"], parts["contents"], "the files")
    if rest:
        raise ObserveError("the files", "changed while they were read: look again")
    return {path: content.decode("utf-8", "surrogateescape") for path, content in found.items()}


def _settings(text: str) -> dict[str, str]:
    """From lines of a file below /proc/sys, a colon and its content."""
    pairs = (line.split(":", 1) for line in text.splitlines() if line.startswith("/proc/sys/") and ":" in line)
    return {path.removeprefix("/proc/sys/").replace("/", "."): value for path, value in pairs}


def _pairs(text: str) -> dict[str, str]:
    """Lines of a key, a space and a value."""
    return dict(line.split(" ", 1) for line in text.splitlines() if " " in line)


def _complaints(text: Mapping[str, str], codes: Mapping[str, str]) -> dict[str, str]:
    """What could not be read, and why: by the name of what was asked."""
    found = {name: text[f"{name}.err"] for name in ("iptables", "nft", "ipvs") if codes.get(name, "0") != "0"}
    if _text(text, "uid").strip() != "0":
        found["account"] = "the login is not root and sudo is not used"
    return found


def _required(text: Mapping[str, str], codes: Mapping[str, str], names: tuple[str, ...]) -> None:
    for name in names:
        if codes.get(name) != "0":
            raise ObserveError(name, f"the router could not tell: {text.get(f'{name}.err', '')[:200].strip()}")


def _text(text: Mapping[str, str], name: str) -> str:
    if name not in text:
        raise ObserveError("answer", f"lacks the part {name}")
    return text[name]


def _facts(text: Mapping[str, str]) -> Facts:
    platform, pretty = facts.os_release(_text(text, "os"))
    return Facts(
        hostname=_text(text, "host").strip(),
        platform=platform,
        os=pretty,
        kernel=_text(text, "kernel").strip(),
        keepalived=facts.version(_text(text, "keepalived") or text.get("keepalived.err", "")),
        iptables=facts.version(_text(text, "iptables.version")),
        interfaces=facts.addresses(_text(text, "addr")),
        listening=facts.listening(_text(text, "tcp")) | facts.listening(text.get("tcp6", "")),
        nft=facts.version(text.get("nft.version", "")),
    )
