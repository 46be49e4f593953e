"""`python -m lab`: the laboratory from a shell."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from types import FrameType

from lab import api, ready
from lab.places import LabError


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 1 failed or not ready, 2 wrong use, 130 interrupted."""
    signal.signal(signal.SIGTERM, _interrupt)
    options = _parser().parse_args(argv)
    try:
        return int(options.run(options))
    except (LabError, KeyError) as error:
        print(f"lab: {error.args[0] if error.args else error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab: interrupted", file=sys.stderr)
        return 130


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab", description="Virtual routers, FTP servers and a client.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("build", help="make image and snapshots, start nothing").set_defaults(run=_build)
    commands.add_parser("up", help="start what does not run").set_defaults(run=_up)
    commands.add_parser("reset", help="bring all machines back to their first state").set_defaults(run=_reset)
    commands.add_parser("down", help="stop everything").set_defaults(run=_down)
    status = commands.add_parser("status", help="say what runs; exit 1 unless all hosts answer")
    status.add_argument("--json", action="store_true")
    status.set_defaults(run=_status)
    ssh = commands.add_parser("ssh", help="run a command on a host: ssh [USER@]HOST -- COMMAND")
    ssh.add_argument("host")
    ssh.add_argument("command", nargs="*")
    ssh.set_defaults(run=_ssh)
    return parser


def _build(_options: argparse.Namespace) -> int:
    print(ready.ensure().image)
    return 0


def _up(_options: argparse.Namespace) -> int:
    return _timed("up", api.ensure_up)


def _reset(_options: argparse.Namespace) -> int:
    return _timed("reset", api.reset)


def _timed(name: str, work: Callable[[], api.LabStatus]) -> int:
    started = time.monotonic()
    status = work()
    for complaint in status.complaints:
        print(complaint)
    print(f"lab: {name} took {time.monotonic() - started:.1f} s")
    return 0 if status.ready else 1


def _down(_options: argparse.Namespace) -> int:
    print(f"lab: ended {len(api.down())} processes")
    return 0


def _status(options: argparse.Namespace) -> int:
    status = api.status()
    if options.json:
        print(json.dumps(status.to_json(), indent=2))
    else:
        for host in status.hosts:
            addresses = " ".join(host.public_addresses[:1] + host.internal_addresses[:1])
            print(f"{host.name:7} {host.role:12} {'up' if host.up else 'DOWN':5} 127.0.0.1:{host.port}  {addresses}")
        print("\n".join(status.complaints or ["lab: ready"]))
    return 0 if status.ready else 1


def _ssh(options: argparse.Namespace) -> int:
    user, _, host = options.host.rpartition("@")
    words: list[str] = options.command
    script = None if not words else words[0] if len(words) == 1 else words
    argv = api.endpoint(host).command(user or "root", script)
    status = subprocess.run(argv, check=False).returncode
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
