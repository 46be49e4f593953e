"""vsftpd."""

from __future__ import annotations

from typing import Final

from lbftp.core.ftp.daemon import Daemon
from lbftp.core.ftp.vsftpd.lines import snippet
from lbftp.core.ftp.vsftpd.read import servers
from lbftp.core.ftp.vsftpd.settings import SETTINGS
from lbftp.core.ftp.vsftpd.words import WORDS

DAEMON: Final = Daemon(
    name="vsftpd",
    title="vsftpd",
    main_files=("/etc/vsftpd.conf", "/etc/vsftpd/vsftpd.conf"),
    found_by=("find /etc/vsftpd.conf /etc/vsftpd -maxdepth 1 -type f -size -512k -name '*.conf'",),
    read=servers,
    lines=snippet,
    settings=SETTINGS,
    words=WORDS,
)
