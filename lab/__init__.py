"""The laboratory: two routers, two FTP servers and a client as virtual machines on this computer.

Standard library only. Use `lab.api` from Python and `python -m lab` from a shell.
"""
