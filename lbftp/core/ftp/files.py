"""Which file a running daemon reads, and what its configuration comes to, whichever daemon it
is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lbftp.core.ftp.daemons import named
from lbftp.core.ftp.server import FtpServer


def main_file(daemon: str, command: Sequence[str], files: Mapping[str, str]) -> str:
    """The file, or the folder of option files, that a daemon with this command line reads; '' if
    that is not among `files`. What the command line names comes before what the packages
    install."""
    for word in command[1:]:
        if word in files:
            return word

    known = named(daemon)
    if known.option_folder and any(path.rpartition("/")[0] == known.option_folder for path in files):
        return known.option_folder
    return next((path for path in known.main_files if path in files), "")


def servers(daemon: str, config: str, files: Mapping[str, str]) -> tuple[FtpServer, ...]:
    """What a daemon's configuration comes to. Raises ObserveError where the daemon would not
    start with it.
    """
    return named(daemon).read(config, files)
