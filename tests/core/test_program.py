"""Programs run here by a real POSIX shell, in a folder that stands for the router's root."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbftp.core import program
from lbftp.core.program import read_mark
from lbftp.core.steps import Step, sha256

HOLD = program.Hold("site-1", "1", "run-1-a", 120)
TOKEN = "token123"
SHELLS = [shell for shell in ("dash", "bash", "sh") if shutil.which(shell)]


def write(path: Path, before: str | None, after: str, id_: str = "file") -> Step:
    return Step(id_, "write-file", f"Change {path}", "run", "", {"path": str(path), "before": before, "after": after})


def run(text: str, shell: str = "sh") -> subprocess.CompletedProcess[str]:
    return subprocess.run([shell], input=text, capture_output=True, text=True, timeout=20, check=False)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_file_is_written_marked_and_put_back(shell: str, tmp_path: Path) -> None:
    path = tmp_path / "etc" / "a.conf"
    step = write(path, None, "one\ntwo")
    done = run(program.apply([step], TOKEN), shell)
    assert done.returncode == 0
    assert [read_mark(line, TOKEN) for line in done.stdout.splitlines()] == [
        program.Mark("file", None),
        program.Mark("file", 0),
    ]
    assert path.read_text() == "one\ntwo"
    assert run(program.restore([step]), shell).returncode == 0
    assert not path.exists()
    assert run(program.restore([step]), shell).returncode == 0


def test_doing_it_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old\n")
    step = write(path, "old\n", "new\n")
    assert run(program.apply([step], TOKEN)).returncode == 0
    number = path.stat().st_ino
    assert run(program.apply([step], TOKEN)).returncode == 0
    assert path.stat().st_ino == number


def test_a_file_that_somebody_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("theirs\n")
    done = run(program.apply([write(path, "old\n", "new\n"), write(tmp_path / "b", None, "x", "second")], TOKEN))
    assert done.returncode == program.STEP_FAILED
    assert "was changed by somebody since the plan was made" in done.stdout
    assert path.read_text() == "theirs\n"
    assert not (tmp_path / "b").exists()


def test_owner_and_mode_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    path.chmod(0o640)
    run(program.apply([write(path, "old", "new")], TOKEN))
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    assert run(program.apply([write(tmp_path / "link", "old", "new")], TOKEN)).returncode == 0
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_what_a_boot_broke_off_leaves_nothing_behind(tmp_path: Path) -> None:
    """The folder goes with its last file, and whatever is not ours stays."""
    path = tmp_path / "made" / "file"
    path.parent.mkdir()
    for name in (".lbftp.a1B2c3", ".lbftp.other", ".lbftp.kept-by-somebody"):
        (path.parent / name).write_text("half")
    (tmp_path / ".lbftp.a1B2c3").write_text("not in a folder of ours")
    step = write(path, None, "new\n")
    for _ in range(2):
        assert run(program.restore([step])).returncode == 0
    assert sorted(p.name for p in path.parent.iterdir()) == [".lbftp.kept-by-somebody", ".lbftp.other"]
    assert (tmp_path / ".lbftp.a1B2c3").exists()


def test_every_undo_is_tried_even_if_one_fails(tmp_path: Path) -> None:
    good = tmp_path / "good"
    good.write_text("new")
    bad = tmp_path / "file" / "below"
    (tmp_path / "file").write_text("no folder")
    done = run(program.restore([write(good, "old", "new"), write(bad, "old", "new", "bad")]))
    assert done.returncode == 1
    assert good.read_text() == "old"
    assert f"could not undo: Change {bad}" in done.stdout


@settings(max_examples=25, deadline=None)
@given(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=60))
def test_any_text_is_written_as_it_is_and_never_run(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("any")
    path = folder / "a"
    canary = folder / "canary"
    evil = f"{text}\n'; touch {canary}; '$(touch {canary})`touch {canary}`"
    done = run(program.apply([write(path, None, evil)], TOKEN))
    assert done.returncode == 0, done.stderr
    assert path.read_bytes() == evil.encode()
    assert not canary.exists()


def test_output_cannot_pass_for_a_mark() -> None:
    assert read_mark("@lbftp other start x", TOKEN) is None
    assert read_mark(f" @lbftp {TOKEN} end x 0 and more", TOKEN) is None
    with pytest.raises(ValueError, match="token"):
        program.apply([], "a b")


def test_a_digest_is_the_one_of_sha256sum(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"\xff\xfe caf\xc3\xa9\n")
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    assert subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True).stdout.startswith(
        sha256(text)
    )


@pytest.mark.parametrize("shell", SHELLS)
def test_the_whole_plan_of_the_lab_is_good_shell(shell: str) -> None:
    from lbftp.core.plan import plan
    from tests.core.cases import GUIDE, pair

    for router in plan(GUIDE, pair("fresh")).routers:
        for text in (
            program.apply(router.steps, TOKEN),
            program.restore(router.steps),
            program.checkpoint("run-1", router.steps, TOKEN),
            program.take(HOLD, TOKEN),
            program.checkpoint("run-1-a", router.steps, TOKEN, HOLD),
            program.apply(router.steps, TOKEN, HOLD),
            program.guard.extend(HOLD, TOKEN),
            program.guard.confirm(HOLD, TOKEN),
            program.guard.put_back("run-1-a", TOKEN),
        ):
            done = subprocess.run([shell, "-n"], input=text, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
