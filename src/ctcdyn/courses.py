"""Survival without each event as plain data and as tables: at a few times who is at risk, and what each arm changes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ctcdyn.followup import Survival, clocks
from ctcdyn.scales import time_unit
from ctcdyn.wording import accuracy, aligned, or_none, with_error

if TYPE_CHECKING:
    from ctcdyn.results import Results

TIMES = 3  # columns of a table, at least
ROWS = 10**7  # times that are sorted for it


def courses(results: Results, events: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Survival of each arm without each event (default: all), and its difference to the first arm; empty without
    events, for more than 1e7 of their times, and where all trajectories are the same. Times in days, from the event's
    clock on; what is not known is None.
    """
    if "event_time" not in results or "arm_index" not in results:
        return []
    if results.schema.count * len(results.event_kind) > ROWS or accuracy(results).alike:
        return []
    found, measured = [], clocks(results)
    for event in results.event_kind if events is None else events:
        survival = results.survival(event)
        if not any(curve.n for curve in survival.curves.values()):
            continue
        horizon = survival.horizon
        days = _round_times(horizon, time_unit(float(results.time[-1]))[1])
        arms = [_arm(survival, arm, days, horizon) for arm in survival.groups]
        entry: dict[str, Any] = {"event": event, "clock": measured.get(event), "horizon": horizon, "arms": arms}
        if len(arms) > 1 and not results.schema.weighted:
            test = survival.logrank()
            entry["logrank"] = {"chi_square": test.statistic, "df": test.df, "p": test.p, "paired": test.paired}
        found.append(entry)
    return found


def _arm(survival: Survival, arm: str, days: list[float], horizon: float) -> dict[str, Any]:
    """One arm: survival at these days, median, mean time up to the horizon, and the difference to the first arm."""
    curve = survival[arm]
    median = curve.when()
    entry: dict[str, Any] = {"arm": arm, "n": curve.n, "events": float(curve.events.sum())}
    entry["median"], entry["median_low"], entry["median_high"] = map(or_none, (median.value, median.low, median.high))
    rows = zip(days, curve.risk(days).tolist(), map(curve.at, days))
    entry["times"] = [
        {"day": day, "at_risk": risk, "survival": or_none(at.value), "error": or_none(at.error)}
        | {"low": or_none(at.low), "high": or_none(at.high)}
        for day, risk, at in rows
    ]
    mean = survival.restricted_mean(arm, horizon)
    entry["restricted_mean"], entry["restricted_mean_error"] = or_none(mean.value), or_none(mean.error)
    entry["to_halve"] = mean.to_halve
    if arm != survival.groups[0]:
        gained = survival.restricted_mean_difference(arm, horizon=horizon)
        entry["gained"], entry["gained_error"] = or_none(gained.value), or_none(gained.error)
        entry["gained_unpaired"], entry["variance_ratio"] = or_none(gained.unpaired), or_none(gained.gain)
        if curve.followed.weight is None:
            ratio = survival.hazard_ratio(arm)
            entry["hazard_ratio"], entry["hazard_ratio_paired"] = or_none(ratio.value), ratio.paired
            entry["hazard_ratio_low"], entry["hazard_ratio_high"] = or_none(ratio.low), or_none(ratio.high)
    return entry


def courses_text(found: list[dict[str, Any]], end: float) -> str:
    """The tables that `ctcdyn inspect` prints, of events that are no clocks of others; `end`, days, of the run says
    which unit of time fits."""
    unit, length = time_unit(end)
    blocks, anchors = [], {entry["clock"] for entry in found}
    for entry in found:
        if entry["event"] in anchors:
            continue
        clock = f" after {entry['clock']}" if entry["clock"] else ""
        days = [at["day"] for at in entry["arms"][0]["times"]]
        heads = [f"{day / length:g}" for day in days]
        table = [[f"{unit}{clock}", *heads, "median"]]
        for arm in entry["arms"]:
            median = f"{arm['median'] / length:.3g}" if arm["median"] is not None else "not reached"
            table.append([f"{arm['arm']} (n = {arm['n']})", *map(_share, arm["times"]), median])
            table.append(["  at risk", *(f"{at['at_risk']:.6g}" for at in arm["times"]), ""])
        lines = [f"share without {entry['event']}, with 95 % intervals", *aligned(table)]
        blocks.append("\n".join([*lines, *differences(entry, unit, length)]))
    return "\n".join(blocks)


def differences(entry: dict[str, Any], unit: str, length: float) -> list[str]:
    """What each further arm changes: time without the event that it gains, and the hazard ratio."""
    first, *others = entry["arms"]
    table = [["", f"{unit} gained", "± MC error", "pairing saves", "hazard ratio", "95 % interval"]]
    for arm in others:
        if arm["gained"] is None:
            continue
        value, error = with_error(arm["gained"] / length, (arm["gained_error"] or 0.0) / length)
        saves = saved(arm["variance_ratio"] or math.inf)
        ratio = interval = ""
        if arm.get("hazard_ratio") is not None:
            ratio = f"{arm['hazard_ratio']:.3g}"
            high = arm["hazard_ratio_high"]
            interval = f"{arm['hazard_ratio_low']:.3g} to {high:.3g}" if high is not None else ""
        table.append([f"{entry['event']}, {arm['arm']}", value, error, saves, ratio, interval])
    if len(table) == 1:
        return []
    test = entry.get("logrank")
    told = f"; log-rank p {test['p']:.2g}" if test else ""
    up_to = f"time without the event up to {entry['horizon'] / length:.3g} {unit}, difference to {first['arm']}{told}"
    return [up_to, *aligned(table)]


def saved(gain: float) -> str:
    """What pairing saves, from the variance of an unpaired difference over that of the paired one."""
    if math.isinf(gain):
        return "no pair is unlike another"
    return f"{gain:.3g} times the patients" if gain >= 1.05 else "nothing"


def _share(at: dict[str, Any]) -> str:
    """Survival in percent with its interval."""
    if at["survival"] is None:
        return "?"
    shown, _ = with_error(100 * at["survival"], 100 * (at["error"] or 0.0))
    if at["low"] is None or at["high"] is None:
        return shown
    return f"{shown} ({100 * at['low']:.3g} to {100 * at['high']:.3g})"


def _round_times(horizon: float, unit: float) -> list[float]:
    """Round times of this unit (days), 3 to 7 of them, up to the horizon (days)."""
    last = horizon / unit * (1.0 + 1e-9)
    if not last > 0.0:
        return []
    power = 10.0 ** math.floor(math.log10(last / TIMES))
    step = max(power * factor for factor in (1, 2, 2.5, 5) if power * factor * TIMES <= last)
    return [k * step * unit for k in range(1, math.floor(last / step) + 1)]
