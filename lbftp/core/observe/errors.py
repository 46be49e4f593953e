"""The one error of all readers."""

from __future__ import annotations


class ObserveError(ValueError):
    """What a router answered cannot be understood; the text says which part, and shows the place."""

    def __init__(self, part: str, message: str) -> None:
        super().__init__(f"{part}: {message}")
        self.part = part
