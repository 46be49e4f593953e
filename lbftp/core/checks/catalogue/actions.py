"""What stands in the way of something that a person asked for: a value, a drill, maintenance, a
rollback, settings of FTP servers. Each says what is the matter."""

from __future__ import annotations

from typing import Final

from lbftp.core.checks.catalogue.entry import Entry

ACTIONS: Final = (
    Entry("LBF001", "error", "A field of a form or command has a value that is not accepted."),
    Entry("LBF002", "error", "No plan was made: its run failed, and says why."),
    Entry("LBF021", "error", "Before a drill: an error is found on the pair, so no router can stand in."),
    Entry("LBF022", "error", "Before a restart drill: rules of others run and are saved nowhere."),
    Entry("LBF023", "warning", "Likewise, and they are put back as they ran."),
    Entry("LBF024", "warning", "Likewise, and they may go."),
    Entry(
        "LBF025",
        "info",
        "Before a failover drill: what becomes of sessions that go on (warning: they are lost).",
        otherwise="warning",
    ),
    Entry("LBF026", "error", "For maintenance: the router is not one of a pair."),
    Entry("LBF027", "error", "For maintenance: an error is found on the router that would serve alone."),
    Entry(
        "LBF028",
        "warning",
        "FTP server settings: a daemon's key cannot be set from here (error: nothing else would be set).",
        otherwise="error",
    ),
    Entry("LBF029", "error", "Before a failover drill: nobody makes sessions, there is no probe host."),
    Entry(
        "LBF030",
        "warning",
        "FTP server settings: the account is not root on a server (error: nothing else would be set).",
        otherwise="error",
    ),
    Entry("LBF080", "error", "For a rollback: something was changed by somebody since."),
    Entry("LBF081", "error", "For a rollback: another cluster changed a shared file since."),
    Entry("LBF082", "error", "For a rollback: the checkpoint is not on the router any more."),
    Entry("LBF083", "error", "For a rollback: the checkpoint is no way back, or was restored already."),
    Entry("LBF084", "info", "For a rollback: the run changed nothing on this router."),
    Entry("LBF085", "info", "For a rollback: something stays, since what remains on the router needs it."),
    Entry("LBF086", "error", "For a rollback: a step has no way back, or routers are others than then."),
)
