"""The script by which keepalived logs in to a real server (MISC_CHECK, keepalived.conf(5)).

bash and nothing else, because that is what every router has. It knows no secret: an account stands in a file that only
root reads, made by the router's administrator; without that file the greeting and an answer to USER are enough.
"""

from __future__ import annotations

from typing import Final

from lbftp.core.ours import ANONYMOUS_ADDRESS, INCLUDE_DIR, check_account
from lbftp.core.render.artifact import header
from lbftp.core.spec import cluster_name

_BODY: Final = r"""
# CHECK ADDRESS PORT: 0 if the FTP server there lets the account in. Account: two lines, user and password.
account={account}
user=anonymous password={password} known=
if [ -r "$account" ]; then
  known=yes
  {{ IFS= read -r user; IFS= read -r password; }} <"$account"
fi

exec 3<>"/dev/tcp/$1/$2" || exit 1

# reply: the code of the next reply, which may have several lines (RFC 959, 4.2).
reply() {{
  local line first
  IFS= read -r line <&3 || exit 1
  first=${{line:0:3}}
  while [ "${{line:0:4}}" != "$first " ]; do IFS= read -r line <&3 || exit 1; done
  code=$first
}}
say() {{ printf '%s\r\n' "$1" >&3; reply; }}

reply
[ "$code" = 220 ] || {{ echo "greeting $code"; exit 1; }}
say "USER $user"
if [ -z "$known" ]; then
  case $code in 230|331|332|530) result=0 ;; *) result=1 ;; esac
else
  [ "$code" = 331 ] && say "PASS $password"
  [ "$code" = 230 ]; result=$?
fi
printf 'QUIT\r\n' >&3
[ "$result" = 0 ] || echo "reply $code"
exit "$result"
"""


def script_path(cluster: str) -> str:
    """Where the script lives: a folder that only root writes, which keepalived's script security asks for."""
    return f"{INCLUDE_DIR}/{cluster_name(cluster)}.check"


def script(cluster: str) -> str:
    """The script's text."""
    return "\n".join(["#!/bin/bash", *header(cluster)]) + _BODY.format(
        account=check_account(cluster_name(cluster)), password=ANONYMOUS_ADDRESS
    )
