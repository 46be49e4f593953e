"""What is ours on a router stands in one file: no other file of the product spells such a name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lbftp.core import ours
from lbftp.core.observe.checkpoints import CHECKPOINT_STATE
from lbftp.core.observe.program import program
from lbftp.core.program import roll_back

ROOT = Path(__file__).resolve().parent.parent.parent
PRODUCT = ("lbftp", "workers", "templates")
HOME_OF_NAMES = ROOT / "lbftp" / "core" / "ours.py"

# Names as they stand in a source: folders and files, keepalived's parts, chains and tables, units, marks of programs.
SPELLED = re.compile(
    r"/var/lib/lbftp|/etc/lbftp|/run/lbftp|/tmp/lbftp"
    r"|\blbftp\.d\b|\.lbftp[.-]|modprobe\.d/lbftp|modules-load\.d/(ip_vs_ftp|lbftp)|sysctl\.d/(90-)?lbftp|90-lbftp"
    r"|lbftp_\{|lbftp_\w+_(public|internal)"
    r"|LBFTP-(?!OBSERVED)[{a-z\"']|[\"'{/ ]lbftp-(?!sealed:|program)[{a-z\"'*]"
    r"|lbftp-guard|lbftp-maintenance|@lbftp|logger -t lbftp|journalctl -t lbftp|lbftp owns"
)
# The command line of this site's own machine, and its stylesheet: nothing that a router holds.
ELSEWHERE = re.compile(r"manage\.py lbftp|lbftp_tags|static/|/static")


def sources() -> Iterator[Path]:
    for top in PRODUCT:
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix in {".py", ".html", ".txt", ".sh"} and path != HOME_OF_NAMES:
                yield path


def spelled(text: str) -> list[str]:
    """The lines of a source that spell a name of ours."""
    return [line.strip() for line in text.splitlines() if SPELLED.search(line) and not ELSEWHERE.search(line)]


def test_no_other_file_spells_a_name_of_ours() -> None:
    found = {str(path.relative_to(ROOT)): lines for path in sources() if (lines := spelled(path.read_text("utf-8")))}
    assert found == {}


def values() -> list[str]:
    """Every name that the file has, those with a cluster's name in them too."""
    fixed = [
        value for name, value in vars(ours).items() if name.isupper() and name[0] != "_" and isinstance(value, str)
    ]
    made = [
        function("ftp")
        for function in (
            ours.check_account,
            ours.public_instance,
            ours.internal_instance,
            ours.server_sysctl_file,
            ours.server_module_file,
            ours.server_unit,
            ours.restore_command,
            ours.servers_restore_command,
            ours.traffic_stop,
        )
    ]
    return [*fixed, *made, ours.probe_upload(1)]


# Plain words that mean something only where a program puts them: alone in a source they are no name of ours.
PLAIN = {ours.JOURNAL_TAG, ours.ANONYMOUS_ADDRESS, ours.WANTS}


@pytest.mark.parametrize("value", [v for v in values() if v not in PLAIN])
def test_a_planted_name_is_found(value: str) -> None:
    assert spelled(f'    folder = "{value}"'), value


@pytest.mark.parametrize(
    "line",
    [
        'HOME: Final = "/var/lib/lbftp"',
        "for place in /var/lib/lbftp/checkpoints/*/; do",
        'return f"lbftp_{spec.name}_public"',
        'chain = f"LBFTP-{name}"',
        'table = f"lbftp-{name}"',
        'logger -t lbftp -- "$name: back"',
        "printf '@lbftp %s start %s\\n'",
        "# lbftp owns this file: do not edit",
        "find /etc/keepalived -path '*/lbftp.d/*'",
        'rm -f "${place%/*}"/.lbftp.??????',
    ],
)
def test_a_planted_line_is_found(line: str) -> None:
    assert spelled(line)


def test_the_state_of_a_checkpoint_is_asked_by_one_fragment() -> None:
    """By the program that looks at a router, and by the one that a person runs there."""
    for text in (program(), roll_back.PROGRAM):
        assert text.count(CHECKPOINT_STATE) == 1
        assert text.count("/confirmed") == 1
