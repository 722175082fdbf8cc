"""Control variates: what is sampled, corrected by what is known exactly of the same patients.

Where an event has an exact chance (method `backward`), any other outcome of a sampled cohort that goes with it can be
estimated with fewer patients: how far the cohort had more of the event than it should is known, and what that did to
the outcome is taken off. J. M. Hammersley and D. C. Handscomb 1964, Monte Carlo Methods, section 5.5; of several:
S. S. Lavenberg and P. D. Welch 1981, doi:10.1287/mnsc.27.3.322.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ctcdyn.analysis import arm_index, clocks, event_index, save_index
from ctcdyn.errors import CtcError, Exit, Problem, Status
from ctcdyn.results import Results

Array = NDArray[np.float64]

FEWEST = 10  # patients for each number that is fitted


@dataclass(frozen=True, slots=True)
class Controlled:
    """A mean over patients with control variates, its standard error, and `plain` and `plain_error` without them.

    `patients` were sampled; of `known` patients, the sampled ones among them, the exact chances went in.
    """

    value: float
    error: float
    plain: float
    plain_error: float
    patients: int
    known: int

    @property
    def gain(self) -> float:
        """Variance without the controls to that with them: so many times the patients would give the same error."""
        return (self.plain_error / self.error) ** 2 if self.error > 0 else math.inf

    def __str__(self) -> str:
        return f"{self.value:.4g} ± {self.error:.2g}, variance {self.gain:.3g} times smaller (n = {self.patients})"


def controlled(
    sampled: Results,
    exact: Results,
    outcome: str | ArrayLike,
    event: str,
    times: Sequence[float] | None = None,
    arm: str | None = None,
    against: str | None = None,
) -> Controlled:
    """Mean of an outcome over the patients of `sampled`, with the chances of `event` in `exact` as control variates.

    `exact`: the same study by `backward`, with the same seed, the same patients or more of them (the first ones are the
    sampled ones; parameters must agree to the bit), and full paths of all kept. `outcome`: a number for each trajectory
    of `sampled`, (K,), or the name of an event: whether it happened by the end. `times`, days: saves by which `event`
    is compared (default: the end of the run; an event with a clock allows no other). `arm`: default the first; with
    `against` the mean difference to that arm, patient by patient.

    The controls are, for each time and arm, whether the event had come less its chance p for this patient (its mean is
    0, whatever the patient), and p less its mean over all patients of `exact`. Their weights are fitted on one half of
    the patients and used on the other, so the estimate has no bias. Patients with a failed trajectory, or an outcome
    that is no number, are left out; replicates are averaged; weights of trajectories ([importance]) count. The wrong
    call: the share with `event` itself, which is the mean of `exact` and needs no sampling.

    Raises CtcError (exit 2): R509 for names and times that the results do not hold, R520 where the two do not belong
    together, or patients are too few.
    """
    chosen = [arm_index(sampled, arm)] + ([] if against is None else [arm_index(sampled, against)])
    if sampled.arm != exact.arm or sampled.parameter != exact.parameter:
        raise _apart("they differ in arms or parameters", "run the same study with both methods")
    if exact.schema.kept < exact.schema.count:
        what = f"full paths of {exact.schema.kept} of {exact.schema.count} exact trajectories are kept"
        raise CtcError(Problem("R520", what, fix='run the exact study with keep = "all"'), Exit.USAGE)
    when = [_save(sampled, exact, time) for time in times] if times is not None else [len(exact.time) - 1]
    if times is not None and event in clocks(sampled):
        what = f"the time of {event!r} is measured from {clocks(sampled)[event]!r}, and saves are not"
        raise CtcError(Problem("R509", what, fix="leave `times` out: the end of the run is compared"), Exit.USAGE)
    if times is None and sampled.time[-1] != exact.time[-1]:
        raise _apart(f"they end on days {sampled.time[-1]:g} and {exact.time[-1]:g}", "give both the same t_end")
    happened = _happened(sampled, event, [math.inf if times is None else exact.time[j] for j in when])
    chance = exact.values(f"chance_{event}")[:, when].astype(np.float64)
    table = np.column_stack([_outcome(sampled, outcome), happened])
    if sampled.schema.weighted:
        table *= sampled.weight[:, None]
    ids, parts = _patients(sampled, table, chosen)
    all_ids, known = _patients(exact, chance, chosen)
    _same(sampled, exact, ids, all_ids)
    there = np.isin(ids, all_ids)  # a patient whose chances could not be computed is none of either
    ids, parts = ids[there], parts[:, there]
    own = np.isin(all_ids, ids)
    y = parts[0, :, 0] - (parts[1, :, 0] if against is not None else 0.0)
    p = np.concatenate(list(known[:, own]), axis=1)
    noise = np.concatenate(list(parts[:, :, 1:]), axis=1) - p
    if len(y) < FEWEST * (2 * p.shape[1] + 1):
        what = f"{len(y)} patients for {2 * p.shape[1]} controls"
        raise CtcError(Problem("R520", what, fix="sample more patients, or compare at fewer times"), Exit.USAGE)
    return regression(y, noise, p, np.concatenate(list(known[:, ~own]), axis=1))


def regression(y: Array, noise: Array, known: Array, others: Array) -> Controlled:
    """Mean of `y` (n,) over independent patients, with controls of mean 0 and of a mean that others tell as well.

    `noise` (n, q): mean 0 for every patient; `known` (n, q): of these patients, `others` (m, q): of more of them, of
    the same law. Two-phase regression: mean(y - b noise - (1 - f) c known) + (1 - f) c mean(others), f = n / (n + m),
    where the weights b, c of one half come from the other. The two means are independent, and their variances add.
    """
    others = others if len(others) > 1 else others[:0]
    n, m = len(y), len(others)
    rest = m / (n + m)
    columns = np.column_stack([noise, known])
    halves, q = np.arange(n) % 2 == 0, noise.shape[1]
    value, left, weights = 0.0, np.empty(n), []
    for half in (halves, ~halves):
        of = columns[~half]
        weight = np.linalg.lstsq(of - of.mean(axis=0), y[~half] - y[~half].mean(), rcond=1e-10)[0]
        weight[q:] *= rest
        left[half] = y[half] - columns[half] @ weight
        value += left[half].sum() / n
        if m:
            value += half.sum() / n * float(others.mean(axis=0) @ weight[q:])
            left[half] += known.mean(axis=0) @ weight[q:]  # to a common level: what counts is the spread about it
            weights.append(weight[q:])
    spread = float(left.var(ddof=1)) / n
    if m:
        spread += float((others @ np.mean(weights, axis=0)).var(ddof=1)) / m
    return Controlled(float(value), math.sqrt(spread), float(y.mean()), math.sqrt(float(y.var(ddof=1)) / n), n, n + m)


def _outcome(sampled: Results, outcome: str | ArrayLike) -> Array:
    if isinstance(outcome, str):
        return _happened(sampled, outcome, [math.inf])[:, 0]
    values = np.asarray(outcome, dtype=np.float64)
    if values.shape != (sampled.schema.count,):
        what = f"an outcome of shape {values.shape} for {sampled.schema.count} trajectories"
        raise CtcError(Problem("R520", what, fix="give one number for each trajectory"), Exit.USAGE)
    return values


def _happened(sampled: Results, event: str, by: Sequence[float]) -> Array:
    """Whether the event had come by each of these days, (K, len(by))."""
    e = event_index(sampled, event)
    seen, day = sampled.event_observed[:, e] == 1, sampled.event_time[:, e]
    return np.column_stack([seen & (day <= t) for t in by]).astype(np.float64)


def _save(sampled: Results, exact: Results, time: float) -> int:
    if time > sampled.time[-1]:
        raise _apart(f"day {time:g} is after {sampled.time[-1]:g}, the end of the sampled run", "give an earlier day")
    return save_index(exact, time)


def _patients(results: Results, values: Array, arms: Sequence[int]) -> tuple[NDArray[np.int64], Array]:
    """Patients none of whose trajectories in these arms failed, (n,), and their means over replicates, (arms, n, q)."""
    good = np.isfinite(values.sum(axis=1)) & np.isin(results.status, [int(s) for s in Status if s.ok])
    ids, of = np.unique(results["patient_id"], return_inverse=True)
    means, whole = [], np.ones(len(ids), np.bool_)
    for arm in arms:
        mine = results["arm_index"] == arm
        number = np.bincount(of[mine], minlength=len(ids))
        whole &= (number > 0) & (np.bincount(of[mine & good], minlength=len(ids)) == number)
        sums = [np.bincount(of[mine], weights=column[mine], minlength=len(ids)) for column in values.T]
        means.append(np.column_stack(sums) / np.maximum(number, 1)[:, None])
    return ids[whole], np.stack(means)[:, whole]


def _same(sampled: Results, exact: Results, ids: NDArray[np.int64], known: NDArray[np.int64]) -> None:
    """The sampled patients are in both, with the same parameters."""
    one, other = (np.unique(r["patient_id"], return_index=True) for r in (sampled, exact))
    if not len(ids) or not len(known) or not np.isin(ids, other[0]).all():
        raise _apart("not all sampled patients are in the exact result", "give it as many patients, or more")
    rows = [first[np.isin(found, ids)] for found, first in (one, other)]
    if not np.array_equal(sampled.params[rows[0]], exact.params[rows[1]]):
        raise _apart("their patients have other parameters", "run both with the same seed and the same draws")


def _apart(what: str, fix: str) -> CtcError:
    return CtcError(Problem("R520", f"the two results do not belong together: {what}", fix=fix), Exit.USAGE)
