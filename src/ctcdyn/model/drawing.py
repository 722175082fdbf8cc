"""How parameters differ from patient to patient: distributions of a study in base units, within the model's bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ctcdyn.config import Distribution
from ctcdyn.model.definitions import in_base
from ctcdyn.model.network import Network, Parameter, derived_is_fixed, unknown_name
from ctcdyn.model.reader import Reader

Dist = Literal["normal", "lognormal", "uniform", "loguniform"]

# No draw is further out than this many standard deviations: by inversion of a 53-bit uniform the largest is
# 8.29, by the polar method sqrt(2 log 2^53) = 8.57. Bounds that hold this much hold every draw there will be.
FARTHEST = 8.6


@dataclass(frozen=True, slots=True)
class Draw:
    """How a parameter differs from patient to patient, in base units.

    a, b: normal mean, sd; lognormal mean and sd of the logarithm; uniform low, high; loguniform log low,
    log high.
    """

    parameter: int
    dist: Dist
    a: float
    b: float


def read_draw(
    reader: Reader, path: tuple[str, str, str], given: Distribution, network: Network
) -> Draw | None:
    """The draw of one parameter; what is wrong with it is noted."""
    name = path[-1]
    place = reader.document.place(*path)
    by_name = {item.name: item for item in network.parameters}
    shown = ".".join(path)
    if name not in by_name:
        reader.problems.append(unknown_name("parameter", name, network.parameter_names, place, shown))
        return None
    item = by_name[name]
    if item.expr is not None:
        reader.problems.append(derived_is_fixed(item, by_name, place, shown))
        return None
    values: dict[str, float] = {}
    for key in ("mean", "sd", "median", "low", "high"):
        if getattr(given, key) is None:
            continue
        quantity = reader.quantity((*path, key))
        value = in_base(reader, (*path, key), quantity, item) if quantity is not None else None
        if value is not None:
            values[key] = value
    if any(
        getattr(given, key) is not None and key not in values
        for key in ("mean", "sd", "median", "low", "high")
    ):
        return None
    draw = _parameters_of(reader, path, given, values, network.index(name))
    return draw if draw is not None and _within(reader, path, draw, item) else None


def _parameters_of(
    reader: Reader, path: tuple[str, str, str], given: Distribution, values: dict[str, float], position: int
) -> Draw | None:
    if given.dist == "normal":
        if values["sd"] <= 0:
            reader.note(
                "C115", f"sd must be above 0, not {values['sd']:g}", (*path, "sd"), "write a positive sd"
            )
            return None
        return Draw(position, "normal", values["mean"], values["sd"])
    if given.dist == "lognormal":
        if values["median"] <= 0:
            fix = "a lognormal is positive: write a positive median"
            reader.note("C115", f"median must be above 0, not {values['median']:g}", (*path, "median"), fix)
            return None
        return Draw(position, "lognormal", math.log(values["median"]), _sigma(given))
    low, high = values["low"], values["high"]
    if not low < high:
        reader.note("C115", f"low ({low:g}) must be below high ({high:g})", (*path, "high"), "swap them")
        return None
    if given.dist == "uniform":
        return Draw(position, "uniform", low, high)
    if low <= 0:
        fix = "a loguniform is positive: write a low above 0"
        reader.note("C115", f"low must be above 0, not {low:g}", (*path, "low"), fix)
        return None
    return Draw(position, "loguniform", math.log(low), math.log(high))


def _sigma(given: Distribution) -> float:
    if given.sigma is not None:
        return given.sigma
    if given.gsd is not None:
        return math.log(given.gsd)
    assert given.cv is not None
    return math.sqrt(math.log1p(given.cv * given.cv))  # cv^2 = exp(sigma^2) - 1


def support(draw: Draw) -> tuple[float, float]:
    """Smallest and largest value that a draw can give, in base units."""
    if draw.dist == "uniform":
        return draw.a, draw.b
    if draw.dist == "normal":
        return draw.a - FARTHEST * draw.b, draw.a + FARTHEST * draw.b
    reach = FARTHEST * draw.b if draw.dist == "lognormal" else 0.0
    low, high = draw.a - reach, draw.a + reach if draw.dist == "lognormal" else draw.b
    # exp(log(x)) may miss x by rounding: a bound that is touched is not left
    return math.exp(low), math.exp(high) if high < 709.0 else math.inf


def _within(reader: Reader, path: tuple[str, str, str], draw: Draw, item: Parameter) -> bool:
    low, high = support(draw)
    if not math.isfinite(high):
        reader.note("C115", f"draws of {item.name} can overflow", path, "choose a smaller spread")
        return False
    if item.bounds is None:
        return True
    slack = 1e-12 * max(abs(low), abs(high)) if draw.dist == "loguniform" else 0.0
    if item.bounds[0] <= low + slack and high - slack <= item.bounds[1]:
        return True
    what = (
        f"draws of {item.name} reach from {low:.4g} to {high:.4g} {item.unit}, "
        f"outside its bounds {item.bounds[0]:g} to {item.bounds[1]:g}"
    )
    where = f" ({item.place.file}:{item.place.line})" if item.place is not None else ""
    fix = f"draw from a narrower range, or widen the bounds in the model{where}"
    if draw.dist == "normal" and item.bounds[0] >= 0 > low:
        fix = f"use a lognormal, which is positive, or {fix}"
    reader.note("M306", what, path, fix)
    return False
