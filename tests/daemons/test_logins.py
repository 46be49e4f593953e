"""A login that a real SSH server does not answer: not the credential is to be corrected, and it may be tried again."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest

from lbftp.core.job import Access
from ops.bench.sshd import Target, private_sshd
from workers.errors import LoginRefused, Unreachable
from workers.remote import Limits, connect

# Asking for the account's keys takes longer than the worker's patience.
BUSY = {
    "AuthorizedKeysFile": "none",
    "AuthorizedKeysCommand": "/usr/bin/sleep 4",
    "AuthorizedKeysCommandUser": getpass.getuser(),
}


def access(target: Target) -> Access:
    return Access("r1", "127.0.0.1", target.port, target.user, target.host_key, key=Path(target.key).read_text())


def test_a_server_that_falls_silent_at_the_login_may_be_tried_again(tmp_path: Path) -> None:
    with private_sshd(tmp_path / "d", BUSY) as target:
        with pytest.raises(Unreachable, match="gave no answer to the login") as raised:
            connect(access(target), Limits(connect=1)).__enter__()
        assert raised.value.retry


def test_a_key_that_is_not_allowed_is_a_refusal(tmp_path: Path) -> None:
    with private_sshd(tmp_path / "d", {"AuthorizedKeysFile": "none"}) as target:
        with pytest.raises(LoginRefused, match="Correct the credential") as raised:
            connect(access(target), Limits(connect=10)).__enter__()
        assert not raised.value.retry
