"""What the demonstration says: PASS or FAIL for each step, and what happens meanwhile, indented."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO


class StepFailedError(Exception):
    """A step that others build on has failed; it has been reported already."""


@dataclass(slots=True)
class Report:
    """Collects what passed and failed. Times are seconds since the demonstration began."""

    out: TextIO = field(default_factory=lambda: sys.stdout)
    began: float = field(default_factory=time.monotonic)
    passed: int = 0
    failed: list[str] = field(default_factory=list)

    def title(self, text: str) -> None:
        self._print(f"\n{text}")

    def say(self, text: str) -> None:
        """A line of what is going on; several lines are indented alike."""
        for line in text.splitlines() or [""]:
            self._print(f"     {line}")

    def expect(self, good: bool, text: str, why: str = "") -> bool:
        """One verdict. `why` is shown when it failed."""
        stamp = f"{time.monotonic() - self.began:6.1f} s"
        if good:
            self.passed += 1
            self._print(f"PASS {stamp}  {text}")
        else:
            self.failed.append(text)
            self._print(f"FAIL {stamp}  {text}")
            self.say(why)
        return good

    def require(self, good: bool, text: str, why: str = "") -> None:
        """A verdict without which going on makes no sense."""
        if not self.expect(good, text, why):
            raise StepFailedError(text)

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """An exception inside is the step's failure; nothing is printed when it goes well."""
        try:
            yield
        except (StepFailedError, KeyboardInterrupt):
            raise
        except Exception as error:
            self.expect(False, text, f"{type(error).__name__}: {error}")
            raise StepFailedError(text) from error

    def summary(self) -> int:
        """The last line; 0 if everything passed."""
        seconds = time.monotonic() - self.began
        self._print(f"\n{self.passed} passed, {len(self.failed)} failed in {seconds:.0f} s")
        for text in self.failed:
            self._print(f"  failed: {text}")
        return 1 if self.failed or not self.passed else 0

    def _print(self, line: str) -> None:
        print(line, file=self.out, flush=True)
