"""The way back on a full disk: what was written before it filled up goes, without room for a new file."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lbftp.core import program
from lbftp.core.steps import Step

TOKEN = "token123"
OLD = "old line\n" * 200


def step(path: Path) -> Step:
    params = {"path": str(path), "before": OLD, "after": f"{OLD}include ours\n"}
    return Step("file", "write-file", "Change it", "run", "", params)


def in_a_disk_of_its_own(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    mount = f"mount -t tmpfs -o size=32k full {folder} && cd {folder} || exit 9\n"
    argv = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount + script]
    return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)


def test_a_file_goes_back_to_what_it_was_on_a_full_disk(tmp_path: Path) -> None:
    one, texts = step(tmp_path / "a.conf"), tmp_path.parent
    (texts / "old").write_text(OLD)
    (texts / "apply").write_text(program.apply([one], TOKEN))
    (texts / "restore").write_text(program.restore([one]))
    script = f"""
cp {texts}/old a.conf
sh {texts}/apply && grep -q include a.conf || exit 8
dd if=/dev/zero of=filler bs=1k 2>/dev/null
if echo more >more && [ -s more ]; then exit 7; fi
sh {texts}/restore && cmp a.conf {texts}/old
"""
    done = in_a_disk_of_its_own(tmp_path, script)
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
