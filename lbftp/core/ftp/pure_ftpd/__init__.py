"""Pure-FTPd."""

from __future__ import annotations

from typing import Final

from lbftp.core.ftp.daemon import Daemon
from lbftp.core.ftp.pure_ftpd.lines import snippet
from lbftp.core.ftp.pure_ftpd.read import OPTIONS, servers
from lbftp.core.ftp.pure_ftpd.settings import SETTINGS
from lbftp.core.ftp.pure_ftpd.words import WORDS

DAEMON: Final = Daemon(
    name="pure-ftpd",
    title="Pure-FTPd",
    main_files=("/etc/pure-ftpd/pure-ftpd.conf", "/etc/pure-ftpd.conf"),
    option_folder=OPTIONS,
    found_by=(f"find /etc/pure-ftpd.conf /etc/pure-ftpd/pure-ftpd.conf {OPTIONS} -type f -size -512k",),
    read=servers,
    lines=snippet,
    settings=SETTINGS,
    words=WORDS,
)
