"""Encryption of secrets at rest: Fernet (AES-128-CBC with HMAC-SHA256) with keys in a file beside the database.

The key file holds one key a line, the newest first; older lines still decrypt. It has mode 0600 and is not derived from
SECRET_KEY, so that a leaked settings file does not open the credentials. The first key is made when the first secret is
sealed, and never while there are sealed ones already: they would be lost without a word.

What a row holds stays sealed until somebody calls `opened`: a page never does, so a lost key file breaks no page.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

_ANEW: Final = (
    "Put the key file back that belongs to this database. If it is lost for good: `manage.py lbftp secrets rotate "
    "--lost`, then enter the secrets anew (Credentials)."
)


class SecretLost(ImproperlyConfigured):
    """A sealed secret cannot be opened, or none can be sealed. The text says which file it is about and what to do."""


class Sealed:
    """What a row holds of a secret: ciphertext. It shows nothing of itself; `opened` gives the secret."""

    __slots__ = ("token",)

    def __init__(self, token: str) -> None:
        self.token = token

    def __repr__(self) -> str:
        return "(sealed)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sealed) and other.token == self.token

    def __hash__(self) -> int:
        return hash(self.token)


def opened(secret: str | Sealed) -> str:
    """The secret itself. Raises SecretLost if no key in the file fits: fail closed, say which file."""
    return decrypt(secret.token) if isinstance(secret, Sealed) else secret


def encrypt(plain: str, in_use: Callable[[], bool] = lambda: True) -> str:
    """Printable ciphertext of `plain` under the newest key.

    Without a key file one is made, unless `in_use` says that sealed secrets exist: then SecretLost is raised.
    """
    path = _path()
    if not path.exists():
        if in_use():
            raise SecretLost(f"The key file {path} is missing, and stored secrets were sealed with it. {_ANEW}")
        make_first()
    return keys()[0].encrypt(plain.encode()).decode()


def decrypt(token: str) -> str:
    """The plain text. Raises SecretLost."""
    try:
        return MultiFernet(keys()).decrypt(token.encode()).decode()
    except InvalidToken as error:
        raise SecretLost(f"A stored secret cannot be opened with the keys in {_path()}. {_ANEW}") from error


def opens(secret: str | Sealed) -> bool:
    """Whether the keys of now open it."""
    try:
        opened(secret)
    except SecretLost:
        return False
    return True


def is_newest(token: str) -> bool:
    """Whether the newest key alone opens it."""
    try:
        keys()[0].decrypt(token.encode())
    except InvalidToken:
        return False
    return True


def keys() -> list[Fernet]:
    """The keys in the file as it is now, the newest first; long-lived processes notice a rotation. SecretLost."""
    path = _path()
    try:
        seen = path.stat()
        return list(_read(path, seen.st_ino, seen.st_mtime_ns, seen.st_size))
    except (OSError, UnicodeDecodeError) as error:
        raise SecretLost(f"The key file {path} cannot be read ({type(error).__name__}). {_ANEW}") from error
    except ValueError as error:
        raise SecretLost(f"The key file {path} holds no key, or a line that is none. {_ANEW}") from error


@lru_cache(maxsize=4)
def _read(path: Path, *_state: int) -> tuple[Fernet, ...]:
    found = tuple(Fernet(line) for line in path.read_text().split())
    if not found:
        raise ValueError("empty")
    return found


def make_first() -> None:
    """A key file with one key, unless another process was first: exactly one key ever gets the name."""
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = _written(path, Fernet.generate_key().decode())
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()


def there_is_a_file() -> bool:
    return _path().exists()


def add_key() -> None:
    """A new key, first in the file; the others stay. Raises SecretLost where there is no file that could be read."""
    keys()
    with _alone():
        _replace([Fernet.generate_key().decode(), *_lines()])


def drop_old(still_needed: Callable[[], bool]) -> bool:
    """Leaves the newest key alone in the file. If something is needed of the others then, they are put back: False."""
    with _alone():
        before = _lines()
        _replace(before[:1])
        if not still_needed():
            return True
        _replace(before)
        return False


@contextmanager
def _alone() -> Iterator[None]:
    """Two that change the file wait for each other."""
    with _path().with_name(f"{_path().name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _lines() -> list[str]:
    return _path().read_text().split()


def _replace(lines: list[str]) -> None:
    """In one step: whoever reads gets the old file or the new one, and it lasts over a power cut."""
    _written(_path(), *lines).replace(_path())
    folder = os.open(_path().parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _written(path: Path, *lines: str) -> Path:
    """A file beside `path` with mode 0600."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write("".join(f"{line}\n" for line in lines))
        file.flush()
        os.fsync(file.fileno())
    return temporary


def _path() -> Path:
    return Path(settings.SECRETS_KEY_FILE)
