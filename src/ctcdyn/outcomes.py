"""What became of patients, as text: events and when they came, chances that were computed, what arms change."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ctcdyn.analysis import (
    clocks,
    computed_chance,
    computed_difference,
    event_chance,
    event_difference,
    event_share,
    withheld,
)
from ctcdyn.columns import chances
from ctcdyn.courses import courses, differences, saved
from ctcdyn.errors import Status
from ctcdyn.rarity import Chance, mean_weight, weighted_median
from ctcdyn.scales import time_unit, write_time
from ctcdyn.wording import NOTHING, Accuracy, aligned, grouped, plain, with_error

if TYPE_CHECKING:
    from ctcdyn.results import Results

EXACT = 10**7  # times of events that are sorted for a median: they have no bins


def first_passages(results: Results, trusted: Accuracy) -> str:
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
        lines.extend(aligned(table))
    return "\n".join(lines + _differences(results, trusted) + _more(results, trusted))


def rare(results: Results) -> str:
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
        lines.extend(aligned(table) if results.event_kind else [])
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


def computed(results: Results, trusted: Accuracy) -> str:
    """Chances of events that were computed for each patient, per arm, and what each further arm changes in them."""
    told, measured = chances(results), clocks(results)
    lines = [f"chances up to {write_time(float(results.time[-1]))}, computed for each patient"]
    heads = ("mean", "± of patients drawn", "2.5 % to 97.5 % of them")
    for arm in results.arm:
        lines += [f" {arm}"] if len(results.arm) > 1 else []
        table = [("", *(heads if not trusted.alike else ("chance", "", "")))]
        for event, columns in told.items():
            for kind, column in sorted(columns.items(), key=lambda item: item[0] != ""):
                found = computed_chance(results, column, arm)
                name = f"  one cell in {kind} at the start" if kind else event
                name += f", from {measured[event]} on" if event in measured and not kind else ""
                known = found.low < found.high and not trusted.alike
                band = f"{plain(found.low)} to {plain(found.high)}" if known else ""
                table.append((name, *_chance(found.value, found.error, trusted), band))
        lines += aligned(table)
    differences = [("", "difference", "± of patients drawn", "2.5 % to 97.5 % of them", "pairing saves")]
    for arm in results.arm[1:]:
        for event, columns in told.items():
            change = computed_difference(results, columns[""], arm)
            if not math.isfinite(change.value):
                continue
            known = change.error > 0 and not trusted.alike
            band = f"{plain(change.low)} to {plain(change.high)}" if known else ""
            saves = f"{change.gain:.3g} times the patients" if known and 1.05 <= change.gain < math.inf else ""
            differences.append((f"{event}, {arm}", *_chance(change.value, change.error, trusted), band, saves))
    if len(differences) > 1:
        lines.append(f"chance, difference to {results.arm[0]} in the same patients")
        lines += aligned(differences)
    if not trusted.alike:
        lines.append("  no chance has a Monte-Carlo error; ±: other patients would have another mean")
    return "\n".join(lines)


def _chance(value: float, error: float, trusted: Accuracy) -> tuple[str, str]:
    """A chance, or a difference of two, and the error of its mean; small ones without a row of zeros."""
    if trusted.alike or not error > 0:
        return trusted.text(value, 0.0)
    return (f"{value:.4g}", f"{error:.2g}") if NOTHING < abs(value) < 1e-3 else trusted.text(value, error)


def _more(results: Results, trusted: Accuracy) -> list[str]:
    """How many more patients (or trajectories) would halve the errors."""
    if trusted.alike:
        return []
    units = results.schema.patients or results.schema.total // len(results.arm)
    what = "patients" if results.schema.patients or len(results.arm) > 1 else "trajectories"
    return [f"  {grouped(3 * units)} {what} more would halve the errors"]


def _moment(time: float, unit: str, length: float, clock: str) -> str:
    """A time of the run, or one since its clock began."""
    if clock:
        return f"{time / length:.3g} {unit} after {clock}"
    return f"day {time:.3g}" if unit == "days" else f"{time / length:.3g} {unit}"


def _differences(results: Results, trusted: Accuracy) -> list[str]:
    """What each further arm changes in each event that is no clock of others, patient by patient."""
    if len(results.arm) < 2 or trusted.alike:
        return []
    table = [("", "points", "± MC error", "unpaired", "pairing saves")]
    watched = [name for name in results.event_kind if name not in clocks(results).values()]
    for arm in results.arm[1:]:
        for name in watched:
            found = event_difference(results, name, arm)
            if not math.isfinite(found.error):
                continue
            if found.error == 0:
                table.append((f"{name}, {arm}", plain(100 * found.value), "", "", saved(found.gain)))
                continue
            points, error = with_error(100 * found.value, 100 * found.error)
            unpaired = with_error(0.0, 100 * found.unpaired)[1]
            table.append((f"{name}, {arm}", points, error, unpaired, saved(found.gain)))
    if len(table) == 1:
        return []
    lines = [f"share with the event, difference to {results.arm[0]} in the same patients", *aligned(table)]
    unit, length = time_unit(float(results.time[-1]))
    for entry in courses(results, watched):
        lines += differences(entry, unit, length)
    return lines
