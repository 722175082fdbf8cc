"""Rows of the work buffer, handed out in order; a row is W doubles, one for each lane."""

from __future__ import annotations

from collections.abc import Iterable


class Rows:
    """Names rows in the order in which they are asked for and writes them as module constants."""

    def __init__(self) -> None:
        self.count = 0
        self.lines: list[str] = []

    def block(self, title: str, names: Iterable[str], start: str | None = None, doc: str = "") -> None:
        """One row for each name; `start` names the first row of the block (also of an empty one)."""
        if start is not None:
            self.lines.append(f"{start} = {self.count} * W  # {doc or title}")
        for name in names:
            self.lines.append(f"{name} = {self.count} * W")
            self.count += 1

    def space(self, name: str, rows: int, doc: str) -> None:
        """`rows` rows under one name."""
        self.lines.append(f"{name} = {self.count} * W  # {rows} rows: {doc}")
        self.count += rows
