"""The tables of a report: events, survival, computed chances, fates, columns at the end, failures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ctcdyn.analysis import computed_chance, event_share, mean
from ctcdyn.columns import chances, in_order
from ctcdyn.errors import Status
from ctcdyn.fates import fates_met
from ctcdyn.followup import outcome_event
from ctcdyn.report._answers import after, length, words
from ctcdyn.scales import time_unit, write_time
from ctcdyn.wording import accuracy, grouped, plain, with_error

if TYPE_CHECKING:
    from ctcdyn.results import Results

COLUMNS = 40  # at the end
MOMENTS = 5  # of a curve


@dataclass(frozen=True, slots=True)
class Table:
    """A caption, the heads of columns, rows of text, and a note below."""

    caption: str
    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    note: str = ""


def tables(results: Results) -> list[Table]:
    """All that this result has numbers for."""
    if not any(status.ok for status in results.counts):
        return []
    found = [_events(results), *_survival(results), _chances(results), _fates(results), _end(results)]
    return [table for table in found if table is not None and table.rows]


def failures(results: Results) -> Table | None:
    """How trajectories failed, none where all ended well."""
    failed = {status: number for status, number in results.counts.items() if not status.ok}
    if not failed:
        return None
    total = sum(results.counts.values())
    rows = [(words(s.meaning), grouped(n), f"{100 * n / total:.3g} %") for s, n in failed.items()]
    note = "What follows is of the others alone: where failing depends on the outcome, it is wrong."
    return Table(
        f"{grouped(sum(failed.values()))} of {grouped(total)} trajectories failed",
        ("how", "", ""),
        rows,
        note,
    )


def _pm(value: float, error: float, unit: str = "") -> str:
    one, other = with_error(value, error)
    return (f"{one} ± {other}" if other else one) + unit


def _events(results: Results) -> Table | None:
    if not results.event_kind or "event_time" not in results:
        return None
    rows, end = [], write_time(float(results.time[-1]))
    for event in results.event_kind:
        for arm in results.arm:
            share = event_share(results, event, arm)
            if not share.n:
                continue
            if results.schema.weighted:
                value, band = f"{share.value:.3g} ± {share.error:.2g}", f"{share.low:.3g} to {share.high:.3g}"
                rows.append((words(event), words(arm), value, band, "", grouped(share.n)))
                continue
            when = results.survival(event)[arm].when(0.5)
            half = length(when.value) if np.isfinite(when.value) else "not reached"
            band = f"{plain(100 * share.low)} to {plain(100 * share.high)} %"
            rows.append((words(event), words(arm), _pm(100 * share.value, 100 * share.error, " %"), band, half,
                         grouped(share.n)))  # fmt: skip
    heads = ("event", "arm", "share by the end", "95 % interval", "half have it by", "followed up")
    return Table(
        f"Events up to {end}", heads, rows, "Times count from the clock of the event; ±: one standard error."
    )


def _survival(results: Results) -> list[Table]:
    """Share without the first event at some moments, and what arms change in it."""
    if not results.event_kind or "event_time" not in results or results.schema.weighted:
        return []
    event = outcome_event(results)
    found = results.survival(event)
    if not any(len(curve.time) > 1 for curve in found.curves.values()):
        return []
    moments = found.horizon * np.arange(1, MOMENTS + 1) / MOMENTS
    rows: list[tuple[str, ...]] = []
    for arm, curve in found.curves.items():
        points = [curve.at(float(moment)) for moment in moments]
        rows.append((words(arm), *(_pm(100 * p.value, 100 * p.error, " %") for p in points)))
    heads = ("arm", *(length(float(moment)) for moment in moments))
    made = [Table(f"Without {words(event)}, {after(results, event)} (Kaplan-Meier)", heads, rows)]
    if len(found.groups) < 2 or any(curve.n < 2 for curve in found.curves.values()):
        return made
    unit, size = time_unit(found.horizon)
    first, rows = found.groups[0], []
    for arm in found.groups[1:]:
        ratio = found.hazard_ratio(arm)
        change = found.restricted_mean_difference(arm)
        share = found.difference(arm)
        interval = f"{ratio.value:.3g} ({ratio.low:.3g} to {ratio.high:.3g})"
        rows.append((words(arm), interval, _pm(change.value / size, change.error / size, f" {unit}"),
                     _pm(-100 * share.value, 100 * share.error, " points")))  # fmt: skip
    p = found.logrank().p
    heads = ("arm", "hazard ratio (95 %)", "time without it gained", f"with it by {length(found.horizon)}")
    note = f"Log-rank test of all arms: p = {p:.2g}. Arms have the same patients, which all errors count."
    return [*made, Table(f"{words(event).capitalize()}: each arm against {words(first)}", heads, rows, note)]


def _chances(results: Results) -> Table | None:
    rows = []
    for event, columns in chances(results).items():
        for arm in results.arm:
            found = computed_chance(results, columns[""], arm)
            band = (
                f"{plain(100 * found.low)} to {plain(100 * found.high)} %" if np.isfinite(found.low) else ""
            )
            rows.append((words(event), words(arm), f"{100 * found.value:.4g} %", band, grouped(found.n)))
    heads = ("event", "arm", "mean chance", "95 % of patients", "patients")
    return (
        Table(f"Chances up to {write_time(float(results.time[-1]))}, computed", heads, rows) if rows else None
    )


def _fates(results: Results) -> Table | None:
    met = fates_met(results)
    if not met:
        return None
    alike = accuracy(results).alike
    names = list(dict.fromkeys(entry["fate"] for entry in met))
    known = {(entry["fate"], entry["arm"]): entry for entry in met}
    rows = []
    for name in names:
        cells = []
        for arm in results.arm:
            entry = known[name, arm]
            scale, value, error = (
                (100.0, "share", "share_error") if entry["share"] is not None else (1.0, "mean", "error")
            )
            if entry[value] is None:
                cells.append("")
                continue
            reach = 0.0 if alike else scale * (entry[error] or 0.0)
            cells.append(_pm(scale * entry[value], reach, " %" if scale > 1 else ""))
        rows.append((words(name), *cells))
    note = "A cell meets several fates, one after the other: shares add up to more than 100 %."
    return Table("Of all cells shed, by fate", ("fate", *(words(arm) for arm in results.arm)), rows, note)


def _end(results: Results) -> Table | None:
    names, end, trusted = in_order(results), float(results.time[-1]), accuracy(results)
    rows = []
    for name in names[:COLUMNS]:
        prefix = "" if results.find(name)[0] == "species" else "obs_"
        if f"{prefix}mean" not in results:
            continue
        unit = results.unit(name)
        cells = []
        for arm in results.arm:
            found = mean(results, name, end, arm)
            if not found.n:
                cells.append("no trajectory")
                continue
            value, error = trusted.text(found.value, found.error)
            cells.append(f"{value} ± {error}" if error else value)
        rows.append((words(name) if unit == "1" else f"{words(name)} ({unit})", *cells))
    note = f"The first {COLUMNS} of {len(names)}; `ctcdyn inspect` has all." if len(names) > COLUMNS else ""
    if Status.STOPPED in results.counts and not results.schema.weighted:
        note = f"Of the trajectories that no event had stopped by then. {note}".strip()
    return Table(f"Means on {write_time(end)}", ("", *(words(arm) for arm in results.arm)), rows, note)
