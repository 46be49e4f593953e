"""The base image: Debian packages and the recipe's files on one ext4 file system, with kernel and keys beside it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from lab import guest, tools
from lab.places import RECIPE, LabError
from lab.topology import HOSTS, MACHINES, endpoints

SUITE = "bookworm"
SUITES = {SUITE, f"{SUITE}-updates", f"{SUITE}-security"}
SIZE = "3G"
# What mmdebstrap is to take over from this computer's own way to the packages.
APT_SETTINGS = ("Acquire::Check-Valid-Until", "Acquire::Check-Date", "Acquire::http", "Acquire::https")


def build(folder: Path) -> None:
    """Fill the folder with base.qcow2, kernel, initrd, keys/ and known_hosts. Needs root and the packages' servers."""
    os.umask(0o022)
    make_keys(folder / "keys")
    stage = folder / "stage"
    write_stage(stage, folder / "keys")
    root = folder / "root"
    bootstrap(root, stage)
    for name in ("vmlinuz", "initrd.img"):
        _copy_boot(root, folder, name)
    to_disk(root, folder / "base.qcow2")
    shutil.rmtree(root)
    shutil.rmtree(stage)


def _copy_boot(root: Path, folder: Path, name: str) -> None:
    found = sorted((root / "boot").glob(f"{name.removesuffix('.img')}*"))
    if not found:
        raise LabError(f"the packages brought no {name}")
    shutil.copyfile(found[-1], folder / name)


def make_keys(folder: Path) -> None:
    """One key pair to sign in with, one host key per endpoint, and the known_hosts that pins them by name."""
    folder.mkdir(parents=True)
    for name in ("lab", *endpoints()):
        comment = "lab" if name == "lab" else name
        tools.run_tool(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(folder / name)])
    lines = [f"{name} {host_key(folder, name)}\n" for name in endpoints()]
    (folder / "known_hosts").write_text("".join(lines))


def host_key(keys: Path, name: str) -> str:
    """The endpoint's public host key: 'ssh-ed25519 AAAA…', without a comment."""
    return " ".join((keys / f"{name}.pub").read_text().split()[:2])


def write_stage(stage: Path, keys: Path) -> None:
    """Lay out all files that go into the image: base/ as they are, roles/ for first-boot to choose from."""
    shutil.copytree(RECIPE / "base", stage / "base", symlinks=True)
    shutil.copytree(RECIPE / "roles", stage / "roles", symlinks=True)
    _plain_modes(stage)
    _put(stage / "base/etc/lab/authorized_keys", (keys / "lab.pub").read_bytes())
    (stage / "base/usr/lib/lab/first-boot").chmod(0o755)
    for machine in MACHINES:
        role = stage / "roles" / machine.name
        for path, text in guest.machine_files(machine).items():
            _put(role / path.lstrip("/"), text.encode())
        _put(role / "etc/ssh/ssh_host_ed25519_key", (keys / machine.name).read_bytes(), mode=0o600)
    _stage_namespaced(stage / "roles", keys)


def _stage_namespaced(roles: Path, keys: Path) -> None:
    for host in guest.namespaced_hosts():
        own = roles / host.machine / "var/lib/lab" / host.name
        _put(own / "etc/ssh/ssh_host_ed25519_key", (keys / host.name).read_bytes(), mode=0o600)
    for host in HOSTS:
        if host.role == "real-server":
            home = roles / host.machine / "var/lib/lab" / host.name / "home/ftpuser"
            for name, content in guest.ftp_files(host).items():
                _put(home / name, content)
            (home / "upload").mkdir()


def _plain_modes(stage: Path) -> None:
    """0755 or 0644 for everything: a checkout's modes depend on who made it, the image's must not."""
    for path in stage.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def _put(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


def bootstrap(root: Path, stage: Path) -> None:
    """Install the packages into the folder `root`, from the sources that this computer itself uses."""
    packages = ",".join((RECIPE / "packages.txt").read_text().split())
    hooks = {
        "setup": f'sh {RECIPE}/setup-hook "$1"',
        "essential": f'sh {RECIPE}/essential-hook "$1"',
        "customize": f'sh {RECIPE}/customize-hook "$1" {stage}',
    }
    options = [f"--{when}-hook={command}" for when, command in hooks.items()]
    options += [f"--aptopt={line}" for line in apt_settings()]
    command = ["mmdebstrap", "--mode=root", "--variant=minbase", f"--include={packages}", *options, SUITE, str(root)]
    tools.run_tool(["env", f"TMPDIR={root.parent}", *command, *source_files(stage)])


def apt_settings() -> list[str]:
    """This computer's own apt settings for reaching its package servers, as lines of apt.conf."""
    said = tools.run_tool(["apt-config", "dump", "--format", '%F "%v";%n'])
    return [line for line in said.splitlines() if line.startswith(APT_SETTINGS) and not line.endswith(' "";')]


def source_files(folder: Path) -> list[str]:
    """Files that list this computer's Debian sources for SUITE; none lets mmdebstrap use its own default."""
    texts = []
    for path in [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]:
        if path.suffix in {".list", ".sources"} and path.is_file():
            separator = "\n\n" if path.suffix == ".sources" else "\n"
            parts = [part for part in path.read_text().split(separator) if is_debian(part)]
            if parts:
                texts.append((path.suffix, separator.join(parts) + "\n"))
    return [_source_file(folder, number, *each) for number, each in enumerate(texts)]


def is_debian(source: str) -> bool:
    """Whether a line of sources.list, or a stanza, names one of the SUITES and Debian's component main."""
    bare = "\n".join(line for line in source.splitlines() if not line.lstrip().startswith("#"))
    words = set(bare.split())
    return bool(words & SUITES) and "main" in words and "deb" in words


def _source_file(folder: Path, number: int, suffix: str, text: str) -> str:
    path = folder / f"apt-{number}{suffix}"
    path.write_text(text)
    return str(path)


def to_disk(root: Path, image: Path) -> None:
    """Write the folder to an ext4 file system in a compact qcow2 image."""
    raw = image.with_suffix(".raw")
    tools.run_tool(["mke2fs", "-q", "-t", "ext4", "-L", "lab", "-m", "0", "-d", str(root), str(raw), SIZE])
    tools.run_tool(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(raw), str(image)])
    raw.unlink()
