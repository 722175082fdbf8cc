"""Of all cells shed, how many met each fate: shares with their Monte-Carlo errors, arm by arm.

A share is the ratio of two sums over all trajectories of an arm, cells with a fate over cells shed, each trajectory up
to the end of its follow-up. Its error is that of a ratio of means by the delta method (W. G. Cochran, Sampling
Techniques, 3rd ed. 1977, section 6.4): with x cells shed and y cells of the fate, r = sum y / sum x,

    error^2 = sum (y - r x)^2 / (n (n - 1)) / mean(x)^2.

A mean of the ratios of single trajectories would count a patient who shed ten cells as much as one who shed a billion.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ctcdyn.errors import Status
from ctcdyn.store.layout import BLOCK, FATE
from ctcdyn.wording import aligned, plain, with_error

if TYPE_CHECKING:
    from ctcdyn.results import Results

SHED = "shed"  # the fate that all others are shares of
SCARCE = 1e-7  # of the mean square: sums of squares that differ by less differ by rounding


def fates_met(results: Results) -> list[dict[str, Any]]:
    """For each arm and fate: cells of a trajectory (`mean`, `error`), and their share of all cells shed (`share`,
    `share_error`; None where none were shed or no fate is `shed`); `n` trajectories, those that did not fail.
    """
    fates = results.schema.fates
    if not fates or "final_state" not in results:
        return []
    column = [results.species.index(FATE + name) for name in fates]
    shed = fates.index(SHED) if SHED in fates else None
    found: list[dict[str, Any]] = []
    for number, arm in enumerate(results.arm):
        n, sums, squares = _sums(results, column, number)
        for f, name in enumerate(fates):
            entry: dict[str, Any] = {"arm": arm, "fate": name, "n": n}
            entry |= {"mean": sums[f] / n if n else None, "error": _error(n, sums[f], squares[f][f])}
            entry |= {"share": None, "share_error": None}
            if shed is not None and n and sums[shed] > 0:
                r = sums[f] / sums[shed]
                rest = squares[f][f] - 2.0 * r * squares[f][shed] + r * r * squares[shed][shed]
                spread = _root(rest, squares[f][f], n)
                entry |= {"share": r, "share_error": None if spread is None else spread * n / sums[shed]}
            found.append(entry)
    return found


def fate_table(met: Sequence[dict[str, Any]], alike: bool = False) -> str:
    """What `fates_met` found, as text; `alike`: all trajectories are one, without errors. Empty for nothing."""
    if not met:
        return ""
    arms = list(dict.fromkeys(entry["arm"] for entry in met))
    shares = any(entry["share"] is not None for entry in met)
    lines = ["of all cells shed" if shares else "cells by fate"]
    for arm in arms:
        mine = [entry for entry in met if entry["arm"] == arm]
        lines += [f" {arm}"] if len(arms) > 1 else []
        if not mine[0]["n"]:
            lines.append("  no trajectory")
            continue
        head = ("", "share", "± MC error", "cells of a patient")
        table = [head if shares else ("", head[3], head[2])]
        for entry in mine:
            name = entry["fate"].replace("_", " ")
            cells, error = with_error(entry["mean"], 0.0 if alike else entry["error"] or 0.0)
            if not shares:
                table.append((name, cells, error))
            elif entry["share"] is None:
                table.append((name, "none shed", "", cells))
            else:
                reach = 0.0 if alike else 100 * (entry["share_error"] or 0.0)
                share, of_share = with_error(100 * entry["share"], reach)
                table.append((name, f"{share} %", f"{of_share} %" if of_share else "", plain(entry["mean"])))
        lines.extend(aligned(table))
    if shares:
        note = "a cell meets several, one after the other: they add up to more than 100 %"
        lines.append(f"  to the end of follow-up; {note}")
    return "\n".join(lines)


def _sums(results: Results, column: Sequence[int], arm: int) -> tuple[int, list[float], list[list[float]]]:
    """Trajectories of an arm that did not fail, sums of their counts, and sums of products of each two."""
    good = [int(s) for s in Status if s.ok]
    n, sums, squares = 0, np.zeros(len(column)), np.zeros((len(column), len(column)))
    step = 16 * BLOCK
    for start in range(0, results.schema.count, step):
        stop = start + step
        chosen = np.isin(results.rows("status", start, stop), good) & (results.rows("arm_index", start, stop) == arm)
        counts = results.rows("final_state", start, stop)[chosen][:, column].astype(np.float64)
        if results.schema.weighted:
            counts *= results.rows("weight", start, stop)[chosen][:, None]
        n += int(chosen.sum())
        sums += counts.sum(axis=0)
        squares += np.einsum("kf,kg->fg", counts, counts)
    return n, sums.tolist(), squares.tolist()


def _error(n: int, total: float, square: float) -> float | None:
    """Standard error of a mean from sums; None below two trajectories."""
    return _root(square - total * total / n, square, n) if n > 1 else None


def _root(rest: float, scale: float, n: int) -> float | None:
    """sqrt(rest / (n (n - 1))), where `rest` is a sum of squares left of `scale`; None below two trajectories."""
    if n < 2:
        return None
    return math.sqrt(rest / (n * (n - 1.0))) if rest > SCARCE**2 * scale else 0.0
