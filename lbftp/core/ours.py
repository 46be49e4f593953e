"""What is ours on a router and on an FTP server: every folder, file, chain, table, unit and mark,
in this one place.

Readers look for these names, renderers and programs write them, a roll back takes them away again,
and pages tell people of them. No other file spells one of them: who changes one here changes it
everywhere.

What the folder of ours on a router holds (HOME):

    owner                     who works on this router now: MANAGER RUN BOOT UPTIME
    guard/armed               the checkpoint's name while it waits for its confirmation
    guard/deadline            seconds of uptime
    guard/restored            the name of the last checkpoint that was restored
    guard/lock  guard/watch   the lock of all that decide over a guard, and the watcher's program
    checkpoints/NAME/         number, restore, record, digests and copies; when it is over also
                              `confirmed` or `restored`
    running/                  the rules as they ran before a drill
    roll-back                 the program by which a person goes back on the console
"""

from __future__ import annotations

import re
from typing import Final

HOME: Final = "/var/lib/lbftp"

OWNER: Final = f"{HOME}/owner"
GUARD: Final = f"{HOME}/guard"
ROLL_BACK: Final = f"{HOME}/roll-back"
RUNNING_RULES: Final = f"{HOME}/running"

CHECKPOINTS: Final = f"{HOME}/checkpoints"
CHECKPOINTS_KEPT: Final = 20

# On an FTP server's own machine: a folder for each time that its settings were changed, and the
# lock of those programs.
SERVERS: Final = f"{HOME}/servers"
SERVERS_KEPT: Final = 20
SERVERS_LOCK: Final = "/run/lbftp-servers.lock"

# systemd. The watcher is a transient unit, so it has no file.
_UNITS: Final = "/etc/systemd/system"
GUARD_UNIT: Final = "lbftp-guard.service"
GUARD_UNIT_FILE: Final = f"{_UNITS}/{GUARD_UNIT}"
WATCH_UNIT: Final = "lbftp-guard-watch"
# What `systemctl enable` makes, without its reload of all units: the next boot is soon enough.
WANTS: Final = f"{_UNITS}/multi-user.target.wants"
# While this file is there, keepalived starts neither at boot nor by mistake (systemd.unit(5),
# ConditionPathExists).
MAINTENANCE_FILE: Final = f"{_UNITS}/keepalived.service.d/lbftp-maintenance.conf"

# keepalived: the folder of our files, the line by which its main file reads them, and where new
# ones are tested.
INCLUDE_DIR_NAME: Final = "lbftp.d"
INCLUDE_DIR: Final = f"/etc/keepalived/{INCLUDE_DIR_NAME}"
INCLUDE_LINE: Final = f"include {INCLUDE_DIR}/*.conf"
KEEPALIVED_TRIAL: Final = "/etc/keepalived/.lbftp-check"

# The kernel's module of FTP, its options, and forwarding: for all clusters of the router.
MODULE_FILE: Final = "/etc/modules-load.d/ip_vs_ftp.conf"
MODPROBE_FILE: Final = "/etc/modprobe.d/lbftp.conf"
SYSCTL_FILE: Final = "/etc/sysctl.d/90-lbftp.conf"

# Chains of iptables and tables of nftables begin with these; the cluster's name follows.
CHAIN_PREFIX: Final = "LBFTP-"
TABLE_PREFIX: Final = "lbftp-"

# A new file beside the old one has this name and six more characters, until it is renamed into
# place.
NEW_FILE: Final = ".lbftp."
# By this word a line of our programs' output marks where a step begins or ends.
STEP_MARK: Final = "@lbftp"
# `journalctl -t` with this word shows what our programs on the machine said.
JOURNAL_TAG: Final = "lbftp"
# The first words of a file that is ours alone.
OWNED: Final = "lbftp owns this"

# What a health check gives as its password where no account is known: an address, as anonymous FTP
# asks (RFC 1635).
ANONYMOUS_ADDRESS: Final = "lbftp@localhost"

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]{0,199}")
_LONGEST_NAME: Final = 100


def checked_name(name: str, longest: int = _LONGEST_NAME) -> str:
    """`name` of a manager, run, checkpoint or folder, which may stand in a program unquoted.
    ValueError for another.
    """
    if len(name) > longest or not _NAME.fullmatch(name):
        raise ValueError(f"{name[:40]!r} is not a name")
    return name


def restore_command(checkpoint: str) -> str:
    """What a person runs as root on a router to go back to before a checkpoint."""
    return f"sh {CHECKPOINTS}/{checkpoint}/restore"


def servers_restore_command(folder: str) -> str:
    """The same on an FTP server, for the folder of one change of its settings."""
    return f"sh {SERVERS}/{folder}/restore"


def check_account(cluster: str) -> str:
    """The file with the account of the cluster's health check, which the router's administrator
    may make.
    """
    return f"/etc/lbftp/check-{cluster}"


def public_instance(cluster: str) -> str:
    """The VRRP instance that moves the cluster's VIP."""
    return f"lbftp_{cluster}_public"


def sync_group(group: str) -> str:
    """The VRRP sync group of the clusters that move together."""
    return f"lbftp_{group}"


def internal_instance(group: str) -> str:
    """The VRRP instance that moves the internal floating address of a sync group."""
    return f"{sync_group(group)}_internal"


def server_sysctl_file(cluster: str) -> str:
    """On a real server that has the VIP itself."""
    return f"/etc/sysctl.d/lbftp-{cluster}.conf"


def server_module_file(cluster: str) -> str:
    """On a real server that takes tunnelled packets."""
    return f"/etc/modules-load.d/lbftp-{cluster}.conf"


def server_unit(cluster: str) -> str:
    """The unit that gives a real server the VIP."""
    return f"lbftp-{cluster}-vip.service"


def server_unit_file(cluster: str) -> str:
    return f"{_UNITS}/{server_unit(cluster)}"


def probe_upload(run: int) -> str:
    """The file that the sessions of a run upload to the FTP servers, and delete."""
    return f"lbftp-probe-{run}"


def traffic_stop(token: str) -> str:
    """The file on a probe host that ends the sessions of a drill. Nobody can guess `token`."""
    return f"/tmp/lbftp-{token}.stop"  # noqa: S108 - a name that nobody can guess
