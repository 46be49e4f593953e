"""What people and workers do with changes and runs.

requests.py: proposing, planning again · rollbacks.py: proposing to go back · servers.py: proposing to set keys
 decisions.py: approving, rejecting, applying, dry runs · checks.py: verify,
comply · runs.py: starting, claiming, heartbeat · orders.py: cancelling, extending, confirming
events.py: what happened · leases.py · outcomes.py: what a run's end means · jobs.py: what a worker is handed
sweep.py: what the tick puts right
"""

from __future__ import annotations

from lbftp.changes.services.checks import comply, plan_only, verify
from lbftp.changes.services.decisions import apply_change, approve, dry_run, reject
from lbftp.changes.services.orders import cancel, confirm, extend
from lbftp.changes.services.requests import propose, replan
from lbftp.changes.services.rollbacks import roll_back
from lbftp.changes.services.servers import set_keys

__all__ = [
    "apply_change",
    "approve",
    "cancel",
    "comply",
    "confirm",
    "dry_run",
    "extend",
    "plan_only",
    "propose",
    "reject",
    "replan",
    "roll_back",
    "set_keys",
    "verify",
]
