"""Published figures beside what a study computes, in three lists that are never mixed.

"mathematics": the equations or a closed law of a paper come out, which says that the solver is right, nothing about a
patient. "rate": the figure set a parameter, so agreement is no evidence. "prediction": the figure was not used, and a
miss stands as it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ctcdyn.analysis import event_share, fraction, mean
from ctcdyn.model.expr import evaluate
from ctcdyn.wording import NOTICE, aligned

if TYPE_CHECKING:
    from ctcdyn.model.figures import Figure, Reading
    from ctcdyn.model.network import Network
    from ctcdyn.results import Results

LISTS = {"mathematics": "mathematics verified", "rate": "calibrated to", "prediction": "predicted"}
SAYS = {
    "mathematics": "the solver is right; nothing is said about a patient",
    "rate": "the figure set a parameter: agreement is no evidence",
    "prediction": "the figure was not used; a miss stands as it is",
}
MISSED, UNKNOWN = "MISSED", "no range published"
_MET = {"mathematics": "holds", "rate": "met", "prediction": "inside"}


@dataclass(frozen=True)
class Judged:
    """A published figure and what the study computes in its place, both in the figure's unit."""

    figure: Figure
    here: float

    @property
    def value(self) -> float:
        """What was published; NaN of a range without a value."""
        table = self.figure.table
        return table.value if table.value is not None else fraction(*(table.counts or (0, 0))).value

    @property
    def range(self) -> tuple[float, float] | None:
        """What the figure may be: as published, the 95 % interval of counts (Wilson), or value and tolerance."""
        table = self.figure.table
        if table.counts is not None:
            found = fraction(*table.counts)
            return found.low, found.high
        if table.rtol is not None:
            width = table.rtol * abs(self.value)
            return self.value - width, self.value + width
        return table.range

    @property
    def verdict(self) -> str:
        """ "holds", "met" or "inside"; MISSED; UNKNOWN where no range is published."""
        if self.range is None:
            return UNKNOWN
        low, high = self.range
        return _MET[self.figure.table.used_for] if low <= self.here <= high else MISSED  # NaN is missed

    @property
    def failed(self) -> bool:
        """Whether the installation or the model is wrong: a prediction may be missed, the others may not."""
        return self.verdict == MISSED and self.figure.table.used_for != "prediction"

    @property
    def published(self) -> str:
        """The published value with what it may be off by."""
        table = self.figure.table
        unit = f" {table.unit}" if table.unit != "1" else ""
        if table.counts is not None:
            k, n = table.counts
            low, high = self.range or (math.nan, math.nan)
            return f"{k} of {n}: {self.value:.3g} ({low:.2g} to {high:.2g}){unit}"
        if table.range is not None and table.value is None:
            return f"{table.range[0]:g} to {table.range[1]:g}{unit}"
        if table.range is not None:
            return f"{self.value:g} ({table.range[0]:g} to {table.range[1]:g}){unit}"
        return f"{self.value:.9g}{unit}" + (f" ± {100 * table.rtol:g} %" if table.rtol is not None else "")

    @property
    def computed(self) -> str:
        """What the study computes, with as many digits as the comparison needs."""
        digits = (
            4
            if self.figure.table.rtol is None
            else max(4, 2 - math.floor(math.log10(self.figure.table.rtol)))
        )
        return f"{self.here:.{digits}g}"


def judge(figures: Iterable[Figure], network: Network, results: Results | None) -> list[Judged]:
    """Each figure beside what comes out. `results` may be None where nothing is read (`needs_run`).

    Raises CtcError R509 where the results lack a column.
    """
    values = {item.name: item.value for item in network.parameters}
    judged = []
    for figure in figures:
        here = values | dict(figure.numbers)
        for reading in figure.readings:
            assert results is not None
            here[reading.name] = reading.factor * _read(results, reading)
        judged.append(Judged(figure, figure.unit.from_base(float(evaluate(figure.tree, here)))))
    return judged


def needs_run(figures: Iterable[Figure]) -> bool:
    """Whether a figure is read off a run; others follow from parameters alone."""
    return any(figure.readings for figure in figures)


def _read(results: Results, reading: Reading) -> float:
    if reading.event:
        return event_share(results, reading.of, reading.arm).value
    time = float(results.time[-1]) if reading.at is None else reading.at
    return mean(results, reading.of, time, reading.arm).value


def listed(rows: Sequence[Judged]) -> str:
    """The three lists as text, those that have a row."""
    blocks = []
    for used_for, title in LISTS.items():
        mine = [row for row in rows if row.figure.table.used_for == used_for]
        if not mine:
            continue
        table = [("", "published", "here", "")]
        table += [(row.figure.table.name, row.published, row.computed, row.verdict) for row in mine]
        sources = dict.fromkeys(row.figure.table.source for row in mine)
        head = f"{title} ({SAYS[used_for]})"
        blocks.append("\n".join([head, *aligned(table), *(f"  source: {source}" for source in sources)]))
    return "\n\n".join(blocks)


def counted(rows: Sequence[Judged]) -> str:
    """How the figures of each list came out, and of how many sources they are."""
    told = [f"{title}: {', '.join(_came_out(rows, used_for)) or 'none'}" for used_for, title in LISTS.items()]
    return "\n".join([*told, NOTICE])


def _came_out(rows: Sequence[Judged], used_for: str) -> Iterator[str]:
    for verdict in (_MET[used_for], MISSED, UNKNOWN):
        mine = [x.figure.table.source for x in rows if (x.figure.table.used_for, x.verdict) == (used_for, verdict)]
        sources = len(set(mine))
        if mine:
            yield f"{len(mine)} {verdict} (of {sources} source{'s' if sources > 1 else ''})"
