"""What stands for a row in an address: digits that every database takes for a number."""

from __future__ import annotations

from django.urls import register_converter


class RowId:
    """18 digits fit into every column of 8 bytes; a longer number names no row, so there is no such page."""

    regex = "[0-9]{1,18}"

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)


def register() -> None:
    register_converter(RowId, "id")
