"""What routers' commands complain of, with what to do."""

from __future__ import annotations

import pytest

from lbftp.core.program.complaints import explained


@pytest.mark.parametrize(
    ("said", "words", "advice"),
    [
        ("/run/tmp.UJykEl5weS: 157: echo: echo: I/O error", "echo: echo: I/O error.", "df -h"),
        ("/tmp/tmp.UJykEl5weS: line 7: cp: No space left on device", "cp: No space left on device.", "df -h"),
        ("mkdir: cannot create directory '/etc/x': Read-only file system", "mkdir: cannot create", "read-only"),
        ("modprobe: FATAL: Module ip_vs_ftp not found in directory /lib/modules/6.1", "modprobe: FATAL", "Install"),
        ("Another app is currently holding the xtables lock; still 9s", "Another app", "fuser"),
    ],
)
def test_what_is_known_comes_with_what_to_do(said: str, words: str, advice: str) -> None:
    told = explained(said)
    assert told.startswith(words)
    assert advice in told.removeprefix(words)


def test_what_is_not_known_is_left_as_it_is() -> None:
    said = "/etc/keepalived/keepalived.conf was changed by somebody since the plan was made: plan again"
    assert explained(said) == f"{said}."
    assert explained(f"{said}.") == f"{said}."
