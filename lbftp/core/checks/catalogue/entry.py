"""One entry of the catalogue of findings and problems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lbftp.core.problem import Severity

REAPPLY: Final = "Re-apply the cluster."


@dataclass(frozen=True, slots=True)
class Entry:
    """What a code means. Codes never change their meaning, and those that went away are not given
    to others.

    `says` is the code's sentence in the documents. `sentence` and `remedy` are what people are
    told, with fields in braces; '' where the rule that finds it makes them. `otherwise` is the
    severity that the code has in the case that `says` names, None if there is no such case.
    `repairable`: re-applying the cluster puts it right.
    """

    code: str
    severity: Severity
    says: str
    sentence: str = ""
    remedy: str = ""
    otherwise: Severity | None = None
    repairable: bool = False
