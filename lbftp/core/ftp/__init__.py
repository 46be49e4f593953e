"""FTP servers: what they are asked for, how their settings are read, written and judged, and what
is found on them.

A daemon is a folder (`vsftpd`, `proftpd`, `pure_ftpd`) and a line in `daemons`; the rest here knows
none by its name.
"""
