"""[[noise]] of a model file: what makes a rate or a population fluctuate beside the reactions themselves.

- `white`: dx = ... + sqrt(variance) dW on a species, in the sense of Ito; `variance` per day, an expression of species,
  parameters and t. `variance = "volatility * x * x"` is the multiplicative noise sigma x dW with volatility = sigma^2.
- `ou`: a parameter is multiplied by exp(u - sd^2 / 2) with du = -u / time dt + sd sqrt(2 / time) dW: lognormal about
  its value with mean 1, correlated over `time`. u is a hidden species, 0 at the start.
- `telegraph`: a parameter is multiplied by 1 / on_fraction while a switch is on and by 0 while it is off: mean 1. The
  switch is two hidden species and two reactions of first order, so every solver for counts has it; off at the start.

White noise and `ou` are for Langevin methods: counts of cells have no such noise. A telegraph is for the others: two
states are not a large number.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ctcdyn.errors import Problem
from ctcdyn.model.expr import Call, Expr, Name, Number, dimension, names, substitute
from ctcdyn.model.network import Network, Noise, Reaction, Species, unknown_name
from ctcdyn.model.reader import Reader
from ctcdyn.places import describe
from ctcdyn.units import DIMENSIONLESS, TIME, Dimension, UnitError

_COMMON = ("name", "kind", "source", "doc")
_KEYS = {
    "white": ("species", "variance"),
    "ou": ("parameter", "sd", "time"),
    "telegraph": ("parameter", "on_fraction", "switching"),
}
_LANGEVIN = "langevin"


def read_noises(reader: Reader, network: Network, taken: dict[str, str], checked: bool) -> Network:
    """The network with its [[noise]] tables: added species, their reactions, and the factors of parameters in rates."""
    tables = reader.value(("noise",))
    if tables is None:
        return network
    if not isinstance(tables, list):
        what = f"noise must be a list of tables, not {describe(tables)}"
        reader.note("C104", what, ("noise",), "write [[noise]] with two brackets, once for each")
        return network
    dimensions = {item.name: item.dimension for item in network.species}
    dimensions |= {item.name: item.dimension for item in network.parameters}
    for k, table in enumerate(tables):
        if not isinstance(table, dict):
            reader.note("C104", f"a noise must be a table, not {describe(table)}", ("noise", k), "write [[noise]]")
            continue
        network = _noise(reader, network, k, table, taken, dimensions, checked)
    return network


def _noise(
    reader: Reader,
    network: Network,
    k: int,
    table: dict[str, Any],
    taken: dict[str, str],
    dimensions: dict[str, Dimension],
    checked: bool,
) -> Network:
    path, before = ("noise", k), len(reader.problems)
    name, kind = reader.text((*path, "name")), reader.text((*path, "kind"))
    if kind not in _KEYS:
        fix = f"write kind = {', '.join(map(repr, _KEYS))}".replace("'", '"')
        reader.note("C105" if "kind" in table else "C103", f"noise {k + 1} has no known kind", path, fix)
        return network
    reader.keys(path, (*_COMMON, *_KEYS[kind]))
    for key in ("name", "source", *_KEYS[kind]):
        if key not in table:
            reader.note("C103", f"noise {k + 1} has no {key}", path, f"a {kind} noise takes {', '.join(_KEYS[kind])}")
    if "source" in table and not reader.text((*path, "source")).strip():
        reader.note("M305", f"noise {name} has no source", path, 'add source = "doi:..." or "assumed: why"')
    if "name" in table:
        reader.name(name, (*path, "name"), taken, "noise")
    of = "species" if kind == "white" else "parameter"
    known = network.species_names if kind == "white" else network.parameter_names
    target = reader.text((*path, of))
    if of in table and target not in known:
        reader.problems.append(unknown_name(of, target, known, reader.document.place(*path, of), f"noise.{k}.{of}"))
    expressions: dict[str, Expr] = {}
    everything = {*dimensions, *reader.broken}
    for key in _KEYS[kind][1:]:
        allowed = {*everything, "t"} if kind == "white" else {*network.parameter_names}
        also = "species, parameters and t" if kind == "white" else "only parameters"
        tree = reader.expression((*path, key), allowed, also) if key in table else None
        if tree is not None:
            expressions[key] = tree
    if len(reader.problems) > before:
        return network
    if checked and not any(names(e) & reader.broken for e in expressions.values()):
        for key, e in expressions.items():
            _check_unit(reader, (*path, key), e, key, network, target, dimensions)
    if len(reader.problems) > before:
        return network
    place = reader.document.place(*path)
    if kind == "white":
        s = network.species_names.index(target)
        return replace(network, noises=(*network.noises, Noise(name, kind, s, expressions["variance"], place=place)))
    if kind == "ou":
        return _ornstein_uhlenbeck(network, name, target, expressions, place)
    return _telegraph(network, name, target, expressions, place, reader, taken, path)


def _check_unit(
    reader: Reader,
    path: tuple[str, int, str],
    e: Expr,
    key: str,
    network: Network,
    target: str,
    dimensions: dict[str, Dimension],
) -> None:
    wanted = {"time": TIME, "switching": DIMENSIONLESS / TIME}.get(key, DIMENSIONLESS)
    if key == "variance":
        unit = network.species[network.species_names.index(target)].dimension
        wanted = unit * unit / TIME
    try:
        found = dimension(e, dimensions | {"t": TIME}, wanted)
        if found != wanted:
            what = f"{key} has the unit {found}, not {wanted}"
            reader.note("U205", what, path, "a variance is per day" if key == "variance" else "check its parameters")
    except UnitError as error:
        reader.adopt(error, path)


def _ornstein_uhlenbeck(network: Network, name: str, target: str, given: dict[str, Expr], place: Any) -> Network:
    sd, time = given["sd"], given["time"]
    variance = Call("/", (Call("*", (Number(2.0), Call("*", (sd, sd)))), time))
    drift = Call("/", (Call("neg", (Name(name),)), time))
    half = Call("*", (Number(0.5), Call("*", (sd, sd))))
    factor = Call("exp", (Call("-", (Name(name), half)),))
    noise = Noise(name, "ou", len(network.species), variance, drift, place)
    return _modulated(network, target, factor, [_hidden(name, 0.0, f"logarithm of {target}'s factor", place)], noise)


def _telegraph(
    network: Network, name: str, target: str, given: dict[str, Expr], place: Any, reader: Reader,
    taken: dict[str, str], path: tuple[str, int],
) -> Network:  # fmt: skip
    off, share, pace = f"{name}_off", given["on_fraction"], given["switching"]
    reader.name(off, (*path, "name"), taken, "noise")
    on, idle = len(network.species), len(network.species) + 1
    rest = Call("-", (Number(1.0), share))
    begin, end = Call("*", (share, pace)), Call("*", (rest, pace))
    ways = (
        Reaction(f"{name}_begins", f"{off} -> {name}", ((idle, 1),), ((on, 1),), begin, None, place=place),
        Reaction(f"{name}_ends", f"{name} -> {off}", ((on, 1),), ((idle, 1),), end, None, place=place),
    )
    hidden = [_hidden(name, 0.0, f"{target} is on", place), _hidden(off, 1.0, f"{target} is off", place)]
    factor = Call("/", (Name(name), share))
    network = _modulated(network, target, factor, hidden, Noise(name, "telegraph", on, None, place=place))
    return replace(network, reactions=(*network.reactions, *ways))


def _hidden(name: str, start: float, doc: str, place: Any) -> Species:
    return Species(name, str(DIMENSIONLESS), Number(start), False, DIMENSIONLESS, doc, place=place)


def _modulated(network: Network, target: str, factor: Expr, hidden: list[Species], noise: Noise) -> Network:
    """Rates with the factor at their parameter."""
    put = {target: Call("*", (Name(target), factor))}

    def changed(e: Expr | None) -> Expr | None:
        return substitute(e, put) if e is not None else None

    reactions = [replace(r, k=changed(r.k), rate=changed(r.rate)) for r in network.reactions]
    return replace(
        network,
        species=(*network.species, *hidden),
        reactions=tuple(reactions),
        noises=(*network.noises, noise),
    )


def noise_problems(network: Network, method: str, semantics: str) -> list[Problem]:
    """Noises that a method cannot have."""
    problems = []
    for noise in network.noises:
        langevin = semantics == _LANGEVIN
        if noise.kind == "telegraph" and langevin:
            what = f'noise "{noise.name}" has two states; the Langevin method "{method}" knows large numbers only'
            fix = 'write kind = "ou", or take a method for counts, such as direct'
        elif noise.kind != "telegraph" and not langevin:
            what = f'noise "{noise.name}" ({noise.kind}) is a Brownian motion, which "{method}" does not have'
            fix = "take euler_maruyama or weak_trapezoidal"
            fix += ', or write kind = "telegraph"' if noise.kind == "ou" else ""
        else:
            continue
        problems.append(Problem("C107", what, noise.place, key="noise", fix=fix))
    return problems
