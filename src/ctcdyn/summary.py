"""What a run found, as text for a biologist: counts, published beside simulated, means at the end.

The error that is shown is the Monte-Carlo error, the standard error of a mean over n trajectories,
sqrt(var / n). It says how far the printed mean may lie from the model's own mean, and nothing about how well
the model fits an organism.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ctcdyn.analysis import Estimate, mean, z_score
from ctcdyn.errors import CtcError, Status

if TYPE_CHECKING:
    from ctcdyn.model.network import Network, Published
    from ctcdyn.results import Results

# The band shown at the end of a run: the central 95 %.
LOW, HIGH = 0.025, 0.975
# Numbers whose quantiles are taken exactly: 80 MB of last states. Bins know a value to about 2 % of itself.
EXACT = 10**7
USED_FOR = {"rate": "set a rate", "prediction": "predicted"}


@dataclass(frozen=True)
class Comparison:
    """A published number beside the simulated mean, both in the observable's unit."""

    published: Published
    mean: Estimate | None  # None where the time was not saved

    @property
    def z(self) -> float:
        """Distance in Monte-Carlo errors; NaN where there is none to measure it in."""
        if self.mean is None or not self.mean.error > 0:
            return math.nan
        return z_score(self.mean.value, self.mean.error, self.published.value)


def compare(results: Results, published: Iterable[Published]) -> list[Comparison]:
    """Set each published number beside the mean of the first arm at its time (days)."""
    return [Comparison(item, _mean(results, item)) for item in published]


def _mean(results: Results, item: Published) -> Estimate | None:
    results.find(item.observable)  # an unknown name is an error, a time that was not saved is not
    try:
        return mean(results, item.observable, item.time)
    except CtcError:
        return None


def summary(results: Results, network: Network) -> str:
    """The result block that `ctcdyn run` prints."""
    blocks = [_counts(results)]
    rows = compare(results, network.published)
    if rows:
        blocks.append(_published(rows))
    blocks.append(_at_the_end(results))
    return "\n\n".join(blocks)


def _counts(results: Results) -> str:
    found = results.counts
    failed = {s: n for s, n in found.items() if not s.ok}
    parts = [
        f"ok {found.get(Status.OK, 0) + found.get(Status.STOPPED, 0)}",
        f"extinct {found.get(Status.EXTINCT, 0)}",
        f"failed {sum(failed.values())}",
    ]
    made = f"{results.schema.method}, seed {results.provenance.get('seed', 'unknown')}"
    line = f"result   {' · '.join(parts)}   of {sum(found.values())} trajectories ({made})"
    if failed:
        line += "\n         " + ", ".join(f"{n} {s.meaning.replace('_', ' ')}" for s, n in failed.items())
    return line


def _published(rows: Sequence[Comparison]) -> str:
    table = [("", "day", "published", "simulated", "± MC error", "z", "the published number")]
    for row in rows:
        item, found = row.published, row.mean
        known = found is not None and found.n > 0
        value, error = (
            with_error(found.value, found.error) if found is not None and known else ("not saved", "")
        )
        table.append(
            (
                item.name.replace("_", " "),
                f"{item.time:g}",
                f"{item.value:.4g}",
                value,
                error,
                f"{row.z:+.1f}" if math.isfinite(row.z) else "",
                USED_FOR[item.used_for],
            )
        )
    sources = list(dict.fromkeys(row.published.source for row in rows))
    return "\n".join(
        [
            f"published beside simulated (mean of {max(row.mean.n if row.mean else 0 for row in rows)})",
            *_columns(table),
            "  set a rate: the model was made to give this number; it shows only that the solver is right.",
            "  Everything between the published days is a prediction of the model.",
            "  MC error: of the mean, one standard error; four times as many trajectories halve it.",
            *(f"  source: {source}" for source in sources),
        ]
    )


def _at_the_end(results: Results) -> str:
    """Mean and central 95 % of each species on the last saved day, with the share of exact zeros."""
    lines = [f"on day {results.time[-1]:g}"]
    for a, arm in enumerate(results.arm):
        n = int(results.n_valid[a, -1])
        if len(results.arm) > 1:
            lines.append(f" {arm}")
        if n == 0:
            lines.append("  no trajectory reached it")
            continue
        table = [("", "mean", "± MC error", "2.5 % to 97.5 %", "none left")]
        bands = _bands(results, a)
        for s, name in enumerate(results.species):
            value, error = with_error(*_moments(results, a, s, n))
            spread = f"{plain(bands[0, s])} to {plain(bands[1, s])}" if bands is not None and n > 1 else ""
            unit = results.unit(name)
            zeros = 100 * float(results.p_extinct[a, -1, s])
            label = name if unit == "1" else f"{name} ({unit})"
            table.append((label, value, error, spread, f"{zeros:.3g} %"))
        lines.extend(_columns(table))
    return "\n".join(lines)


def _bands(results: Results, a: int) -> NDArray[np.float64] | None:
    """Central 95 % of each species at the end, (2, S): exact where all last states fit, else from bins."""
    if "final_state" in results and results.schema.count * len(results.species) <= EXACT:
        reached = np.isin(results.status, (Status.OK, Status.EXTINCT)) & (results["arm_index"] == a)
        return np.asarray(np.quantile(results.final_state[reached], (LOW, HIGH), axis=0), dtype=np.float64)
    levels = np.round(results.quantile, 6).tolist()
    if LOW not in levels or HIGH not in levels:
        return None
    return results.quantiles[[levels.index(LOW), levels.index(HIGH)], a, -1]


def _moments(results: Results, a: int, s: int, n: int) -> tuple[float, float]:
    """(mean, Monte-Carlo error) of a species on the last saved day."""
    error = math.sqrt(float(results.var[a, -1, s]) / n) if n > 1 else 0.0
    return float(results.mean[a, -1, s]), error


def with_error(value: float, error: float) -> tuple[str, str]:
    """A value and its error as text, the error with two digits and the value as far as the error reaches.

    Without an error (0 or NaN) the value has six digits and the error is empty.

    >>> with_error(0.80002371, 2.9143e-5), with_error(35970.44, 3.41), with_error(12.0, 0.0)
    (('0.800024', '0.000029'), ('35970.4', '3.4'), ('12', ''))
    """
    if not error > 0 or not math.isfinite(error):
        return f"{value:.6g}", ""
    digits = 1 - math.floor(math.log10(float(f"{error:.1e}")))
    if digits > 9 or digits < -4:
        return f"{value:.6g}", f"{error:.1e}"
    return f"{round(value, digits):.{max(digits, 0)}f}", f"{round(error, digits):.{max(digits, 0)}f}"


def plain(value: float) -> str:
    """A number with three digits; up to a million without an exponent.

    >>> plain(34912.7), plain(1.0159), plain(2.5e9)
    ('34900', '1.02', '2.5e+09')
    """
    short = f"{value:.3g}"
    return f"{float(short):.0f}" if 100 <= abs(float(short)) < 1e6 else short


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines: the first column to the left, the others to the right, the last free of padding."""
    widths = [max(len(row[c]) for row in rows) for c in range(len(rows[0]))]
    lines = []
    for row in rows:
        rest = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        cells = [row[0].ljust(widths[0]), *rest]
        lines.append(("  " + "  ".join(cells)).rstrip())
    return lines
