"""Why each FTP mode works or fails: of a cluster as its draft wants it, or of one case in a file."""

from __future__ import annotations

import json

from lbftp.cli.ask import Ask, WrongUse
from lbftp.cli.exits import DONE
from lbftp.cli.files import read
from lbftp.clusters.specs import spec_of
from lbftp.core.path import MODES, CaseError, Mode, Prediction, State, predict, state_from_case, state_from_spec

__all__ = ["MODES", "why"]


def why(ask: Ask) -> int:
    """Done when there is an answer, also when the answer is that a mode fails."""
    name, file = ask.options["cluster"], ask.options["state"]
    if bool(name) == bool(file):
        raise WrongUse("Name either a cluster or, with --state FILE, a case.")
    state = _case(file) if file else state_from_spec(spec_of(ask.cluster()))
    found = predict(state)
    wanted = [m for m in MODES if ask.options["client"] in (m, "all") and m in found]
    if not wanted:
        raise WrongUse(f"{ask.options['client'].upper()} does not exist over IPv6: ask for epsv or eprt.")
    ask.answer({m: found[m].to_json() for m in wanted}, "\n".join(_text(m, found[m]) for m in wanted))
    return DONE


def _case(name: str) -> State:
    try:
        return state_from_case(json.loads(read(name)))
    except CaseError as error:
        raise WrongUse(f"{_called(name)}: {error}.") from error
    except (ValueError, RecursionError) as error:
        raise WrongUse(f"{_called(name)} is not JSON: {error}.") from error


def _called(name: str) -> str:
    return "standard input" if name == "-" else name


def _text(mode: Mode, found: Prediction) -> str:
    lines = [f"{mode.upper()}: {found.outcome}. {found.reason}"]
    lines += [f"  {'+' if hop.outcome == 'ok' else 'X'} {hop.where}: {hop.what}" for hop in found.hops]
    return "\n".join(lines)
