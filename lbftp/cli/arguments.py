"""The sub-commands and their options."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandParser

from lbftp.cli import (
    deciding,
    files,
    importing,
    looking,
    machines,
    numbers,
    people,
    proving,
    rotation,
    schedule,
    secrets,
    why,
)
from lbftp.cli.ask import Ask

_WAIT_SECONDS = 1800


def add(parser: CommandParser) -> None:
    """Fills the parser of `manage.py lbftp`. Each sub-command sets `act`, the function that does it."""
    verbs = parser.add_subparsers(title="sub-commands", metavar="SUB-COMMAND", required=True)

    def verb(name: str, act: Callable[[Ask], int], text: str, *parents: CommandParser) -> Any:
        sub = verbs.add_parser(name, help=text, description=text, parents=[_common(), *parents])
        sub.set_defaults(act=act)
        return sub

    _add_files(verb)
    _add_changes(verb)
    _add_looks(verb)
    _add_proofs(verb)
    people.add_options(verb)
    secrets.add_options(verb)
    rotation.add_options(verb, _waiting)


def _add_files(verb: Callable[..., Any]) -> None:
    load = verb("load", files.load, "Create or edit drafts from a YAML file (one cluster, a list, or `clusters:`).")
    load.add_argument("file", help="the file; - reads standard input")
    load.add_argument("--force", action="store_true", help="also where that removes what somebody else edited")
    dump = verb("dump", files.dump, "Print a cluster's draft in the form that `load` takes.")
    dump.add_argument("cluster")
    text = "Propose clusters from what routers hold; prints them in the form that `load` takes."
    bring_in = verb("import", importing.bring_in, text, _waiting())
    bring_in.add_argument("routers", nargs="+", metavar="ROUTER", help="one router, or the two of a pair")
    bring_in.add_argument("--save", action="store_true", help="save every proposal as the draft of a new cluster")
    server = verb(
        "real-server", machines.real_server, "List real servers; with an address, add or change the named one."
    )
    server.add_argument("server", nargs="?", default="", metavar="NAME")
    server.add_argument("--address", metavar="IPV4", help="'' takes it away")
    server.add_argument("--address6", metavar="IPV6", help="'' takes it away")


def _add_changes(verb: Callable[..., Any]) -> None:
    plan = verb("plan", looking.plan, "Show what applying the draft would do now; proposes nothing.", _waiting())
    plan.add_argument("cluster")
    propose = verb("propose", deciding.propose, "Propose the draft as a change request.", _waiting())
    propose.add_argument("cluster")
    propose.add_argument("--title", default="", help="what the change is for")
    propose.add_argument("--reason", default="", help="why")
    approve = verb("approve", deciding.approve, "Approve a change's present plan; never one's own.")
    approve.add_argument("change")
    approve.add_argument("--digest", default="", help="the plan you read; refused if the change has another by now")
    approve.add_argument("--reason", default="")
    reject = verb("reject", deciding.reject, "Reject a change, with a reason.")
    reject.add_argument("change")
    reject.add_argument("--reason", default="")
    replan = verb("replan", deciding.replan, "Plan a change again from what the routers hold now.", _waiting())
    replan.add_argument("change")
    apply = verb("apply", deciding.apply, "Apply an approved change to the routers.", _waiting())
    apply.add_argument("change")
    apply.add_argument("--dry-run", action="store_true", help="stop before the first change; needs no approval")
    cancel = verb("cancel", deciding.cancel, "Cancel a run; what it changed is put back.", _waiting())
    cancel.add_argument("run")
    extend = verb("extend", deciding.extend, "Let the guards of a run start anew.")
    extend.add_argument("run")
    text = "Propose to roll the routers back to what they held before a run."
    rollback = verb("rollback", deciding.rollback, text, _waiting())
    rollback.add_argument("run")
    rollback.add_argument("--title", default="", help="what the change is for")
    rollback.add_argument("--reason", default="", help="why")
    text = "Propose to set, on real servers with SSH access, the keys that the cluster needs otherwise."
    keys = verb("ftp-servers", deciding.ftp_servers, text, _waiting())
    keys.add_argument("cluster")
    keys.add_argument("servers", nargs="*", metavar="SERVER", help="these only; else all with access")
    keys.add_argument("--title", default="", help="what the change is for")
    keys.add_argument("--reason", default="", help="why")
    text = "Confirm a run that waits for a person: its change stays."
    verb("confirm", deciding.confirm, text, _waiting()).add_argument("run")


def _add_looks(verb: Callable[..., Any]) -> None:
    verify = verb("verify", looking.verify, "Look at the routers and make FTP sessions through the VIP.", _waiting())
    verify.add_argument("cluster")
    comply = verb("comply", looking.comply, "Compare the routers with what was applied.", _waiting())
    comply.add_argument("cluster")
    comply.add_argument("--reapply", action="store_true", help="put right what differs")
    status = verb("status", looking.status, "Show clusters, open changes and runs.")
    status.add_argument("cluster", nargs="?", default="")
    live = verb("numbers", numbers.numbers, "Show a cluster's live numbers: who is master, connections, bytes, ports.")
    live.add_argument("cluster")
    why.add_options(verb("why", why.why, "Tell why each kind of FTP client works or fails: of a cluster or a case."))
    policy = verb("policy", schedule.policy, "Show or set when a cluster is looked at by itself.")
    policy.add_argument("cluster")
    policy.add_argument("--cron", help="five fields, such as '*/15 * * * *'")
    policy.add_argument("--time-zone", help="such as Europe/Berlin")
    policy.add_argument("--action", choices=["report", "reapply"])
    policy.add_argument("--enabled", action=argparse.BooleanOptionalAction)


def _add_proofs(verb: Callable[..., Any]) -> None:
    prove = verb("prove", proving.prove, "Propose a proof that disturbs the pair on purpose.", _waiting())
    maintenance = verb(
        "maintenance", proving.maintenance, "Propose to take a router out, or to bring it back.", _waiting()
    )
    proving.add_options(prove, maintenance)
    text = "Show or set when proofs and maintenance need no other's approval."
    proving.add_window_options(verb("window", proving.window, text))


def _common() -> CommandParser:
    parser = CommandParser(add_help=False)
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")
    parser.add_argument("--user", default="", metavar="NAME", help="the person who acts, with that person's rights")
    parser.add_argument("--team", default="", metavar="NAME", help="where the person is in several teams")
    return parser


def _waiting() -> CommandParser:
    parser = CommandParser(add_help=False)
    parser.add_argument("--no-wait", action="store_true", help="do not wait for the run to end")
    parser.add_argument(
        "--timeout", type=float, default=_WAIT_SECONDS, metavar="SECONDS", help="wait no longer (exit 1)"
    )
    return parser
