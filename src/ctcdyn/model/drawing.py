"""How parameters differ from patient to patient: distributions of a study in base units, within the model's bounds."""

from __future__ import annotations

import math

from ctcdyn.config import Distribution
from ctcdyn.model.definitions import in_base
from ctcdyn.model.network import Network, Parameter, derived_is_fixed, unknown_name
from ctcdyn.model.quantiles import LEAST, Draw, kept, support
from ctcdyn.model.reader import Reader
from ctcdyn.units import DIMENSIONLESS

_QUANTITIES = ("mean", "sd", "median", "scale", "low", "high")


def read_draw(
    reader: Reader,
    path: tuple[str, str, str],
    given: Distribution,
    network: Network,
    also: dict[str, str] | None = None,
) -> Draw | None:
    """The draw of one parameter; what is wrong with it is noted. `also`: names that stand for other parameters."""
    name = path[-1]
    place = reader.document.place(*path)
    by_name = {item.name: item for item in network.parameters}
    shown = ".".join(path)
    item = by_name.get((also or {}).get(name, name))
    if item is None:
        known = (*network.parameter_names, *(network.species_names if also is not None else ()))
        reader.problems.append(unknown_name("parameter", name, known, place, shown))
        return None
    if item.expr is not None:
        reader.problems.append(derived_is_fixed(item, by_name, place, shown))
        return None
    values: dict[str, float] = {}
    asked = [key for key in _QUANTITIES if getattr(given, key) is not None]
    for key in asked:
        quantity = reader.quantity((*path, key))
        value = in_base(reader, (*path, key), quantity, item) if quantity is not None else None
        if value is not None:
            values[key] = value
    if len(values) < len(asked):
        return None
    draw = _parameters_of(reader, path, given, values, item, network.index(item.name))
    return draw if draw is not None and _within(reader, path, draw, item) else None


def _parameters_of(
    reader: Reader,
    path: tuple[str, str, str],
    given: Distribution,
    values: dict[str, float],
    item: Parameter,
    position: int,
) -> Draw | None:
    """The draw in numbers; None where one of them cannot be."""
    for key, why in (("sd", ""), ("median", "a lognormal is positive: "), ("scale", "a gamma is positive: ")):
        if values.get(key, 1.0) <= 0:
            what = f"{key} must be above 0, not {values[key]:g}"
            reader.note("C115", what, (*path, key), f"{why}write a positive {key}")
            return None
    low, high = values.get("low", -math.inf), values.get("high", math.inf)
    if not low < high:
        reader.note("C115", f"low ({low:g}) must be below high ({high:g})", (*path, "high"), "swap them")
        return None
    if given.dist == "uniform":
        return Draw(position, "uniform", low, high)
    if given.dist == "loguniform":
        if low <= 0:
            fix = "a loguniform is positive: write a low above 0"
            reader.note("C115", f"low must be above 0, not {low:g}", (*path, "low"), fix)
            return None
        return Draw(position, "loguniform", math.log(low), math.log(high))
    if given.dist == "beta":
        assert given.alpha is not None
        assert given.beta is not None
        if len(values) < 2 and item.dimension != DIMENSIONLESS:
            what = f"{item.name} has the unit {item.declared}, and a beta without ends goes from 0 to 1"
            reader.note("C115", what, path, "write low and high with their unit")
            return None
        low, high = values.get("low", 0.0), values.get("high", 1.0)
        if not low < high:
            reader.note("C115", f"low ({low:g}) must be below high ({high:g})", path, "give both ends")
            return None
        return Draw(position, "beta", given.alpha, given.beta, low, high)
    draw = _cut(given, values, position, low, high)
    if draw is None or kept(draw) < LEAST:
        what = (
            f"less than {LEAST:g} of this {given.dist} lies between low and high"
            if draw
            else "mean must be above 0"
        )
        key = "mean" if draw is None else "low" if "low" in values else "high"
        reader.note(
            "C115",
            what,
            (*path, key),
            "cut off less" if draw else "a gamma is positive: write a positive mean",
        )
        return None
    return draw


def _cut(
    given: Distribution, values: dict[str, float], position: int, low: float, high: float
) -> Draw | None:
    """A normal, lognormal or gamma between two ends; None for a gamma with a mean that is not positive."""
    if given.dist == "normal":
        return Draw(position, "normal", values["mean"], values["sd"], low, high)
    if given.dist == "lognormal":
        return Draw(position, "lognormal", math.log(values["median"]), _sigma(given), low, high)
    assert given.shape is not None
    scale = values["scale"] if "scale" in values else values["mean"] / given.shape
    return Draw(position, "gamma", given.shape, scale, low, high) if scale > 0 else None


def _sigma(given: Distribution) -> float:
    if given.sigma is not None:
        return given.sigma
    if given.gsd is not None:
        return math.log(given.gsd)
    assert given.cv is not None
    return math.sqrt(math.log1p(given.cv * given.cv))  # cv^2 = exp(sigma^2) - 1


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
        fix = f"cut it off with low = {item.bounds[0]:g}, use a lognormal, which is positive, or {fix}"
    reader.note("M306", what, path, fix)
    return False
