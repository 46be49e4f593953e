"""What no router shows of a cluster, as one comment line in the cluster's keepalived file.

Whether TLS is promised, which ports speak it from the first byte, how many sessions the team reckons with: routers
behave the same either way. The line lets an import of our own files give the same spec back.
"""

from __future__ import annotations

import json
from typing import Any, Final

from lbftp.core.spec import ClusterSpec, canonical

PREFIX: Final = "# Promised: "

_FIELDS: Final = ("active", "expected_sessions", "implicit_ports", "mode", "tls")
_VRRP: Final = ("group", "internal_vrid")


def line(spec: ClusterSpec) -> str:
    """The comment line; its values are words, numbers and flags that the model has checked."""
    values: dict[str, Any] = {name: getattr(spec, name) for name in _FIELDS}
    return PREFIX + canonical({**values, "vrrp": {name: getattr(spec.vrrp, name) for name in _VRRP}})


def promised(text: str) -> dict[str, Any]:
    """The fields that the comment line of a file names; {} if there is none, or it is not one of ours."""
    found = next((row for row in text.splitlines() if row.startswith(PREFIX)), "")
    try:
        values = json.loads(found.removeprefix(PREFIX)) if found else {}
    except (ValueError, RecursionError):
        return {}
    return {k: v for k, v in values.items() if k in (*_FIELDS, "vrrp")} if isinstance(values, dict) else {}
