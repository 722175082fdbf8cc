"""Tables of text, for every module that prints one."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines, the first of which is the heads: the first column to the left, the others to the right, the last
    free of padding. A column whose entries are all empty is left out.
    """
    used = [c for c in range(len(rows[0])) if c == 0 or any(row[c] for row in rows[1:])]
    rows = [[row[c] for c in used] for row in rows]
    widths = [max(len(row[c]) for row in rows) for c in range(len(rows[0]))]
    lines = []
    for row in rows:
        rest = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        cells = [row[0].ljust(widths[0]), *rest]
        lines.append(("  " + "  ".join(cells)).rstrip())
    return lines
