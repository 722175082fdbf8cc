"""How numbers and tables of a summary are written: no digit that nobody vouches for, no column without an entry."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ctcdyn import alignment
from ctcdyn.columns import COMPUTED, semantics
from ctcdyn.store.layout import BLOCK

if TYPE_CHECKING:
    from ctcdyn.results import Results

NOTICE = "not for clinical use"  # stands where results are shown
SHOWN = 200  # characters of a provenance entry that text shows
NOTHING = 1e-30  # below, no method holds a number: backward equations hold chances down to here
# Of the largest value that a reading ever had: what is less is what is left of a difference, or of a decay that has no
# error bound. The file has it.
NEGLIGIBLE = 1e-15
aligned = alignment.aligned


@dataclass(frozen=True)
class Accuracy:
    """How far printed numbers can be trusted.

    `computed`: nothing is sampled. `rtol` and `atol` (cells) of the solver then, None and 0 where they are unknown;
    `alike`: all trajectories are the same, so that there is no Monte-Carlo error.
    """

    rtol: float | None = None
    alike: bool = False
    atol: float = 0.0
    computed: bool = False

    def text(self, value: float, error: float, least: float = 0.0, told: bool = False) -> tuple[str, str]:
        """A mean and its Monte-Carlo error as text. Of computed values, one below `least` is 0, or with `told`
        "< least"."""
        if self.computed and abs(value) < max(least, NOTHING):
            return (f"< {least:g}" if told and value != 0.0 else "0"), ""
        return with_error(value, 0.0 if self.alike else error, self.rtol)


def accuracy(results: Results) -> Accuracy:
    """What a result says of its own accuracy; its solver is looked up by name, so one of the user's is unknown."""
    if semantics(results) not in COMPUTED:
        return Accuracy()
    rtol, atol, drawn = None, 0.0, any(name in results.schema.whole for name in results.observable)  # of samples
    try:
        study = json.loads(str(results.provenance["config_resolved_json"]))
        rtol, atol = float(study["simulate"]["rtol"]), float(study["simulate"].get("atol", 0.0))
        drawn = drawn or any(_scatters(x) for x in study.get("treatment", ()))
    except (KeyError, TypeError, ValueError):
        pass
    return Accuracy(rtol, not drawn and _same_parameters(results), atol, True)


def _scatters(treatment: dict[str, Any]) -> bool:
    """Whether a treatment of a study leaves its schedule to chance, so that no trajectory is another."""
    return treatment.get("adherence") is not None or bool((treatment.get("start") or {}).get("jitter"))


def _same_parameters(results: Results) -> bool:
    """Whether every trajectory has the parameters of the first; read block by block, up to one that differs."""
    if "params" not in results:
        return False
    first = results.rows("params", 0, 1)
    steps = range(0, results.schema.count, 16 * BLOCK)
    return all(bool((results.rows("params", start, start + 16 * BLOCK) == first).all()) for start in steps)


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



def grouped(number: int) -> str:
    """A count with a space before each three digits."""
    return f"{number:,}".replace(",", " ")


def size(number: float) -> str:
    """A number of bytes."""
    for unit in ("bytes", "kB", "MB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} GB"


def or_none(value: float) -> float | None:
    """JSON has no NaN and no infinity."""
    return float(value) if math.isfinite(value) else None
