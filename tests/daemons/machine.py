"""An FTP server's machine in namespaces of its own: /etc, /run and /var/lib of its own, a daemon, and a stand-in for
systemctl, because there is no systemd in a namespace. Somebody logs in with nsenter.

Runs as process 1 of its process namespace, so that all of it ends with it. The argument is a file with a JSON object:
`root` (where the daemons are unpacked), `folder` (ours), `files` (path -> text, below /etc), `units` (name -> start, the
command that a unit runs in the foreground, and whether it may be reloaded). Ends when its standard input does.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

# Which process belongs to a unit is told by its control group, as with systemd.
SYSTEMCTL = """#!/bin/sh
folder={folder}/units verb= unit=
for word; do
  case $word in -* | CanReload) ;; *) if [ -z "$verb" ]; then verb=$word; else unit=$word; fi ;; esac
done
alive() {{ pid=$(cat "$folder/$unit.pid" 2>/dev/null) && kill -0 "$pid" 2>/dev/null; }}
[ -e "$folder/$unit" ] || {{ echo "Unit $unit not found." >&2; exit 5; }}
echo "$verb $unit" >>{folder}/asked
case $verb in
  is-active) if alive; then echo active; else echo inactive; exit 3; fi ;;
  is-enabled) echo enabled ;;
  show) echo "CanReload=$(cat "$folder/$unit.reload")" ;;
  reload) alive && kill -HUP "$pid" ;;
  restart)
    if alive; then kill "$pid"; while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done; fi
    setsid sh "$folder/$unit" >>{folder}/said 2>&1 </dev/null &
    pid=$!
    echo "0::/system.slice/$unit" >"$folder/$unit.cgroup"
    mount --bind "$folder/$unit.cgroup" "/proc/$pid/cgroup"
    echo "$pid" >"$folder/$unit.pid" ;;
  *) exit 1 ;;
esac
"""


def main(case: dict[str, Any]) -> None:
    folder, root = Path(case["folder"]), Path(case["root"])
    for name in ("etc", "bin", "units"):
        (folder / name).mkdir()
    run("ip", "link", "set", "lo", "up")
    run("sh", "-c", f"cp -a /etc/. {folder}/etc/ 2>/dev/null || :")
    run("mount", "--bind", str(folder / "etc"), "/etc")
    for place in ("/run", "/var/lib"):
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", place)
    for place in ("/var/lib/ftp", "/var/lib/empty"):
        Path(place).mkdir()
    run("mount", "--bind", str(folder / "bin"), "/usr/local/sbin")
    programs(folder, root)
    for name, text in case["files"].items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)
    accounts()
    for unit, (start, reload) in case["units"].items():
        (folder / "units" / unit).write_text(start)
        (folder / "units" / f"{unit}.reload").write_text("yes" if reload else "no")
        run("/usr/local/sbin/systemctl", "restart", unit)
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], 0.2)[0]:
        reap()


def programs(folder: Path, root: Path) -> None:
    """The unpacked daemons by their names, with their libraries."""
    libraries = ":".join(str(p) for part in ("lib", "usr/lib") for p in (root / part).glob("*-linux-*"))
    for name in ("vsftpd", "proftpd", "pure-ftpd", "pure-ftpd-wrapper"):
        text = f'#!/bin/sh\nLD_LIBRARY_PATH={libraries} exec {root}/usr/sbin/{name} "$@"\n'
        executable(folder / "bin" / name, text)
    executable(folder / "bin" / "systemctl", SYSTEMCTL.format(folder=folder))


def accounts() -> None:
    """The account of anonymous sessions."""
    users = Path("/etc/passwd")
    kept = [line for line in users.read_text().splitlines() if not line.startswith("ftp:")]
    users.write_text("\n".join([*kept, "ftp:x:65534:65534::/var/lib/ftp:/bin/sh", ""]))


def executable(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def run(*argv: str) -> None:
    subprocess.run(argv, check=True, stdout=sys.stderr)


def reap() -> None:
    """Ended daemons are this process's children once whoever started them is gone."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
