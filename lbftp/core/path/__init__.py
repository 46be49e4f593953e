"""Why a mode of FTP works or fails: what is really there -> the way of the packets, and where it stops."""

from __future__ import annotations

from lbftp.core.path.case import CaseError, state_from_case
from lbftp.core.path.explain import Explanation, explain, label
from lbftp.core.path.hops import Hop, Outcome, Prediction
from lbftp.core.path.known import state_from_observed, state_from_spec
from lbftp.core.path.rules import Filter, Ports
from lbftp.core.path.state import State, Texts
from lbftp.core.path.walk import predict, predict_mode
from lbftp.core.promise import MODES, MODES_IPV6, Client, Mode

__all__ = [
    "MODES", "MODES_IPV6", "CaseError", "Client", "Explanation", "Filter", "Hop", "Mode", "Outcome", "Ports",
    "Prediction", "State", "Texts", "explain", "label", "predict", "predict_mode", "state_from_case",
    "state_from_observed", "state_from_spec",
]  # fmt: skip
