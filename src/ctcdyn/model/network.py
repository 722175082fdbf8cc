"""A reaction network: species, parameters, reactions, observables. Frozen values, no file and no solver in
sight.

Every number is in base units: days, mL (= cm^3), nmol, cells as plain numbers. Every expression uses plain
names of species, of parameters and `t` (days), so `value * value` needs no conversion behind this page.

Mass action has one meaning with two faces, for a reaction that takes m_s of each species s:

- jump semantics: k * prod_s x_s (x_s - 1) ... (x_s - m_s + 1) / m_s!     (number of distinct sets of
  reactants)
- ODE semantics:  k * prod_s x_s ** m_s / m_s!, also of what follows means (backward, moments)
- mixed semantics: continuous species as in the ODE, the others as in the jump process
- hybrid semantics: a species counts as in the ODE while it is continuous, else as in the jump process: a
  factor x - j becomes x - j * x__whole, where x__whole is 1 while x is discrete and 0 while it is not.

All carry 1/m!, so that the ODE is the large-number limit of the jump process for the same `k` (Kurtz 1972,
doi:10.1063/1.1678692; Gillespie 1977, doi:10.1021/j100540a008). A law `k x^2` is `rate = "k * x * x"` or `k` doubled.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ctcdyn.errors import CtcError, Place, Problem, nearest
from ctcdyn.model.conservation import left_null_space
from ctcdyn.model.expr import Call, Expr, Name, Number, evaluate, names
from ctcdyn.units import Dimension

if TYPE_CHECKING:
    from ctcdyn.model.lesion import Lesion

Semantics = Literal["jump", "ode", "mixed", "langevin", "hybrid", "backward", "moments"]
Terms = tuple[tuple[int, int], ...]  # (species index, count) pairs, in order of species


@dataclass(frozen=True, slots=True)
class Species:
    """A population of cells (or a concentration). `initial` uses parameters only; `unit` is its base unit, `declared`
    the unit that the model file uses.
    """

    name: str
    unit: str
    initial: Expr
    continuous: bool
    dimension: Dimension
    doc: str = ""
    declared: str = "1"
    place: Place | None = field(default=None, compare=False)
    stage: str = ""  # where its cells are: what hazards and flags of mechanisms act on
    group: str = ""  # species of one group are variants of one kind of cell; the group's name means their sum
    cells: int = 1  # cells in one of it: 5 for a cluster of five
    passing: bool = False  # an equation for the mean, about which what is saved is drawn: `codegen/passing.py`


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number with a unit and a source. Where `expr` is set it is derived from others and `value` is its
    nominal.

    `value` and `bounds` are in `unit`, the base unit; `declared` is the unit that the model file uses.
    """

    name: str
    value: float
    unit: str
    dimension: Dimension
    bounds: tuple[float, float] | None
    source: str
    doc: str = ""
    covariate: bool = False
    expr: Expr | None = None
    declared: str = "1"
    place: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Reaction:
    """One kind of event: reactants -> products, with either a mass-action coefficient `k` or a propensity `rate`."""

    name: str
    equation: str
    reactants: Terms
    products: Terms
    k: Expr | None
    rate: Expr | None
    doc: str = ""
    place: Place | None = field(default=None, compare=False)
    fate: str = ""  # what becomes of the cells that it takes: reactions of one fate are counted together

    @property
    def change(self) -> Terms:
        """Net change of the counts, in order of species, zeros left out (a catalyst does not appear)."""
        net: dict[int, int] = {}
        for s, count in self.reactants:
            net[s] = net.get(s, 0) - count
        for s, count in self.products:
            net[s] = net.get(s, 0) + count
        return tuple((s, net[s]) for s in sorted(net) if net[s])

    def propensity(self, semantics: Semantics, network: Network) -> Expr:
        """The rate in 1/day (times the species' unit) as one expression; see the head of this module."""
        if self.rate is not None:
            return self.rate
        assert self.k is not None  # the loader sees to it that one of the two is there
        result = self.k
        divisor = 1
        for s, count in self.reactants:
            x = Name(network.species[s].name)
            divisor *= math.factorial(count)
            if semantics in ("ode", "backward", "moments") or (semantics == "mixed" and network.species[s].continuous):
                result = Call("*", (result, x if count == 1 else Call("**", (x, Number(float(count))))))
                continue
            for taken in range(count):
                less: Expr = Number(float(taken))
                if semantics == "hybrid":
                    whole = Name(f"{network.species[s].name}__whole")
                    less = whole if taken == 1 else Call("*", (less, whole))
                factor: Expr = x if taken == 0 else Call("-", (x, less))
                result = Call("*", (result, factor))
        return result if divisor == 1 else Call("/", (result, Number(float(divisor))))


@dataclass(frozen=True, slots=True)
class Noise:
    """A Brownian motion beside the reactions: dx = drift dt + sqrt(variance) dW (Ito) on one species, 1/day.

    A "telegraph" has neither: it is a switch of two species and two reactions of the network, named here.
    """

    name: str
    kind: str
    species: int
    variance: Expr | None
    drift: Expr | None = None
    place: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Observable:
    """A reading of the state: `expr` in `unit`, or `use` of an observable file with its `options`."""

    name: str
    expr: Expr | None
    use: str | None
    options: Mapping[str, object]
    unit: str
    doc: str = ""
    place: Place | None = field(default=None, compare=False)
    realised: str = ""  # "counter", "passage" or "sample" for a `use`


@dataclass(frozen=True, slots=True)
class Published:
    """A number from the literature for an observable or species at a time (days), in the observable's unit.

    `used_for` is "rate" where it set a parameter of the model, "prediction" where the model predicts it.
    """

    name: str
    observable: str
    time: float
    value: float
    used_for: str
    source: str
    place: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Treatment:
    """An intervention: when its first application comes, what an application does, and how often it comes.

    `at`: a time (days, or an expression of parameters) or a condition; None where it follows `after`, the name of
    another treatment or of an event. The first application is `delay` days later (None: at once), give or take `jitter`
    days (a standard deviation), then one `every` so many days, `cycles` in all, none from `stop` days after the first
    on or after `stop_if`, an event; each is taken with the chance `adherence`. A condition counts once, or with
    `repeat` each time it becomes true. `set` gives species new values, and `lesion_set` species of lesions, by name;
    `scale` multiplies parameters: for good, or for `duration` days. `numbers` are those in its expressions, by name.
    """

    name: str
    at: float | Expr | None
    set: tuple[tuple[int, Expr], ...] = ()
    scale: tuple[tuple[int, float | Expr], ...] = ()
    every: float | None = None
    cycles: float = 1
    after: str = ""
    delay: float | None = None
    duration: float | None = None
    repeat: bool = False
    stop_if: str = ""
    numbers: tuple[tuple[str, float], ...] = ()
    lesion_set: tuple[tuple[str, Expr], ...] = ()
    jitter: float | None = None
    stop: float | None = None
    adherence: float | None = None


@dataclass(frozen=True, slots=True)
class Tilt:
    """How the fates of one species' cells are drawn: `model/importance.py`. Pairs are (reaction, parameter).

    The rate of a `drawn` reaction is its parameter times as large as it was, that of every one of the `rest` so many
    times as large as the parameter `share` says: then their sum is what it was.
    """

    species: int
    drawn: tuple[tuple[int, int], ...]
    rest: tuple[int, ...]
    share: int

    @property
    def factors(self) -> tuple[tuple[int, int], ...]:
        """(reaction, parameter that its rate was multiplied by) of all fates."""
        return (*self.drawn, *((r, self.share) for r in self.rest))


@dataclass(frozen=True, slots=True)
class Network:
    """A whole model. `tests` is the [test] table: the small instance on which conformance tests run."""

    name: str
    title: str
    doc: str
    time_unit: str
    species: tuple[Species, ...]
    parameters: tuple[Parameter, ...]
    reactions: tuple[Reaction, ...]
    observables: tuple[Observable, ...] = ()
    treatments: tuple[Treatment, ...] = ()
    noises: tuple[Noise, ...] = ()
    published: tuple[Published, ...] = ()
    tilts: tuple[Tilt, ...] = ()  # fates that are drawn more often than they happen: results have weights
    source_text: str = field(default="", compare=False)
    path: str = field(default="", compare=False)
    tests: Mapping[str, object] = field(default_factory=dict, compare=False)
    units_checked: bool = True
    notes: tuple[str, ...] = field(default=(), compare=False)  # how its mechanisms were written out, for people
    founders: tuple[tuple[str, int], ...] = ()  # counters of the reactions that found a lesion, number of the rule
    lesion: Lesion | None = None
    fates: tuple[str, ...] = ()  # that are counted, each by a species fate_NAME
    founded: bool = False  # the network of a lesion, whose streams have a number of their own
    _order: list[tuple[int, ...]] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def species_names(self) -> tuple[str, ...]:
        return tuple(item.name for item in self.species)

    @property
    def parameter_names(self) -> tuple[str, ...]:
        return tuple(item.name for item in self.parameters)

    @property
    def observable_names(self) -> tuple[str, ...]:
        return tuple(item.name for item in self.observables)

    def index(self, name: str) -> int:
        """Position of a species, parameter, observable or reaction among its kind (names of the first three
        are unique in a model, so the name alone says the kind; a reaction is looked for last).
        """
        reactions = tuple(item.name for item in self.reactions)
        kinds = (self.species_names, self.parameter_names, self.observable_names, reactions)
        for kind in kinds:
            if name in kind:
                return kind.index(name)
        raise CtcError(unknown_name("name", name, [known for kind in kinds for known in kind]))

    def stoichiometry(self) -> NDArray[np.int64]:
        """Net change of each species (row) by each reaction (column), int64 (S, R)."""
        matrix = np.zeros((len(self.species), len(self.reactions)), dtype=np.int64)
        for r, reaction in enumerate(self.reactions):
            for s, count in reaction.change:
                matrix[s, r] = count
        return matrix

    def conservation(self) -> list[dict[str, int]]:
        """Integer combinations of species that no reaction changes: a basis, exact, non-negative where that is easy.
        A species that no reaction changes is a law of its own, `{name: 1}`.
        """
        laws = left_null_space(self.stoichiometry().tolist())
        return [{self.species[s].name: c for s, c in enumerate(law) if c} for law in laws]

    def derived_order(self) -> tuple[int, ...]:
        """Indices of derived parameters, each after those it needs."""
        if not self._order:  # found once: it is asked for in every call of a loop
            self._order.append(derived_order({item.name: item.expr for item in self.parameters})[0])
        return self._order[0]

    def parameter_values(self) -> NDArray[np.float64]:
        """Nominal values in base units, float64 (P,)."""
        return np.array([item.value for item in self.parameters], dtype=np.float64)

    def initial_values(self) -> NDArray[np.float64]:
        """State at the start for the nominal parameters, base units, float64 (S,)."""
        values: dict[str, float] = {item.name: item.value for item in self.parameters}
        return np.array([float(evaluate(item.initial, values)) for item in self.species], dtype=np.float64)

    def with_values(
        self, parameters: Mapping[str, float] | None = None, initial: Mapping[str, float | Expr] | None = None
    ) -> Network:
        """The same model with other numbers (base units). Derived parameters follow; they cannot be set."""
        parameters, initial = parameters or {}, initial or {}
        problems = [*self._refuse_parameters(parameters), *self._refuse_species(initial)]
        if problems:
            raise CtcError(problems)
        changed = [
            replace(item, value=float(parameters[item.name])) if item.name in parameters else item
            for item in self.parameters
        ]
        values: dict[str, float] = {item.name: item.value for item in changed}
        for q in self.derived_order():
            expression = changed[q].expr
            assert expression is not None
            values[changed[q].name] = float(evaluate(expression, values))
            changed[q] = replace(changed[q], value=values[changed[q].name])
        started = [
            replace(item, initial=_as_expr(initial[item.name])) if item.name in initial else item
            for item in self.species
        ]
        return replace(self, parameters=tuple(changed), species=tuple(started))

    def _refuse_parameters(self, given: Iterable[str]) -> list[Problem]:
        by_name = {item.name: item for item in self.parameters}
        problems = []
        for name in given:
            if name not in by_name:
                problems.append(unknown_name("parameter", name, by_name))
            elif by_name[name].expr is not None:
                problems.append(derived_is_fixed(by_name[name], by_name))
        return problems

    def _refuse_species(self, given: Iterable[str]) -> list[Problem]:
        known = self.species_names
        return [unknown_name("species", name, known) for name in given if name not in known]


def first_of_group(name: str, network: Network) -> str:
    """The first species of a group, the one without flags: where new cells of the group go; else the name itself."""
    return next((item.name for item in network.species if item.group == name), name)


def unknown_name(
    kind: str, name: str, known: Iterable[str], place: Place | None = None, key: str = ""
) -> Problem:
    """The problem of a name that is not there, with the nearest one that is."""
    names_known = list(known)
    near = nearest(name, names_known)
    shown = ", ".join(names_known[:12]) + (", ..." if len(names_known) > 12 else "")
    fix = f'did you mean "{near}"?' if near else f"known: {shown or 'none'}"
    return Problem("C102", f'unknown {kind} "{name}"', place=place, key=key, fix=fix, word=name)


def derived_is_fixed(
    item: Parameter, by_name: Mapping[str, Parameter], place: Place | None = None, key: str = ""
) -> Problem:
    """The problem of setting or drawing a parameter that the model computes; names the inputs to change."""
    inputs: set[str] = set()
    open_names = [item.name]
    while open_names:
        expression = by_name[open_names.pop()].expr
        for name in names(expression) if expression is not None else ():
            if name in by_name and name not in inputs:
                inputs.add(name)
                open_names.append(name)
    free = sorted(name for name in inputs if by_name[name].expr is None)
    return Problem(
        "C107",
        f'parameter "{item.name}" is derived from others and cannot be set or drawn',
        place=place,
        key=key,
        fix=f"change {', '.join(free)} instead" if free else "it is a constant of the model",
        why="its value follows from its expression for every patient",
        word=item.name,
    )


def derived_order(expressions: Mapping[str, Expr | None]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """(positions of derived parameters in dependency order, names that depend on themselves)."""
    position = {name: q for q, name in enumerate(expressions)}
    derived = {name for name, e in expressions.items() if e is not None}
    waiting = {name: names(e) & derived for name, e in expressions.items() if e is not None}
    order: list[int] = []
    while waiting:
        ready = [name for name, needs in waiting.items() if not needs & waiting.keys()]
        if not ready:
            return tuple(order), tuple(waiting)
        for name in ready:
            order.append(position[name])
            del waiting[name]
    return tuple(order), ()


def _as_expr(value: float | Expr) -> Expr:
    return Number(float(value)) if isinstance(value, (int, float)) else value
