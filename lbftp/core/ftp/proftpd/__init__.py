"""ProFTPD."""

from __future__ import annotations

from typing import Final

from lbftp.core.ftp.daemon import Daemon
from lbftp.core.ftp.proftpd.lines import snippet
from lbftp.core.ftp.proftpd.read import servers
from lbftp.core.ftp.proftpd.settings import SETTINGS
from lbftp.core.ftp.proftpd.words import WORDS

DAEMON: Final = Daemon(
    name="proftpd",
    title="ProFTPD",
    main_files=("/etc/proftpd/proftpd.conf", "/etc/proftpd.conf"),
    found_by=(
        "find -L /etc/proftpd.conf /etc/proftpd /etc/proftpd.d -type f -size -512k ! -name '*.pem' ! -name '*.dat'",
    ),
    read=servers,
    lines=snippet,
    settings=SETTINGS,
    words=WORDS,
)
