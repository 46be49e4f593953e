"""Makes `.venv` and installs what is missing. Runs on the machine's own Python 3.11, so: standard library only.

Repeatable and interruptible: a virtual environment counts only once its stamp is written, and one that was left without
a stamp is made anew. When everything is there it takes a few milliseconds and says nothing.
"""

from __future__ import annotations

import argparse
import ctypes
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "lbftp-stamp.json"
REQUIREMENTS = {"run": ("requirements.txt",), "dev": ("requirements.txt", "requirements-dev.txt")}
# Debian's package for each program. The tests of rendered files ask the real checkers, and a browser walks the site.
PROGRAMS = {
    "checkers": {
        "keepalived": "keepalived",
        "iptables-restore": "iptables",
        "ipvsadm": "ipvsadm",
        "ip": "iproute2",
        "nft": "nftables",
    },
    "browser": {"chromium": "chromium"},
    # Tests and the benchmark start one of their own, on the loopback with keys of its own.
    "ssh": {"ssh": "openssh-client", "sshd": "openssh-server"},
}
# What a browser's driver links to and no package of Python's brings along.
LIBRARIES = {"browser": {"libatomic.so.1": "libatomic1"}}
# FTP servers that judge the lines which lbftp says for them. Debian lets only one be installed, and starts it; so these
# are unpacked into a folder of their own, where they do nothing until a test starts them.
# firewalld would take the machine's own firewall; here it gets a namespace.
_FIREWALLD = (
    "firewalld", "python3-firewall", "python3-nftables", "python3-dbus", "python3-gi", "python3-cap-ng",
    "gir1.2-glib-2.0", "dbus-daemon",
)  # fmt: skip
# PostgreSQL would be started as well.
UNPACKED = {
    "checkers": (
        "proftpd-core", "proftpd-mod-crypto", "pure-ftpd", "pure-ftpd-common", "vsftpd", *_FIREWALLD, "postgresql",
    ),
}  # fmt: skip
UNPACK_INTO = ROOT / ".checkers"
ADMIN_PATH = "/usr/sbin:/sbin:/usr/local/sbin"


class BootstrapError(RuntimeError):
    """Something cannot be installed; the text says what to do."""


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="ops/bootstrap.py", description="Install what lbftp needs, once.")
    parser.add_argument("level", choices=sorted(REQUIREMENTS), help="run: the site and the demo; dev: tests and checks")
    parser.add_argument("--programs", action="append", default=[], choices=sorted(PROGRAMS), help="Debian packages too")
    arguments = parser.parse_args(argv)
    try:
        with _locked():
            ensure_programs(arguments.programs)
            ensure_unpacked(arguments.programs)
            ensure_venv(arguments.level)
    except BootstrapError as error:
        print(f"lbftp: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        _say("interrupted while installing; the next call begins again where it has to")
        return 130
    return 0


def ensure_venv(level: str) -> None:
    """`.venv` holds the level's requirements. Without a stamp (half made) it is made from nothing."""
    wanted = {name: _digest(ROOT / name) for name in REQUIREMENTS[level]}
    have = _stamp()
    if all(have.get(name) == digest for name, digest in wanted.items()) and have.get("python") == _venv_python():
        return
    if have.get("python") != _venv_python():
        _make_venv()
        have = {}
    _say(f"installing {REQUIREMENTS[level][-1]} into .venv")
    STAMP.unlink(missing_ok=True)
    _pip("install", "--quiet", "--requirement", str(ROOT / REQUIREMENTS[level][-1]))
    _pip("check")
    _write_stamp(have | wanted | {"python": _venv_python()})


def ensure_programs(groups: list[str]) -> None:
    """Every program of the groups can be found, by Debian's packages if need be."""
    wanted = {program: package for group in groups for program, package in PROGRAMS[group].items()}
    path = os.pathsep.join([os.environ.get("PATH", "/usr/bin:/bin"), ADMIN_PATH])
    libraries = {name: package for group in groups for name, package in LIBRARIES.get(group, {}).items()}
    missing = {package for program, package in wanted.items() if shutil.which(program, path=path) is None}
    missing |= {package for name, package in libraries.items() if not _linkable(name)}
    if missing:
        apt_install(sorted(missing))


def _linkable(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def ensure_unpacked(groups: list[str]) -> None:
    """Every unpacked package of the groups is in its folder, with the libraries that the machine does not have."""
    packages = sorted({package for group in groups for package in UNPACKED.get(group, ())})
    stamp = UNPACK_INTO / "packages"
    if not packages or (stamp.exists() and stamp.read_text().split() == packages):
        return
    _need_apt(packages)
    _say(f"unpacking Debian packages: {' '.join(packages)}")
    try:
        _unpack(packages)
    except BootstrapError:  # apt's lists are missing, or older than what is there
        _call([*_root("apt-get update"), "apt-get", "-q", "update"], may_fail=True)
        _unpack(packages)
    stamp.write_text("\n".join(packages) + "\n")


def _unpack(packages: list[str]) -> None:
    shutil.rmtree(UNPACK_INTO, ignore_errors=True)
    downloads = UNPACK_INTO / "downloads"
    downloads.mkdir(parents=True)
    _call(["apt-get", "-q", "download", *packages, *_missing_parts(packages)], cwd=downloads)
    for archive in sorted(downloads.glob("*.deb")):
        _call(["dpkg-deb", "--extract", str(archive), str(UNPACK_INTO)])
    shutil.rmtree(downloads)


def _missing_parts(packages: list[str]) -> list[str]:
    """What `packages` and what they need link to, and the server that `postgresql` stands for, unless installed."""
    missing: set[str] = set()
    newest = set(packages)
    while newest:
        listed = _call(["apt-cache", "depends", *sorted(newest)])
        wanted = set(re.findall(r"^[ |]*(?:Pre)?Depends: (lib\S+|postgresql-\d+)$", listed, re.MULTILINE))
        newest = {name for name in wanted - missing if not _installed(name)}
        missing |= newest
    return sorted(missing)


def _installed(package: str) -> bool:
    query = ["dpkg-query", "--show", "--showformat", "${db:Status-Status}", package]
    done = subprocess.run(query, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return done.stdout.startswith("installed")


def apt_install(packages: list[str]) -> None:
    """Install Debian packages. Raises BootstrapError where that takes rights we have not."""
    _need_apt(packages)
    prefix = _root(f"apt-get install {' '.join(packages)}")
    _say(f"installing Debian packages: {' '.join(packages)}")
    apt = [*prefix, "apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=600"]
    # An interrupted installation leaves packages half configured, and apt refuses to go on until that is mended.
    _call([*prefix, "dpkg", "--configure", "-a"], may_fail=True)
    _call([*apt, "update"], may_fail=True)
    _call([*apt, "install", "--no-install-recommends", *packages])


def _need_apt(packages: list[str]) -> None:
    if shutil.which("apt-get") is None:
        raise BootstrapError(f"missing programs; install your system's packages for: {' '.join(packages)}")


def _root(command: str) -> list[str]:
    """What to put before a command that takes root's rights."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        raise BootstrapError(f"missing Debian packages: run as root: {command}")
    return ["sudo", "--non-interactive", "DEBIAN_FRONTEND=noninteractive"]


def _make_venv() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036  # the machine's own Python may be anything
        raise BootstrapError(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}: set PYTHON=…")
    _say(f"making .venv with Python {sys.version.split()[0]}")
    try:
        import ensurepip  # noqa: F401  # Debian puts it into a package of its own
    except ImportError:
        apt_install([f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"])
    _call([sys.executable, "-m", "venv", "--clear", str(VENV)])


def _venv_python() -> str:
    """Which interpreter `.venv` was made with ('' if there is none): an upgraded one needs a new environment."""
    config = VENV / "pyvenv.cfg"
    if not config.exists() or not (VENV / "bin" / "python").exists():
        return ""
    lines = dict(line.split(" = ", 1) for line in config.read_text().splitlines() if " = " in line)
    return f"{lines.get('version', '')} in {VENV}"


def _stamp() -> dict[str, str]:
    try:
        loaded = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return loaded if isinstance(loaded, dict) else {}


def _write_stamp(value: dict[str, str]) -> None:
    temporary = STAMP.with_suffix(".new")
    temporary.write_text(json.dumps(value, indent=1))
    temporary.rename(STAMP)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _pip(*arguments: str) -> None:
    _call([str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", *arguments])


def _call(argv: list[str], *, may_fail: bool = False, cwd: Path | None = None) -> str:
    """Run quietly, give what it wrote; on failure show the end of what it said."""
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    quiet = subprocess.DEVNULL
    done = subprocess.run(argv, env=env, stdin=quiet, capture_output=True, text=True, check=False, cwd=cwd)
    if done.returncode and not may_fail:
        raise BootstrapError(f"{' '.join(argv[:6])} … failed:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout


def _say(text: str) -> None:
    print(f"lbftp: {text}", file=sys.stderr, flush=True)


@contextmanager
def _locked() -> Iterator[None]:
    """One at a time in this checkout; a killed holder's lock is free at once."""
    with (ROOT / ".bootstrap.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
