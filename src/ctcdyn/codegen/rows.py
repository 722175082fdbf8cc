"""Rows of the work buffer, handed out in order; a row is W doubles, one for each lane."""

from __future__ import annotations

from collections.abc import Iterable

LINE = 76  # characters of names in one line


class Rows:
    """Names rows in the order in which they are asked for and writes them as module constants."""

    def __init__(self) -> None:
        self.count = 0
        self.index: dict[str, int] = {}
        self.lines: list[str] = []

    def block(self, title: str, names: Iterable[str], start: str | None = None, doc: str = "") -> None:
        """One row for each name; `start` names the first row of the block (also of an empty one)."""
        if start is not None:
            self.lines.append(f"{start} = {self.count} * W  # {doc or title}")
        line: list[str] = []
        for name in names:
            if line and len(", ".join([*line, name])) > LINE:
                self._write(line)
                line = []
            line.append(name)
        self._write(line)

    def flat(self, name: str, size: int, width: int, doc: str) -> None:
        """Room for `size` doubles next to each other, in as many whole rows as they take at `width` lanes."""
        self.lines.append(f"{name} = {self.count} * W  # {doc}")
        self.count += -(-size // width)

    def room(self, name: str, size: int, doc: str) -> None:
        """Room for `size` doubles of each lane, next to each other: lane i has those from `name + i * size` on."""
        self.lines.append(f"{name} = {self.count} * W  # {doc}")
        self.count += size

    def _write(self, names: list[str]) -> None:
        if names:
            end = self.count + len(names)
            offsets = f"range({self.count} * W, {end} * W, W)" if len(names) > 1 else f"{self.count} * W"
            self.lines.append(f"{', '.join(names)} = {offsets}")
            self.index.update((name, self.count + k) for k, name in enumerate(names))
            self.count += len(names)
