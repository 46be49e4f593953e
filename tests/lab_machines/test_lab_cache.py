"""The cache recognises what is broken, and its name follows the recipe."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from lab import cache, manifest
from lab.places import RECIPE, cache_root, locked, run_folder


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A copy of the recipe, with the Python files that count beside it."""
    for name in cache.RECIPE_SOURCES:
        shutil.copy(RECIPE.parent / name, tmp_path / name)
    shutil.copytree(RECIPE, tmp_path / "recipe", symlinks=True)
    return tmp_path / "recipe"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A finished cache folder."""
    made = tmp_path / "made"
    (made / "keys").mkdir(parents=True)
    (made / "keys/lab").write_text("key")
    (made / "base.qcow2").write_bytes(b"disk" * 100)
    manifest.write(made)
    return made


def test_digest_is_that_of_the_content_not_of_the_place(recipe: Path) -> None:
    assert cache.digest(recipe) == cache.digest()


@pytest.mark.parametrize("name", ["packages.txt", "roles/r2/etc/sysconfig/iptables", "../guest.py"])
def test_digest_changes_with_any_file(recipe: Path, name: str) -> None:
    before = cache.digest(recipe)
    with (recipe / name).open("a") as handle:
        handle.write("# more\n")
    assert cache.digest(recipe) != before


def test_digest_sees_names_and_executable_bits(recipe: Path) -> None:
    seen = {cache.digest(recipe)}
    (recipe / "packages.txt").chmod(0o755)
    seen.add(cache.digest(recipe))
    (recipe / "customize-hook").rename(recipe / "customise-hook")
    seen.add(cache.digest(recipe))
    assert len(seen) == 3


def test_finished_folder_is_complete(folder: Path) -> None:
    assert manifest.complaint(folder) is None


def test_folder_without_a_list_is_not_complete(folder: Path) -> None:
    (folder / manifest.NAME).unlink()
    assert manifest.complaint(folder) == "not complete"


def test_half_a_list_is_not_complete(folder: Path) -> None:
    text = (folder / manifest.NAME).read_text()
    (folder / manifest.NAME).write_text(text[: len(text) // 2])
    assert manifest.complaint(folder) == "unreadable list of files"


def test_missing_short_and_changed_files_are_named(folder: Path) -> None:
    disk = folder / "base.qcow2"
    content = disk.read_bytes()
    disk.write_bytes(content[:-1])
    assert manifest.complaint(folder) == "base.qcow2: 399 bytes, should be 400"
    disk.write_bytes(b"x" * 400)
    assert manifest.complaint(folder) == "base.qcow2: content changed"
    disk.write_bytes(content)
    assert manifest.complaint(folder) is None
    disk.unlink()
    assert manifest.complaint(folder) == "base.qcow2: missing"


def test_publish_replaces_a_broken_folder(tmp_path: Path, folder: Path) -> None:
    final = tmp_path / "final"
    (final / "rest").mkdir(parents=True)
    cache.publish(folder, final)
    assert cache.complete(final)
    assert not (final / "rest").exists()
    assert not folder.exists()


def test_prune_keeps_the_present_image_and_the_last_used(tmp_path: Path) -> None:
    for age, name in enumerate(["aa", "bb", "cc", ".building-dd"]):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (1000 + age, 1000 + age))
    assert cache.prune(tmp_path, tmp_path / "aa") == [tmp_path / "bb"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [".building-dd", "aa", "cc"]


def test_places_follow_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("LBFTP_CACHE", raising=False)
    assert cache_root() == tmp_path / "xdg/lbftp/lab"
    monkeypatch.setenv("LBFTP_CACHE", str(tmp_path / "own"))
    assert cache_root() == tmp_path / "own/lab"
    monkeypatch.setenv("LBFTP_LAB_DIR", str(tmp_path / "run"))
    assert run_folder() == tmp_path / "run"


def test_lock_keeps_others_out_and_says_so(tmp_path: Path) -> None:
    with locked(tmp_path / "lock") as mine:
        assert mine
        with locked(tmp_path / "lock", wait=False) as second:
            assert not second
    with locked(tmp_path / "lock", wait=False) as again:
        assert again
