"""What a run found, as text for a biologist: counts, published beside simulated, means at the end.

The error that is shown is the Monte-Carlo error, the standard error of a mean over n trajectories,
sqrt(var / n). It says how far the printed mean may lie from the model's own mean, and nothing about how well
the model fits an organism. Trajectories of an ODE that all have the same numbers are one trajectory: they have no
Monte-Carlo error, and no digits of theirs are shown that the solver does not vouch for.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ctcdyn.analysis import BAND, Estimate, low_shares, mean, z_score
from ctcdyn.columns import chances, covariances, in_order, semantics
from ctcdyn.errors import CtcError, Status
from ctcdyn.fates import fate_table, fates_met
from ctcdyn.outcomes import computed, first_passages, rare
from ctcdyn.published import Judged, listed
from ctcdyn.reduction import HIGHEST
from ctcdyn.remarks import remarks
from ctcdyn.scales import write_time
from ctcdyn.wording import NEGLIGIBLE, NOTICE, Accuracy, accuracy, aligned, plain

if TYPE_CHECKING:
    from ctcdyn.model.network import Network, Published
    from ctcdyn.results import Results

# Numbers that are sorted for exact quantiles, so that memory does not grow with the trajectories: bins know a value to
# about 2 % of itself.
EXACT_STATES = 2 * 10**5
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


def summary(
    results: Results, network: Network, scaled: Collection[str] | None = None, judged: Sequence[Judged] = ()
) -> str:
    """The result block that `ctcdyn run` prints. `scaled`: parameters that treatments change; without it no remarks.
    `judged`: figures of the study, in the place of those of the model."""
    blocks = [_counts(results)]
    trusted = accuracy(results)
    rows = compare(results, network.published)
    if judged:
        blocks.append(listed(judged))
    elif rows:
        blocks.append(_published(rows, trusted))
    if results.schema.weighted:
        blocks.append(rare(results))
    elif results.event_kind and "event_time" in results:
        blocks.append(first_passages(results, trusted))
    if chances(results):
        blocks.append(computed(results, trusted))
    if results.schema.fates:
        blocks.append(fate_table(fates_met(results), trusted.alike))
    blocks.append(_at_the_end(results, trusted))
    few = {name: share for name, share in low_shares(results).items() if share > 0}
    if few:
        told = ", ".join(f"{name} {100 * share:.3g} %" for name, share in few.items())
        blocks.append(
            f"fewer than {results.schema.low_count:.0f} cells, too few for a Langevin equation: "
            f"{told} of all saved values\n"
            "  there only means and covariances can be trusted, and those of first-order reactions alone"
        )
    blocks.append(remarks(results, network, scaled) if scaled is not None else "")
    return "\n\n".join(filter(None, blocks))


def _counts(results: Results) -> str:
    found = results.counts
    failed = {s: n for s, n in found.items() if not s.ok}
    stopped = found.get(Status.STOPPED, 0)
    parts = [
        f"ok {found.get(Status.OK, 0)}",
        *([f"stopped by an event {stopped}"] if stopped else []),
        f"extinct {found.get(Status.EXTINCT, 0)}",
        f"failed {sum(failed.values())}",
    ]
    made = f"{results.schema.method}, seed {results.provenance.get('seed', 'unknown')}"
    line = f"result   {' · '.join(parts)}   of {sum(found.values())} trajectories ({made})"
    if failed:
        line += "\n         " + ", ".join(f"{n} {s.meaning.replace('_', ' ')}" for s, n in failed.items())
    return f"{line}\n         numbers of a model: {NOTICE}"


def _published(rows: Sequence[Comparison], trusted: Accuracy) -> str:
    head = "± MC error"
    meaning = "  MC error: of the mean, one standard error; four times as many trajectories halve it."
    if trusted.computed:
        head, meaning = "± of patients", "  ±: of the mean, from which patients were drawn."
    table = [("", "day", "published", "simulated", head, "z", "the published number")]
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
            *aligned(table),
            "  set a rate: the model was made to give this number; it shows only that the solver is right.",
            "  Everything between the published days is a prediction of the model.",
            *([] if trusted.alike else [meaning]),
            *(f"  source: {source}" for source in sources),
        ]
    )


def _at_the_end(results: Results, trusted: Accuracy) -> str:
    """Mean and central 95 % of each species and observable at the last save, with the share of exact zeros."""
    end = write_time(float(results.time[-1]))
    lines = [f"on {end}" if end.startswith("day") else f"at {end}"]
    told = {column for columns in chances(results).values() for column in columns.values()}
    present = [name for name in in_order(results) if f"{_table(results, name)}mean" in results]
    names = [name for name in present if name not in told]
    heads = ("mean", "± MC error", "2.5 % to 97.5 %", "none left")
    if trusted.computed:
        heads = ("value", "", "", "") if trusted.alike else ("mean", "± of patients", "2.5 % to 97.5 % of them", "")
    for a, arm in enumerate(results.arm):
        n = int(results.n_valid[a, -1])
        if len(results.arm) > 1:
            lines.append(f" {arm}")
        if Status.STOPPED in results.counts and not results.schema.weighted:
            lines.append(f"  of the {n} trajectories that no event had stopped by then")
        if n == 0:
            lines.append("  no trajectory reached it")
            continue
        table = [("", *heads)]
        bands = {"": _bands(results, a), "obs_": _levels(results, "obs_quantiles", a)}
        for name in names:
            c, prefix = results.find(name)[1], _table(results, name)
            least, shown = _least(results, name, a, trusted)
            middle, reach = _moments(results, prefix, (a, -1, c), n)
            value, error = trusted.text(middle, reach, least, shown)
            band = bands[prefix] if n > 1 and not trusted.alike else None
            spread = _spread(band[:, c], least if trusted.computed else 0.0, middle) if band is not None else ""
            unit = results.unit(name)
            counted = not prefix and "p_extinct" in results and not trusted.computed
            zeros = f"{100 * float(results.p_extinct[a, -1, c]):.3g} %" if counted else ""
            table.append((name if unit == "1" else f"{name} ({unit})", value, error, spread, zeros))
        lines.extend(aligned(table))
    if results.schema.weighted and Status.STOPPED in results.counts:
        lines.append("  a trajectory that an event has ended counts as zero from then on")
    if semantics(results) == "moments":
        lines.append("  var_x, cov_x_y: variance and covariance of the counts of one patient, by chance")
    return "\n".join(lines)


def _table(results: Results, name: str) -> str:
    """Where a column is: "" for species, "obs_" for observables."""
    return "" if results.find(name)[0] == "species" else "obs_"


def _least(results: Results, name: str, a: int, trusted: Accuracy) -> tuple[float, bool]:
    """What a computed value must reach to be told, and whether it is then told to be below that.

    Species and variances have the solver's atol for that, a covariance rtol of what it can be at most, a reading what
    is negligible beside its own largest value.
    """
    if not trusted.computed:
        return 0.0, False
    joint = covariances(results)
    if name in joint:
        one, other = (abs(float(results["obs_mean"][a, -1, results.find(x)[1]])) for x in joint[name])
        return (trusted.rtol or 1e-6) * math.sqrt(one * other), False
    c, prefix = results.find(name)[1], _table(results, name)
    if not prefix or (joint and name.startswith("var_")):
        return trusted.atol, True
    largest = np.abs(results["obs_mean"][..., c])
    return NEGLIGIBLE * float(np.nanmax(largest, initial=0.0)), False


def _spread(ends: NDArray[np.float64], least: float, middle: float) -> str:
    """A band about `middle` as text; empty where an end is not known, as that of negative numbers. What lies above all
    bins is told so."""
    low, high = (0.0 if abs(x) < least else float(x) for x in ends)
    if math.isnan(high) and (math.isfinite(low) or middle > 0):
        return (f"{plain(low)} to " if math.isfinite(low) else "") + f"above {plain(2.0**HIGHEST)}"
    return "" if math.isnan(low) or math.isnan(high) else f"{plain(low)} to {plain(high)}"


def _bands(results: Results, a: int) -> NDArray[np.float64] | None:
    """Central 95 % of each species at the end, (2, S): exact where all last states fit, else from bins."""
    if results.schema.weighted:
        return None
    if "final_state" in results and results.schema.count * len(results.species) <= EXACT_STATES:
        reached = np.isin(results.status, (Status.OK, Status.EXTINCT)) & (results["arm_index"] == a)
        states = results.final_state[reached]
        found = np.quantile(states, BAND, axis=0)
        counted = results.schema.counted[: len(results.species)]
        found[:, counted] = np.quantile(states[:, counted], BAND, axis=0, method="inverted_cdf")
        return np.asarray(found, dtype=np.float64)
    return _levels(results, "quantiles", a)


def _levels(results: Results, name: str, a: int) -> NDArray[np.float64] | None:
    """The outer two levels of an array of quantiles at the end, (2, columns); None where they are not there."""
    levels = np.round(results.quantile, 6).tolist()
    if name not in results or not {*BAND} <= {*levels}:
        return None
    return np.asarray(results[name][[levels.index(q) for q in BAND], a, -1], dtype=np.float64)


def _moments(results: Results, prefix: str, at: tuple[int, int, int], n: int) -> tuple[float, float]:
    """(mean, Monte-Carlo error) at (arm, save, column); `prefix` is "" for species and "obs_" for observables."""
    if results.schema.weighted:
        return float(results[f"{prefix}mean"][at]), float(results[f"{prefix}mean_error"][at])
    variance = float(results[f"{prefix}var"][at])
    return float(results[f"{prefix}mean"][at]), math.sqrt(variance / n) if n > 1 and variance >= 0 else 0.0


