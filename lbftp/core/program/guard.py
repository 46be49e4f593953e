"""The router's own guard: it puts back a change that nobody confirmed in time, without manager and network.

Before the first change a checkpoint is armed with so many seconds. While they run, a watcher on the router waits; when
they are over, or when the router boots meanwhile, it runs the checkpoint's `restore` until that succeeds. Time is the
router's uptime, so that a wrong clock changes nothing (proc(5), /proc/uptime). Confirming, extending and putting back
take the same lock (flock(1)), so that one of them wins and the others see it. Its files: see `lbftp.core.ours`.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Final

from lbftp.core.ours import (
    CHECKPOINTS,
    GUARD,
    GUARD_UNIT_FILE,
    HOME,
    JOURNAL_TAG,
    OWNED,
    OWNER,
    ROLL_BACK,
    WANTS,
    WATCH_UNIT,
    checked_name,
)
from lbftp.core.program import roll_back
from lbftp.core.program.shell import argv, program

# An owner who has not been heard of for so long, and has nothing armed, is gone.
STALE_SECONDS: Final = 900
# Exit codes: the guard has put it back already; somebody else works on this router.
PUT_BACK: Final = 4
TAKEN: Final = 5


_WATCH: Final = f"""#!/bin/sh
# {OWNED} file: the guard of a change that was not confirmed yet. `watch now` puts it back at once.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH
cd {GUARD} || exit 1
say() {{ echo "$1"; logger -t {JOURNAL_TAG} -- "$1" 2>/dev/null || :; }}
# Once a second, so without a process of its own.
early() {{ read -r now _ </proc/uptime && read -r end <deadline && [ "${{now%%.*}}" -lt "$end" ]; }}
if [ "${{1:-}}" != now ]; then
  while [ -e armed ] && early; do sleep 1; done
fi
exec 9>lock
tries=0
while [ -e armed ]; do
  flock 9
  [ -e armed ] || exit 0
  name=$(cat armed)
  say "guard: $name was not confirmed in time, putting back what was there"
  if sh "{CHECKPOINTS}/$name/restore" >restored.log 2>&1; then
    mv armed restored && rm -f {OWNER}
    say "guard: what was there before $name is back"
    exit 0
  fi
  say "guard: $name cannot be put back yet, trying again: $(tail -n 1 restored.log)"
  flock -u 9
  tries=$((tries + 1))
  [ "$tries" -lt 60 ] || {{ say "guard: giving up on $name, run {CHECKPOINTS}/$name/restore"; exit 1; }}
  sleep 5
done
"""

_BOOT: Final = f"""# {OWNED} file: a change that was not confirmed before a boot is put back after it.
[Unit]
Description=Put back what lbftp changed and nobody confirmed
ConditionPathExists={GUARD}/armed
After=systemd-modules-load.service systemd-sysctl.service netfilter-persistent.service iptables.service
After=ip6tables.service nftables.service keepalived.service

[Service]
Type=oneshot
ExecStart=/bin/sh {GUARD}/watch now

[Install]
WantedBy=multi-user.target
"""

_LIBRARY: Final = f"""
guard={GUARD}
seconds() {{ read -r now _ </proc/uptime; echo "${{now%%.*}}"; }}
locked() {{ exec 9>"$guard/lock" && flock -w 60 9; }}

# take OWNER RUN: this router is ours alone until the run ends. What another run of ours left is no obstacle, unless
# its guard waits: our own database says which of our runs may work here.
take() {{
  mkdir -p "$guard" && chmod 0700 {HOME} && locked || return 1
  boot=$(cat /proc/sys/kernel/random/boot_id)
  if [ -e {OWNER} ]; then
    read -r owner run then since <{OWNER}
    age=$(($(seconds) - ${{since:-0}}))
    alive=
    if [ -e "$guard/armed" ] || {{ [ "$owner" != "$1" ] && [ "$age" -lt {STALE_SECONDS} ]; }}; then alive=yes; fi
    if [ "$owner $run" != "$1 $2" ] && [ "$then" = "$boot" ] && [ "$alive" = yes ]; then
      echo "$owner (run $run) has been working on this router for $age s: wait until it is done"
      return {TAKEN}
    fi
  fi
  printf '%s %s %s %s\\n' "$1" "$2" "$boot" "$(seconds)" >{OWNER}.new && mv -f {OWNER}.new {OWNER}
}}

# mine OWNER RUN: still ours.
mine() {{
  if [ -e {OWNER} ]; then read -r owner run _ <{OWNER}; else owner= run=; fi
  [ "$owner $run" = "$1 $2" ] && return 0
  echo "this router is no longer held by run $2${{owner:+, but by $owner (run $run)}}"
  return {TAKEN}
}}

# give_up OWNER RUN: nothing was begun here.
give_up() {{
  locked || return 1
  if mine "$1" "$2" >/dev/null && [ ! -e "$guard/armed" ]; then rm -f {OWNER}; fi
}}

# arm NAME SECONDS
arm() {{
  locked || return 1
  rm -f "$guard/restored"
  echo $(($(seconds) + $2)) >"$guard/deadline" && echo "$1" >"$guard/armed.new" &&
    mv -f "$guard/armed.new" "$guard/armed" && sync -f "$guard" || return 1
  exec 9>&-
  if [ -d /run/systemd/system ]; then
    systemctl stop -q {WATCH_UNIT}.service 2>/dev/null
    systemd-run -q --collect --unit={WATCH_UNIT} /bin/sh "$guard/watch"
  else
    setsid /bin/sh "$guard/watch" >/dev/null 2>&1 </dev/null &
  fi
}}

# extend NAME SECONDS
extend() {{
  locked || return 1
  armed "$1" || return {PUT_BACK}
  echo $(($(seconds) + $2)) >"$guard/deadline.new" && mv -f "$guard/deadline.new" "$guard/deadline"
}}

armed() {{
  if [ -e {CHECKPOINTS}/"$1"/restored ]; then
    echo "what was there before $1 has been put back on this router"
    return 1
  fi
  if [ "$(cat "$guard/armed" 2>/dev/null)" = "$1" ]; then return 0; fi
  if [ "$(cat "$guard/restored" 2>/dev/null)" = "$1" ]; then
    echo "the guard of this router has put back what was there before: it waited no longer"
  else
    echo "no guard is armed for $1 on this router"
  fi
  return 1
}}

# confirm NAME: the change stays. A second time is the same as once.
confirm() {{
  locked || return 1
  if [ "$(cat "$guard/restored" 2>/dev/null)" = "$1" ] || [ -e {CHECKPOINTS}/"$1"/restored ]; then
    armed "$1"
    return {PUT_BACK}
  fi
  if [ "$(cat "$guard/armed" 2>/dev/null)" = "$1" ]; then
    touch {CHECKPOINTS}/"$1"/confirmed 2>/dev/null || :
    rm -f "$guard/armed"; sync -f "$guard"
  fi
  rm -f {OWNER}
  exec 9>&-
  if [ -d /run/systemd/system ]; then systemctl stop -q {WATCH_UNIT}.service 2>/dev/null; fi
  logger -t {JOURNAL_TAG} -- "guard: $1 is confirmed" 2>/dev/null || :
}}

# put_back NAME: at once, and only once. Where there is no such checkpoint nothing was begun.
put_back() {{
  if [ ! -e {CHECKPOINTS}/"$1"/restore ]; then
    # The disk may have been too full for a way back: the router was ours nevertheless.
    if read -r _ run _ <{OWNER} && [ "${{1#run-"$run"-}}" != "$1" ]; then rm -f {OWNER}; fi 2>/dev/null
    echo "nothing was changed here"
    return 0
  fi
  if [ "$(cat "$guard/restored" 2>/dev/null)" = "$1" ]; then echo "put back already"; return 0; fi
  if [ ! -e "$guard/armed" ]; then sh {CHECKPOINTS}/"$1"/restore && rm -f {OWNER}; return; fi
  [ "$(cat "$guard/armed")" = "$1" ] || {{ armed "$1"; return 1; }}
  /bin/sh "$guard/watch" now && [ ! -e "$guard/armed" ]
}}
"""


@dataclass(frozen=True, slots=True)
class Hold:
    """Who changes a router and until when: the manager's name, the run, its checkpoint there, seconds of the guard."""

    owner: str
    run: str
    checkpoint: str
    seconds: int

    def __post_init__(self) -> None:
        for word in (self.owner, self.run, self.checkpoint):
            checked_name(word)


@dataclass(frozen=True, slots=True)
class GuardState:
    """What a router says of its guard. `armed` and `restored` are checkpoints' names, '' for none; `left` seconds."""

    armed: str
    left: int
    restored: str
    owner: str


def take(hold: Hold) -> str:
    """The body of the step that makes the router ours."""
    return f"{_LIBRARY}\n{argv('take', hold.owner, hold.run)}"


def arm(hold: Hold) -> str:
    """The body of the step that starts the guard. What a boot needs is there before anything is armed."""
    return f"""{_LIBRARY}
{argv("put", f"{GUARD}/watch", _WATCH, "0700")} &&
  {argv("put", ROLL_BACK, roll_back.PROGRAM, "0700")} || return 1
if [ -d /run/systemd/system ]; then
  [ "$(cat {GUARD_UNIT_FILE} 2>/dev/null)" = {shlex.quote(_BOOT.rstrip())} ] ||
    {argv("put", GUARD_UNIT_FILE, _BOOT)} || return 1
  mkdir -p {WANTS} && ln -sf {GUARD_UNIT_FILE} {WANTS}/ || return 1
fi
{argv("arm", hold.checkpoint, hold.seconds)}"""


def held(hold: Hold) -> str:
    """Shell lines that come first in a program of steps: each step runs only while the router is ours and its guard
    waits, and the guard waits until the step is through."""
    return f"""{_LIBRARY}
free() {{ {argv("mine", hold.owner, hold.run)} && locked && {argv("armed", hold.checkpoint)}; }}
release() {{ exec 9>&-; }}
"""


def give_up(hold: Hold, token: str) -> str:
    """The program that lets go of a router on which nothing was begun."""
    return program({"lock": f"{_LIBRARY}\n{argv('give_up', hold.owner, hold.run)}"}, token)


def owned(hold: Hold) -> str:
    """Shell lines that come first: each step runs only while the router is ours."""
    return f"{_LIBRARY}\nfree() {{ {argv('mine', hold.owner, hold.run)}; }}\n"


def confirm(hold: Hold, token: str) -> str:
    """The program that keeps the change on this router."""
    return program({"confirm": f"{_LIBRARY}\n{argv('confirm', hold.checkpoint)}"}, token)


def extend(hold: Hold, token: str) -> str:
    """The program that lets the guard start anew with its seconds."""
    return program({"extend": f"{_LIBRARY}\n{argv('extend', hold.checkpoint, hold.seconds)}"}, token)


def put_back(checkpoint: str, token: str) -> str:
    """The program that puts back a checkpoint now, with the guard's own restore. Twice is the same as once."""
    command = argv("put_back", checked_name(checkpoint))
    return program({"restore": f"{_LIBRARY}\n{command}"}, token)


STATUS: Final = f"""
guard={GUARD}
read -r now _ </proc/uptime
deadline=$(cat "$guard/deadline" 2>/dev/null || echo 0)
printf 'armed %s\\n' "$(cat "$guard/armed" 2>/dev/null)"
printf 'left %s\\n' "$((deadline - ${{now%%.*}}))"
printf 'restored %s\\n' "$(cat "$guard/restored" 2>/dev/null)"
printf 'owner %s\\n' "$(cat {OWNER} 2>/dev/null)"
"""


def state(text: str) -> GuardState:
    """What STATUS printed."""
    values = dict(line.partition(" ")[::2] for line in text.splitlines())
    left = values.get("left", "0")
    seconds = int(left) if re.fullmatch(r"-?[0-9]{1,12}", left) else 0
    armed = values.get("armed", "").strip()
    return GuardState(
        armed, max(0, seconds) if armed else 0, values.get("restored", "").strip(), values.get("owner", "")
    )
