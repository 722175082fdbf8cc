"""What a result answers, in sentences: the share with the event and its error, what each further arm changes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ctcdyn.analysis import computed_chance, computed_difference, event_difference, event_share, mean
from ctcdyn.columns import chances, in_order
from ctcdyn.errors import CtcError
from ctcdyn.estimates import Difference
from ctcdyn.fates import fates_met
from ctcdyn.followup import clocks, outcome_event
from ctcdyn.plots._groups import design
from ctcdyn.scales import time_unit, write_time
from ctcdyn.sensitivity import Indices
from ctcdyn.wording import Accuracy, accuracy, grouped, plain, with_error

if TYPE_CHECKING:
    from ctcdyn.results import Results


def answers(results: Results) -> list[str]:
    """One sentence or more: of the first event, of computed chances, of fates, or of the first column."""
    if not any(status.ok for status in results.counts):
        return ["No trajectory ended well: there is nothing to report but the failures."]
    trusted = accuracy(results)
    if design(results) and results.schema.count == results.schema.total:
        return _swept(results)
    if chances(results):
        return _computed(results, trusted)
    if results.event_kind and "event_time" in results:
        return _weighted(results) if results.schema.weighted else _events(results)
    return _fates(results, trusted) or _columns(results, trusted)


def _swept(results: Results) -> list[str]:
    """How far the outcome spans over the points of a sweep, and what it depends on where the design tells."""
    computed = list(chances(results))
    of = computed[0] if computed else outcome_event(results) if results.event_kind else in_order(results)[0]
    points, lines = results.points, []
    for arm in results.arm:
        try:
            value = points.outcome(of, arm=arm).value
        except CtcError:  # the paths that it needs were not kept
            return _columns(results, accuracy(results))
        low, high = (plain(float(end)) for end in (np.nanmin(value), np.nanmax(value)))
        over = ", ".join(words(name) for name in points.names)
        lines.append(
            _told(
                results,
                arm,
                f"{words(of)} spans {low} to {high} over {grouped(len(points))} points of {over}.",
            )
        )
        if points.design not in ("saltelli", "morris"):
            continue
        try:
            found = results.sensitivity(of, arm=arm)
        except CtcError:  # too many points failed, or nothing depends on anything
            continue
        size, what = (
            (found.total, "total Sobol index") if isinstance(found, Indices) else (found.mean_size, "effect")
        )
        most = [f"{words(found.names[k])} ({what} {size[k]:.2g})" for k in np.argsort(-size)[:3]]
        lines.append(_told(results, arm, f"it depends most on {', '.join(most)}."))
    return lines


def words(name: str) -> str:
    """A name as words."""
    return name.replace("_", " ")


def length(days: float) -> str:
    """A length of time in the unit that the time axis of pictures has.

    >>> length(3652.5), length(14.0)
    ('10 years', '14 days')
    """
    unit, size = time_unit(days)
    return f"{days / size:.3g} {unit}"


def after(results: Results, event: str) -> str:
    """From when the time of an event counts."""
    clock = clocks(results).get(event, "")
    return f"after {words(clock)}" if clock else "from the start"


def _told(results: Results, arm: str, sentence: str) -> str:
    """A sentence of an arm, which is named where there are several."""
    return f"{words(arm)}: {sentence}" if len(results.arm) > 1 else sentence[:1].upper() + sentence[1:]


def _events(results: Results) -> list[str]:
    event = outcome_event(results)
    found = results.survival(event)
    known = [arm for arm in results.arm if found[arm].n]
    if not known:
        return [f"Nobody was followed up for {words(event)}."]
    until, first = found.horizon, known[0]
    lines, gains = [], []
    for arm in known:
        last = found[arm].at(until)
        share, error = with_error(100 * (1 - last.value), 100 * last.error)
        told = f"{share} ± {error} %" if error else f"{share} %"
        if arm == first:
            band = f"95 % interval {plain(100 * (1 - last.high))} to {plain(100 * (1 - last.low))} %"
            when = f"within {length(until)} {after(results, event)}"
            sentence = f"{words(event)} {when} in {told} of {grouped(found[arm].n)} patients ({band})."
            lines.append(_told(results, arm, sentence))
            continue
        change = found.difference(arm, first, until)
        lines.append(f"{words(arm)}: {told}, {_change(change)}.")
        gains += [change.gain] if change.error > 0 else []
    lines.append(
        f"± is one Monte-Carlo standard error; {grouped(3 * found[first].n)} more patients would halve it."
    )
    if gains and min(gains) >= 1.05:
        lines[-1] += f" To compare the same patients is worth {min(gains):.2g} times as many."
    return lines


def _change(change: Difference) -> str:
    """What an arm changes in the share without an event, pair by pair, as a change of that with it."""
    if change.error == 0:
        return "the same patients"
    points, error = with_error(100 * abs(change.value), 100 * change.error)
    low, high = change.interval()
    doubt = "" if low > 0 or high < 0 else ", which may be chance"
    return f"{points} ± {error} points {'fewer' if change.value > 0 else 'more'}{doubt}"


def _weighted(results: Results) -> list[str]:
    event, end = outcome_event(results), write_time(float(results.time[-1]))
    lines = []
    for arm in results.arm:
        found = event_share(results, event, arm)
        told = f"{found.value:.3g} ± {found.error:.2g}" if found.value > 0 else "not seen, which says nothing"
        lines.append(
            _told(results, arm, f"chance of {words(event)} by {end} {told} (weighted trajectories).")
        )
        if arm != results.arm[0]:
            change = event_difference(results, event, arm)
            lines.append(f"That is {change.value:+.3g} ± {change.error:.2g} to {words(results.arm[0])}.")
    lines.append("± is one Monte-Carlo standard error.")
    return lines


def _computed(results: Results, trusted: Accuracy) -> list[str]:
    lines, end = [], write_time(float(results.time[-1]))
    event, columns = next(iter(chances(results).items()))
    for arm in results.arm:
        found = computed_chance(results, columns[""], arm)
        told = f"{100 * found.value:.4g} %"
        if arm == results.arm[0]:
            band = ""
            if not trusted.alike and math.isfinite(found.low):
                band = f"; {plain(100 * found.low)} to {plain(100 * found.high)} % in 95 % of patients"
            lines.append(_told(results, arm, f"chance of {words(event)} by {end} {told}, computed{band}."))
            continue
        change = 100 * computed_difference(results, columns[""], arm).value
        lines.append(f"{words(arm)}: {told}, {abs(change):.3g} points {'more' if change > 0 else 'fewer'}.")
    return lines


def _fates(results: Results, trusted: Accuracy) -> list[str]:
    """Of the first of the fates that matter most: its share, and how many times as much it is in further arms."""
    met = fates_met(results)
    fate = next((name for name in _FATES if any(x["fate"] == name and x["share"] for x in met)), None)
    if fate is None:
        return []
    mine = [entry for entry in met if entry["fate"] == fate and entry["share"] is not None]
    lines = []
    for entry in mine:
        reach = 0.0 if trusted.alike else 100 * (entry["share_error"] or 0.0)
        share, error = with_error(100 * entry["share"], reach)
        told = f"{share} ± {error} %" if error else f"{share} %"
        if entry is mine[0]:
            lines.append(_told(results, entry["arm"], f"of all cells shed {told} {_FATES[fate]}."))
        else:
            times = entry["share"] / mine[0]["share"]
            lines.append(f"{words(entry['arm'])}: {told}, {times:.4g} times the share.")
    if not trusted.alike:
        lines.append("± is one standard error: four times as many patients halve it.")
    return lines


_FATES = {"founded": "founded a metastasis", "extravasated": "left the vessels alive"}


def _columns(results: Results, trusted: Accuracy) -> list[str]:
    name, end, lines = in_order(results)[0], float(results.time[-1]), []
    unit = results.unit(name)
    for arm in results.arm:
        found = mean(results, name, end, arm)
        if not found.n:
            continue
        value, error = trusted.text(found.value, found.error)
        told = f"{value} ± {error}" if error else value
        told += "" if unit == "1" else f" {unit}"
        sentence = f"mean of {words(name)} on {write_time(end)} {told} ({grouped(found.n)} trajectories)."
        lines.append(_told(results, arm, sentence))
    if not trusted.alike:
        lines.append("± is one standard error of the mean: four times as many trajectories halve it.")
    return lines
