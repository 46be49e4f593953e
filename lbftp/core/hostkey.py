"""SSH host keys as people compare them."""

from __future__ import annotations

import base64
import binascii
import hashlib

from lbftp.core.spec import SpecError


def fingerprint(line: str) -> str:
    """'SHA256:…' of a key line such as 'ssh-ed25519 AAAA…', as `ssh-keygen -l` prints it (RFC 4648 without padding).

    Raises SpecError if `line` is no public key.
    """
    parts = line.split()
    try:
        blob = base64.b64decode(parts[1], validate=True)
    except (IndexError, binascii.Error) as error:
        raise SpecError("host_key", "is not a public key such as 'ssh-ed25519 AAAA…'") from error
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
