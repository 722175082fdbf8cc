"""What a run found, as text for a biologist: counts, published beside simulated, means at the end.

The error that is shown is the Monte-Carlo error, the standard error of a mean over n trajectories,
sqrt(var / n). It says how far the printed mean may lie from the model's own mean, and nothing about how well
the model fits an organism. Trajectories of an ODE that all have the same numbers are one trajectory: they have no
Monte-Carlo error, and no digits of theirs are shown that the solver does not vouch for.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ctcdyn import plugins
from ctcdyn.analysis import (
    Estimate,
    clocks,
    event_chance,
    event_difference,
    event_share,
    low_shares,
    mean,
    withheld,
    z_score,
)
from ctcdyn.errors import CtcError, Status
from ctcdyn.rarity import Chance, mean_weight, weighted_median
from ctcdyn.scales import time_unit, write_time
from ctcdyn.store.layout import BLOCK

if TYPE_CHECKING:
    from ctcdyn.model.network import Network, Published
    from ctcdyn.results import Results

# The band shown at the end of a run: the central 95 %.
LOW, HIGH = 0.025, 0.975
# Numbers that are sorted for exact quantiles. Of last states few, so that memory does not grow with the trajectories:
# bins know a value to about 2 % of itself. Times of events have no bins.
EXACT_STATES = 2 * 10**5
EXACT = 10**7
USED_FOR = {"rate": "set a rate", "prediction": "predicted"}


@dataclass(frozen=True)
class Accuracy:
    """How far printed numbers can be trusted: `rtol` of an ODE solver (None: exact or unknown), and whether all
    trajectories are the same, so that there is no Monte-Carlo error."""

    rtol: float | None = None
    alike: bool = False

    def text(self, value: float, error: float) -> tuple[str, str]:
        """A mean and its Monte-Carlo error as text."""
        return with_error(value, 0.0 if self.alike else error, self.rtol)


def accuracy(results: Results) -> Accuracy:
    """What a result says of its own accuracy; its solver is looked up by name, so one of the user's is unknown."""
    try:
        solver = plugins.find("solver", results.schema.method)
        deterministic = plugins.constants(solver, ("SEMANTICS",))["SEMANTICS"] in ("ode", "backward", "moments")
    except CtcError:
        deterministic = False
    if not deterministic:
        return Accuracy()
    try:
        rtol = float(json.loads(str(results.provenance["config_resolved_json"]))["simulate"]["rtol"])
    except (KeyError, TypeError, ValueError):
        rtol = None
    return Accuracy(rtol, _same_parameters(results))


def _same_parameters(results: Results) -> bool:
    """Whether every trajectory has the parameters of the first; read block by block, up to one that differs."""
    if "params" not in results:
        return False
    first = results.rows("params", 0, 1)
    steps = range(0, results.schema.count, 16 * BLOCK)
    return all(bool((results.rows("params", start, start + 16 * BLOCK) == first).all()) for start in steps)


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
    trusted = accuracy(results)
    rows = compare(results, network.published)
    if rows:
        blocks.append(_published(rows, trusted))
    if results.schema.weighted:
        blocks.append(_rare(results))
    elif results.event_kind and "event_time" in results:
        blocks.append(_first_passages(results, trusted))
    blocks.append(_at_the_end(results, trusted))
    few = {name: share for name, share in low_shares(results).items() if share > 0}
    if few:
        told = ", ".join(f"{name} {100 * share:.3g} %" for name, share in few.items())
        blocks.append(
            f"fewer than {results.schema.low_count:.0f} cells, too few for a Langevin equation: "
            f"{told} of all saved values\n"
            "  there only means and covariances can be trusted, and those of first-order reactions alone"
        )
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


def _published(rows: Sequence[Comparison], trusted: Accuracy) -> str:
    table = [("", "day", "published", "simulated", "± MC error", "z", "the published number")]
    for row in rows:
        item, found = row.published, row.mean
        known = found is not None and found.n > 0
        value, error = (
            trusted.text(found.value, found.error) if found is not None and known else ("not saved", "")
        )
        table.append(
            (
                item.name.replace("_", " "),
                f"{item.time:g}",
                f"{item.value:.4g}",
                value,
                error,
                f"{row.z:+.1f}" if math.isfinite(row.z) and not trusted.alike else "",
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


def _first_passages(results: Results, trusted: Accuracy) -> str:
    """In what share of the trajectories each event came, and when; failed trajectories do not count."""
    end, measured = float(results.time[-1]), clocks(results)
    unit, length = time_unit(end)
    lines = [f"events up to {write_time(end)}" if measured else f"first passages up to {write_time(end)}"]
    small = results.schema.count * len(results.event_kind) <= EXACT
    good = np.isin(results.status, [int(s) for s in Status if s.ok])
    missing = withheld(results)
    for a, arm in enumerate(results.arm):
        if len(results.arm) > 1:
            lines.append(f" {arm}")
        chosen = good & (results["arm_index"] == a)
        table = [("", "share", "± MC error", "95 % interval", "median of those")]
        for number, name in enumerate(results.event_kind):
            found, clock = event_share(results, name, arm), measured.get(name, "")
            due = " was due" if clock in missing.get(arm, ()) else ""
            if found.n == 0:
                table.append((name, f"no {clock}" if clock and chosen.any() else "no trajectory", "", "", ""))
                continue
            share, error = with_error(100 * found.value, 0.0 if trusted.alike else 100 * found.error)
            interval = "" if trusted.alike else f"{plain(100 * found.low)} to {plain(100 * found.high)} %"
            median = ""
            if small and found.value > 0:
                happened = chosen & (results.event_observed[:, number] == 1)
                median = _moment(float(np.median(results.event_time[happened, number])), unit, length, clock + due)
            if found.n < int(chosen.sum()):
                median += f" (of the {found.n} {'for whom' if due else 'with'} {clock}{due})"
            table.append((name, f"{share} %", f"{error} %" if error else "", interval, median.strip()))
        lines.extend(_columns(table))
    return "\n".join(lines + _differences(results, trusted))


def _rare(results: Results) -> str:
    """Chances of events from weighted trajectories, how much is gained, and what makes them doubtful."""
    end, measured = float(results.time[-1]), clocks(results)
    unit, length = time_unit(end)
    good = np.isin(results.status, [int(s) for s in Status if s.ok])
    lines, doubts = [f"chances up to {write_time(end)}, from weighted trajectories"], []
    for a, arm in enumerate(results.arm):
        chosen = good & (results["arm_index"] == a)
        mine = f" {arm}" if len(results.arm) > 1 else ""
        lines += [mine] if mine else []
        table = [("", "chance", "± MC error", "95 % interval", "events", "gain", "median of those")]
        for number, name in enumerate(results.event_kind):
            found = event_chance(results, name, arm)
            hit = chosen & (results.event_observed[:, number] == 1)
            median = weighted_median(results.event_time[hit, number], results.weight[hit])
            when = _moment(median, unit, length, measured.get(name, "")) if found.value > 0 else ""
            table.append((name, *_chance_cells(found), when))
            if found.value == 0.0:
                doubts.append(f"{name}{mine}: not seen, which says nothing: draw what leads to it more often")
            elif found.few:
                share = f"{100 * found.largest:.2g} %"
                doubts.append(f"{name}{mine}: few trajectories carry it, one of them {share}: take more, or tilt less")
        value, error, effective = mean_weight(results.weight[chosen]) if chosen.any() else (math.nan, math.nan, 0.0)
        lines.extend(_columns(table) if results.event_kind else [])
        lines.append(f"  mean weight {value:.4g} ± {error:.2g} (must be 1), as good as {plain(effective)} equal ones")
        if abs(value - 1.0) > 4.0 * error:
            doubts.append(f"weights{mine}: their mean is not 1, as heavy ones were not met: draw it less often")
    lines.append("  events: so many of equal weight would have this error; gain: variance of plain sampling over this")
    return "\n".join(lines + [f"  DOUBTFUL  {text}" for text in doubts] + _differences(results, Accuracy()))


def _chance_cells(found: Chance) -> tuple[str, str, str, str, str]:
    """A chance, its error and interval, effective events and gain, as text."""
    if not found.value > 0:
        return f"{found.value:g}", "", "", "0", ""
    interval = f"{found.low:.3g} to {found.high:.3g}"
    return f"{found.value:.4g}", f"{found.error:.2g}", interval, plain(found.effective), plain(found.gain)


def _moment(time: float, unit: str, length: float, clock: str) -> str:
    """A time of the run, or one since its clock began."""
    if clock:
        return f"{time / length:.3g} {unit} after {clock}"
    return f"day {time:.3g}" if unit == "days" else f"{time / length:.3g} {unit}"


def _differences(results: Results, trusted: Accuracy) -> list[str]:
    """What each further arm changes in the share with each event, patient by patient."""
    if len(results.arm) < 2 or trusted.alike:
        return []
    table = [("", "points", "± MC error", "unpaired", "pairing saves")]
    for arm in results.arm[1:]:
        for name in results.event_kind:
            found = event_difference(results, name, arm)
            if not math.isfinite(found.error):
                continue
            if found.error == 0:
                table.append((f"{name}, {arm}", plain(100 * found.value), "", "", "no pair is unlike another"))
                continue
            points, error = with_error(100 * found.value, 100 * found.error)
            unpaired = with_error(0.0, 100 * found.unpaired)[1]
            saved = f"{found.gain:.3g} times the patients" if found.gain >= 1.05 else "nothing"
            table.append((f"{name}, {arm}", points, error, unpaired, saved))
    if len(table) == 1:
        return []
    return [f"share with the event, difference to {results.arm[0]} in the same patients", *_columns(table)]


def _at_the_end(results: Results, trusted: Accuracy) -> str:
    """Mean and central 95 % of each species and observable at the last save, with the share of exact zeros."""
    end = write_time(float(results.time[-1]))
    lines = [f"on {end}" if end.startswith("day") else f"at {end}"]
    for a, arm in enumerate(results.arm):
        n = int(results.n_valid[a, -1])
        if len(results.arm) > 1:
            lines.append(f" {arm}")
        if n == 0:
            lines.append("  no trajectory reached it")
            continue
        plainly = ("2.5 % to 97.5 %", "none left") if not results.schema.weighted else ("", "")
        table = [("", "mean", "± MC error", *plainly)]
        bands = _bands(results, a)
        readings = _observed_bands(results, a)
        for name in (*results.species, *(results.observable if "obs_mean" in results else ())):
            kind, c = results.find(name)
            table_of, band = ("", bands) if kind == "species" else ("obs_", readings)
            value, error = trusted.text(*_moments(results, table_of, (a, -1, c), n))
            shown = band is not None and n > 1 and not trusted.alike
            spread = f"{plain(band[0, c])} to {plain(band[1, c])}" if shown and band is not None else ""
            unit = results.unit(name)
            counted = kind == "species" and "p_extinct" in results
            zeros = f"{100 * float(results.p_extinct[a, -1, c]):.3g} %" if counted else ""
            table.append((name if unit == "1" else f"{name} ({unit})", value, error, spread, zeros))
        lines.extend(_columns(table))
    if results.schema.weighted and Status.STOPPED in results.counts:
        lines.append("  a trajectory that an event has ended counts as zero from then on")
    return "\n".join(lines)


def _bands(results: Results, a: int) -> NDArray[np.float64] | None:
    """Central 95 % of each species at the end, (2, S): exact where all last states fit, else from bins."""
    if results.schema.weighted:
        return None
    if "final_state" in results and results.schema.count * len(results.species) <= EXACT_STATES:
        reached = np.isin(results.status, (Status.OK, Status.EXTINCT)) & (results["arm_index"] == a)
        return np.asarray(np.quantile(results.final_state[reached], (LOW, HIGH), axis=0), dtype=np.float64)
    return _levels(results, "quantiles", a)


def _observed_bands(results: Results, a: int) -> NDArray[np.float64] | None:
    """Central 95 % of each observable at the end, (2, O), from bins."""
    return _levels(results, "obs_quantiles", a)


def _levels(results: Results, name: str, a: int) -> NDArray[np.float64] | None:
    """The outer two levels of an array of quantiles at the end, (2, columns); None where they are not there."""
    levels = np.round(results.quantile, 6).tolist()
    if name not in results or LOW not in levels or HIGH not in levels:
        return None
    return np.asarray(results[name][[levels.index(LOW), levels.index(HIGH)], a, -1], dtype=np.float64)


def _moments(results: Results, prefix: str, at: tuple[int, int, int], n: int) -> tuple[float, float]:
    """(mean, Monte-Carlo error) at (arm, save, column); `prefix` is "" for species and "obs_" for observables."""
    if results.schema.weighted:
        return float(results[f"{prefix}mean"][at]), float(results[f"{prefix}mean_error"][at])
    variance = float(results[f"{prefix}var"][at])
    return float(results[f"{prefix}mean"][at]), math.sqrt(variance / n) if n > 1 and variance >= 0 else 0.0


def with_error(value: float, error: float, rtol: float | None = None) -> tuple[str, str]:
    """A value and its error as text, the error with two digits and the value as far as the error reaches.

    Without an error (0 or NaN) the value has six digits and the error is empty. With `rtol`, the tolerance of a
    solver, neither has digits below rtol times the value; an error that is smaller than that is told so.

    >>> with_error(0.80002371, 2.9143e-5), with_error(35970.44, 3.41), with_error(12.0, 0.0)
    (('0.800024', '0.000029'), ('35970.4', '3.4'), ('12', ''))
    >>> with_error(0.80002371, 2.9143e-5, 1e-3), with_error(0.80002371, 0.0291, 1e-3), with_error(12.3456, 0.0, 1e-3)
    (('0.800', '< 0.001'), ('0.800', '0.029'), ('12.3', ''))
    """
    known = 6 if rtol is None else max(1, min(6, math.ceil(-math.log10(rtol) - 1e-9)))
    if not error > 0 or not math.isfinite(error):
        return f"{value:.{known}g}", ""
    digits = 1 - math.floor(math.log10(float(f"{error:.1e}")))
    if rtol is not None and value != 0 and math.isfinite(value):
        last = math.floor(1e-9 - math.log10(rtol * abs(value)))  # decimals that the solver vouches for
        if last < digits and -4 <= last <= 9:
            rounded = round(error, last)
            shown = f"{rounded:.{max(last, 0)}f}" if rounded > 0 else f"< {10.0**-last:.{max(last, 0)}f}"
            return f"{round(value, last):.{max(last, 0)}f}", shown
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
