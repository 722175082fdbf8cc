"""Which axis fits a range of numbers: unit of time, linear or logarithmic, which ticks and how they are
written.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_DECADES = 10  # below the largest number: what is smaller counts as nothing
_LABELS = 6  # on a logarithmic axis


@dataclass(frozen=True, slots=True)
class Scale:
    """A value axis from `low` to `high`; ticks and labels only where it is logarithmic.

    `kind` is "linear", "log", or "symlog": linear from 0 to `threshold`, logarithmic above.
    """

    kind: str
    low: float
    high: float
    threshold: float = 0.0
    ticks: tuple[float, ...] = ()
    minor: tuple[float, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """Text of the ticks; one axis has one way to write powers of ten."""
        plain = all(value == 0 or 1e-2 <= value <= 1e3 for value in self.ticks)
        return tuple(
            f"{value:g}" if plain or value in (0.0, 1.0, 10.0) else f"$10^{{{round(math.log10(value))}}}$"
            for value in self.ticks
        )


def choose_scale(values: Floats, discrete: bool) -> Scale:
    """Linear below two decades; logarithmic above, with room for zero where zero occurs.

    `discrete` says that the numbers count things: small counts stay linear, and everything below one is drawn
    between none and one.
    """
    shown = values[np.isfinite(values)]
    top = float(shown.max(initial=0.0))
    negligible = top * 10.0**-_DECADES
    if (shown < -negligible).any():  # an ODE solver leaves -1e-131 where nothing is
        bottom = float(shown.min())
        return Scale("linear", bottom - 0.05 * (top - bottom), top + 0.05 * (top - bottom))
    if top <= 0:
        return Scale("linear", 0.0, 1.0)
    bottom = float(shown[shown > negligible].min())
    if top < 100 * bottom or (discrete and top < 100):
        return Scale("linear", 0.0, 1.06 * top)
    if (shown <= negligible).any():
        threshold = 10.0 ** math.floor(math.log10(bottom) + 1e-9)
        threshold = max(threshold, 1.0) if discrete else threshold
        ticks, minor = _decades(threshold, 1.3 * top)
        return Scale("symlog", 0.0, 1.3 * top, threshold, (0.0, *ticks), minor)
    low, high = bottom / 1.5, 1.5 * top
    return Scale("log", low, high, 0.0, *_decades(low, high))


def _decades(low: float, high: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Powers of ten from `low` to `high`: those that are labelled, and all."""
    powers = range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
    step = max(1, -(-len(powers) // _LABELS))
    labelled = tuple(10.0**power for power in powers if power % step == 0)
    return labelled, tuple(10.0**power for power in powers)


def time_unit(end: float) -> tuple[str, float]:
    """Unit of the time axis for a study that ends at `end` days, and its length in days (Julian years)."""
    if end >= 2 * 365.25:
        return "years", 365.25
    if end > 2:
        return "days", 1.0
    return ("hours", 1 / 24) if end > 0.1 else ("minutes", 1 / 1440)


def write_time(time: float) -> str:
    """A time (days) in a unit that fits it; days stay days, so that they are found on the axis of the result.

    >>> write_time(13.0), write_time(1 / 12), write_time(3652.5)
    ('day 13', '120 minutes', 'day 3652.5 (10 years)')
    """
    unit, length = time_unit(time)
    if unit == "days":
        return f"day {time:.6g}"
    if unit == "years":
        return f"day {time:.6g} ({time / length:.3g} years)"
    return f"{time / length:.6g} {unit}"


def write_length(days: float) -> str:
    """A length of time (days) in a unit that fits it.

    >>> write_length(14.0), write_length(0.5), write_length(1 / 96)
    ('14 days', '12 hours', '15 minutes')
    """
    unit, length = time_unit(days) if days <= 2 else ("days", 1.0)
    return f"{days / length:.6g} {unit}"


def write_unit(unit: str) -> str:
    """Unit text as papers print it: "1/mL" with a negative exponent, "1" as nothing."""
    numerator, _, denominator = unit.partition("/")
    if unit == "1":
        return ""
    if not denominator or not denominator.isalpha():
        return unit
    return f"{'' if numerator == '1' else numerator + ' '}{denominator}$^{{-1}}$"
