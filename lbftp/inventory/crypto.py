"""Encryption of secrets at rest: Fernet (AES-128-CBC with HMAC-SHA256) with keys in a file beside the database.

The key file holds one key a line, the newest first; older lines still decrypt. It is made at first use with mode 0600
and is not derived from SECRET_KEY, so that a leaked settings file does not open the credentials.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


def encrypt(plain: str) -> str:
    """Printable ciphertext of `plain` under the newest key."""
    return _keys(settings.SECRETS_KEY_FILE).encrypt(plain.encode()).decode()


def decrypt(token: str) -> str:
    """The plain text. Raises ImproperlyConfigured if no key in the file fits: fail closed, say which file."""
    try:
        return _keys(settings.SECRETS_KEY_FILE).decrypt(token.encode()).decode()
    except InvalidToken as error:
        raise ImproperlyConfigured(
            f"A stored secret cannot be opened with the keys in {settings.SECRETS_KEY_FILE}: "
            "put the key file back that belongs to this database, or enter the secrets anew."
        ) from error


@cache
def _keys(path: Path) -> MultiFernet:
    lines = [line for line in _read_or_make(path).split() if line]
    return MultiFernet([Fernet(line) for line in lines])


def _read_or_make(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    if not path.exists():
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(Fernet.generate_key() + b"\n")
        try:
            # link() fails if another process was first: exactly one key ever gets the name.
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    return path.read_text()
