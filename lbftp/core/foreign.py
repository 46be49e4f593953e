"""Secrets of others in what machines hold: passwords and keys in their files. They are shown as a mark, never whole.

The mark has a keyed digest of what stood there, so that a changed password is a difference that people see. What is
written to machines never comes from here.

Known are: keepalived.conf(5) auth_pass and password; snmpd.conf(5) communities and users; SQL and LDAP lines of
ProFTPD and Pure-FTPd; `password = …` of many; crypt(5) and LDAP password hashes; private keys (RFC 7468); passwords in
addresses (RFC 3986, 3.2.1).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

# A short digest of a secret, made with the site's key.
Digest = Callable[[str], str]

_VALUE: Final = r"""(?!\[secret\b)(?P<value>"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[^\s"';]\S*)"""
# What a directive alone in its line is followed by.
_END: Final = r"(?=[ \t]*;?[ \t]*(?:[#!].*)?$)"
# Bounded, and begun at the beginning of a word only: a long line of anything takes no longer than it is long.
_CALLED: Final = "passwo?r?d|passphrase|auth_pass|bindpw|secret|community|api_?key|private_?key|preshared_?key"
_WORD: Final = rf"(?<![\w.-])[\w.-]{{0,64}}?(?:{_CALLED})"
# lbftp's own script names the mail address that anonymous logins give.
_OURS: Final = r"(?!lbftp@localhost\b)"
_FLAGS: Final = re.MULTILINE | re.IGNORECASE
_KEYS: Final = re.compile(
    r"(?P<head>-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----)(?!\s*\[secret\b)(?P<value>.*?)(?=-----END |\Z)",
    re.DOTALL,
)
_PATTERNS: Final = tuple(
    re.compile(pattern, _FLAGS)
    for pattern in (
        rf"(?P<head>^[ \t]*(?:auth_pass|bindpw|requirepass|masterauth|\w*SQLPassword|LDAPBindPW)[ \t]+){_VALUE}",
        rf"(?P<head>^[ \t]*(?:r[ow]community6?|trapcommunity)[ \t]+){_VALUE}",
        rf"(?P<head>^[ \t]*com2sec6?[ \t]+(?:-Cn[ \t]+\S+[ \t]+)?\S+[ \t]+\S+[ \t]+){_VALUE}",
        r"(?P<head>^[ \t]*createUser[ \t]+)(?!\[secret\b)(?P<value>.+)$",
        rf"(?P<head>^[ \t]*SQLConnectInfo[ \t]+\S+[ \t]+\S+[ \t]+){_VALUE}",
        rf"(?P<head>^[ \t]*(?:LDAPBindDN|SQLNamedConnectInfo)[ \t]+(?:\"[^\"\n]*\"|\S+)[ \t]+){_VALUE}",
        rf"(?P<head>^[ \t]*{_WORD}[ \t]*:?[ \t]+){_VALUE}{_END}",
        rf"(?P<head>{_WORD}[\w.-]{{0,64}}[\"']?\]?[ \t]*=(?:>|(?!>))[ \t]*){_OURS}{_VALUE}",
        rf"(?P<head>[\"']{_WORD}[\"'][ \t]*:[ \t]*){_VALUE}",
        r"(?P<head>(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{0,20}://[^\s:@/]{1,256}:)(?!\[secret\b)(?P<value>[^\s@/]{1,256})(?=@)",
        r"(?P<head>(?:^|[:\s\"'=]))(?P<value>\$(?:apr1|1|2[abxy]?|5|6|7|y|gy|argon2\w*|scrypt)\$[^\s:\"']+)",
        r"(?P<head>)(?P<value>\{(?:S?SHA|SSHA|S?MD5|CRYPT|PBKDF2)[-\w]*\}[A-Za-z0-9+/=$.]{8,})",
    )
)
_BEGINS: Final = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")


def masked(value: Any, digest: Digest) -> Any:
    """A JSON value or text with a mark in place of each secret of others."""
    if isinstance(value, str):
        return _text(value, digest)
    if isinstance(value, dict):
        return {key: masked(one, digest) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [masked(one, digest) for one in value]
    return value


def _text(text: str, digest: Digest) -> str:
    def mark(found: re.Match[str]) -> str:
        value = found["value"].strip()
        return f"{found['head']}[secret {digest(value)}]" if value else found[0]

    if "PRIVATE KEY" in text:
        text = _KEYS.sub(lambda found: f"{found['head']}\n[secret {digest(found['value'])}]\n", text)
    for pattern in _PATTERNS:
        text = pattern.sub(mark, text)
    return text


class Lines:
    """Lines of one output as they come: what stands between the ends of a private key is left out."""

    def __init__(self) -> None:
        self._inside = False

    def __call__(self, line: str) -> Iterator[str]:
        if self._inside:
            self._inside = "-----END " not in line
            if not self._inside:
                yield line
            return
        yield line
        if _BEGINS.search(line) and "-----END " not in line:
            self._inside = True
            yield "[secret]"
