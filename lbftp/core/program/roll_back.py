"""Rolling a router back by one command on its own console: past every confirmed change down to a checkpoint.

    sh ROLL_BACK               which checkpoints there are
    sh ROLL_BACK NAME          back to what was there before NAME, the newest change first

It needs neither manager nor network. Changes of other clusters in between, and files that somebody changed since, are
refused and not overwritten; what was put back before is passed over, so that twice is the same as once.
"""

from __future__ import annotations

from typing import Final

from lbftp.core.observe.checkpoints import CHECKPOINT_STATE
from lbftp.core.ours import CHECKPOINTS, GUARD, JOURNAL_TAG, OWNED, ROLL_BACK

PROGRAM: Final = rf"""#!/bin/sh
# {OWNED} file. `sh {ROLL_BACK} NAME` puts this router back to what was there before the checkpoint NAME.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH
cd {CHECKPOINTS} || exit 1
say() {{ echo "$1"; logger -t {JOURNAL_TAG} -- "roll-back: $1" 2>/dev/null || :; }}
refuse() {{ say "$1"; exit 1; }}
digest() {{ if [ -e "$1" ]; then sum=$(sha256sum <"$1") && printf %s "${{sum%% *}}"; else printf absent; fi; }}
cluster() {{ sed -n 's/^{{"cluster": "\([^"]*\)".*/\1/p' "$1/record" 2>/dev/null; }}
{CHECKPOINT_STATE}
state() {{ checkpoint_state "$1"; echo "$state"; }}
# NUMBER NAME of every checkpoint, the newest first.
newest_first() {{
  for place in */; do
    place=${{place%/}}
    if [ -e "$place/number" ]; then printf '%s %s\n' "$(cat "$place/number")" "$place"; fi
  done | sort -rn
}}

if [ "$#" -ne 1 ] || [ ! -e "$1/number" ]; then
  newest_first | while read -r _ name; do
    echo "$(state "$name") $name (cluster $(cluster "$name"), $(date -r "$name/number" '+%Y-%m-%d %H:%M'))"
  done
  echo "usage: sh {ROLL_BACK} NAME; back to what was there before one that is «applied»"
  exit 2
fi

exec 9>{GUARD}/lock
flock -w 60 9 || refuse "somebody else works on this router: try again"
waiting=$(cat {GUARD}/armed 2>/dev/null)
if [ "$waiting" = "$1" ]; then
  exec 9>&-
  exec sh {GUARD}/watch now
fi
[ -z "$waiting" ] || refuse "$waiting waits for its confirmation: put that back first: sh {ROLL_BACK} $waiting"
[ "$(state "$1")" != restored ] || {{ say "what was there before $1 is back already"; exit 0; }}
[ "$(state "$1")" = applied ] || refuse "$1 was never confirmed: nothing has to be put back"

chosen=$(cat "$1/number") back= seen=
for name in $(newest_first | while read -r number name; do [ "$number" -lt "$chosen" ] || echo "$name"; done); do
  # One without steps was of a proof, which left nothing changed.
  [ "$(state "$name")" = applied ] && [ -s "$name/record" ] || continue
  [ "$(cluster "$name")" = "$(cluster "$1")" ] ||
    refuse "$name of cluster $(cluster "$name") changed this router later: roll that back first"
  while read -r before after path; do
    case "$seen" in *" $path "*) continue ;; esac
    seen="$seen $path "
    now=$(digest "$path")
    [ "$now" = "$after" ] || [ "$now" = "$before" ] ||
      refuse "$path was changed by somebody since $name: put that right first"
  done <"$name/digests"
  back="$back $name"
done
for name in $back; do
  say "putting back what was there before $name"
  sh "{CHECKPOINTS}/$name/restore" || refuse "$name could not be put back wholly: try again"
done
say "this router is as it was before $1"
"""
