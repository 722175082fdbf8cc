"""Where every number of a model lives in the work buffer: the rows, and what of the algebra is worth a row.

Subexpressions of parameters alone are hoisted: each becomes a coefficient row that is filled when a lane is loaded
and after an intervention, not at every step. Comparisons of `t` with such an expression become switch rows; the
time at which one flips is a stop of the lane, so that stepwise rates are exact. What still depends on `t` after
that is *timed* and needs a bound over a window in the jump semantics.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ctcdyn.model.colony import told_times
from ctcdyn.model.expr import Call, Expr, Name, Number, names
from ctcdyn.model.network import Network, Observable, Semantics, Treatment

PAIR = "pair__number"  # column of the number of a trajectory's streams
RISING = frozenset({">", ">="})
FALLING = frozenset({"<", "<="})
FUSED_SPECIES, FUSED_REACTIONS = 8, 32
MIRROR = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True)
class Counter:
    """A hidden species that counts the firings (or integrates the rate) of one reaction."""

    name: str
    reaction: int


@dataclass(frozen=True)
class Passage:
    """A watched condition. It counts only when each of `armed`, treatments or events, has had its first time."""

    name: str
    when: Expr
    stop: bool
    armed: tuple[str, ...] = ()
    clock: str = ""  # from whose first time it is measured; empty: the time of the run
    late: bool = False  # of lesions: known when they have run, and watched by nobody


@dataclass
class Layout:
    """A network in one semantics, with its rates hoisted and its rows numbered."""

    network: Network
    semantics: Semantics
    counters: tuple[Counter, ...] = ()
    founders: tuple[Counter, ...] = ()  # of them, those whose firings begin a lesion: always events, always logged
    rates: list[Expr] = field(default_factory=list)  # (R) with coefficients and switches as names
    noises: list[tuple[Expr | None, ...]] = field(default_factory=list)  # (variance, drift), hoisted
    coefficients: dict[Expr, str] = field(default_factory=dict)
    switches: dict[Expr, str] = field(default_factory=dict)  # time of the flip -> name
    conditions: dict[int, Expr] = field(default_factory=dict)  # treatment -> what it waits for
    passages: list[Passage] = field(default_factory=list)
    readings: list[tuple[str, Expr]] = field(default_factory=list)  # (name, expression) of computed columns
    samples: dict[str, Expr] = field(default_factory=dict)  # of these the counts that are drawn, and their dispersion
    extra: dict[str, float] = field(default_factory=dict)  # numbers that are data, as parameters are: by name

    def __post_init__(self) -> None:
        network = self.network
        self.counters = tuple(
            Counter(o.name, _reaction(network, str(o.options["reaction"])))
            for o in network.observables
            if o.realised == "counter"
        )
        self.founders = tuple(c for c in self.counters if c.name in dict(network.founders))
        self.extra = extra_values(network)
        self._parameters = set(network.parameter_names) | set(self.extra)
        self.rates = [
            self._hoist(self._switch(r.propensity(self.semantics, network)), r.name)
            for r in network.reactions
        ]
        self._signed: set[str] = {network.species[x.species].name for x in network.noises if x.drift is not None}
        self.noises = [
            tuple(None if e is None else self._hoist(self._switch(e), x.name) for e in (x.variance, x.drift))
            for x in network.noises
        ]
        self.readings = [
            (o.name, self._hoist(o.expr, o.name)) for o in network.observables if o.expr is not None
        ]
        self.samples = {
            o.name: self._hoist(_condition(o.options["dispersion"]), o.name)
            for o in network.observables
            if o.realised == "sample"
        }
        self.conditions = {
            k: self._switch(x.at)
            for k, x in enumerate(network.treatments)
            if x.at is not None and not isinstance(x.at, float | int) and is_condition(x.at)
        }
        self.passages = [self._passage(o) for o in network.observables if o.realised == "passage"]

    def _passage(self, observable: Observable) -> Passage:
        options = observable.options
        clock, after = str(options.get("clock", "")), str(options.get("after", ""))
        armed = tuple(dict.fromkeys(name for name in (clock, after) if name))
        late = "lesions" in options
        when = Number(0.0) if late else self._switch(_condition(options["when"]))
        return Passage(observable.name, when, bool(options.get("stop")), armed, clock, late)

    @property
    def moments(self) -> list[int]:
        """Treatments whose first time something else needs: a clock, an event that waits, one that comes after."""
        needed = {name for p in self.passages for name in p.armed} | {x.after for x in self.network.treatments}
        needed |= {str(name) for o in self.chances for name in _names(o.options["armed"])}
        needed |= {source for _, source in told_times(self.network)}
        return [k for k, x in enumerate(self.network.treatments) if x.name in needed]

    # -- names ----------------------------------------------------------------------------------
    @cached_property
    def species(self) -> tuple[str, ...]:
        """Names of all state rows: the species of the model, then hidden counters."""
        return self.network.species_names + tuple(c.name for c in self.counters)

    @property
    def chances(self) -> list[Observable]:
        """Backward equations of the network, in order of their state rows, which are the last ones."""
        return [o for o in self.network.observables if o.use == "chance"]

    @property
    def means(self) -> int:
        """State rows that move forward in time: all but those of backward equations."""
        return len(self.species) - len(self.chances)

    @property
    def paths(self) -> list[str]:
        """Pinned species, whose path on the way forward backward equations read."""
        return [s.name for s in self.network.species if s.continuous] if self.chances else []

    @property
    def fused(self) -> bool:
        """Whether a whole step or event of a lane is one loop: a large model compiles too long that way, and spills."""
        if self.chances:
            return False
        small = len(self.species) <= FUSED_SPECIES if self.semantics != "jump" else True
        return small and len(self.rates) <= FUSED_REACTIONS

    @property
    def timed(self) -> list[int]:
        """Reactions whose rate depends smoothly on `t`, or on the path of a pinned species."""
        moving = {"t", *(path_of(name) for name in self.paths)}
        return [r for r, rate in enumerate(self.rates) if names(rate) & moving]

    @property
    def is_timed(self) -> bool:
        """Whether anything in the rows' algebra depends smoothly on `t`."""
        return bool(self.timed) or any("t" in names(e) for pair in self.noises for e in pair if e is not None)

    def change(self, r: int) -> dict[int, int]:
        """State row -> net change by reaction r, counters included."""
        net = dict(self.network.reactions[r].change)
        shown = len(self.network.species)
        net.update({shown + k: 1 for k, c in enumerate(self.counters) if c.reaction == r})
        return net

    def is_whole(self, name: str) -> bool:
        """Whether a state row counts cells: all in jump semantics; in mixed all but pinned species and what only they
        do.
        """
        if self.semantics != "mixed":
            return self.semantics == "jump"
        for counter in self.counters:
            if counter.name == name:
                return self.is_discrete(counter.reaction)
        return not self.network.species[self.network.index(name)].continuous

    def is_discrete(self, r: int) -> bool:
        """Whether reaction r happens event by event in mixed semantics: it moves a species that is not pinned."""
        reaction = self.network.reactions[r]
        moved = [s for s, _ in reaction.change] or [s for s, _ in reaction.reactants]
        return self.founds(r) or not all(self.network.species[s].continuous for s in moved)

    def may_jump(self, r: int) -> bool:
        """Whether reaction r can be a jump: in hybrid semantics only if it moves what is not pinned."""
        return self.semantics != "hybrid" or self.is_discrete(r)

    def jump(self, r: int) -> dict[int, int]:
        """State row -> change where reaction r fires as a jump: in hybrid semantics pinned species only drift."""
        return {s: n for s, n in self.change(r).items() if not (self.semantics == "hybrid" and self.is_pinned(s))}

    def is_pinned(self, s: int) -> bool:
        """Whether state row s is of a pinned species, which follows an equation whatever jumps do."""
        species = self.network.species
        return s < len(species) and species[s].continuous

    @property
    def watched(self) -> list[Passage]:
        """First passages of the state itself, not of lesions."""
        return [p for p in self.passages if not p.late]

    def founds(self, r: int) -> bool:
        """Whether each firing of reaction r begins a lesion."""
        return any(c.reaction == r for c in self.founders)

    def rule(self, founder: Counter) -> int:
        """Number of the rule by which the firings that `founder` counts begin lesions."""
        return dict(self.network.founders)[founder.name]

    def flow(self, r: int, s: int) -> Expr:
        """The rate of reaction r in the drift of state row s: in hybrid semantics of what is not pinned only while the
        reaction is no jump.
        """
        split = self.semantics == "hybrid" and self.is_discrete(r) and not self.is_pinned(s)
        return Call("*", (Name(f"r{r}__drift"), self.rates[r])) if split else self.rates[r]

    def symbol(self, name: str, state: str = "X") -> str:
        """Source that reads a name in a lane function; `state` is the row block of the species."""
        if name == "t":
            return "t"
        if name.endswith("__whole"):
            return f"w[DISCRETE_{name.removesuffix('__whole')} + i]"
        if name.endswith("__drift"):
            return f"w[DRIFT_{name[1:].removesuffix('__drift')} + i]"
        if name in self.species:
            return f"w[{state}_{name} + i]"
        if name in self._parameters:
            return f"w[Q_{name} + i]"
        return f"w[{row(name)} + i]"

    def rated(self, name: str, state: str = "X") -> str:
        """Source that reads a name in a propensity: in Langevin semantics a species below zero counts as none."""
        source = self.symbol(name, state)
        cut = self.semantics == "langevin" and name in self.species and name not in self._signed
        return f"pick({source} < 0.0, 0.0, {source})" if cut else source

    # -- hoisting -------------------------------------------------------------------------------
    def is_static(self, e: Expr) -> bool:
        """True where `e` depends on parameters and switches only."""
        known = self._parameters | set(self.switches.values()) | set(self.coefficients.values())
        return names(e) <= known

    def _hoist(self, e: Expr, owner: str) -> Expr:
        if not isinstance(e, Call) or e.op in ("<", "<=", ">", ">=", "==", "!=", "and", "or", "not"):
            if isinstance(e, Call) and not self.is_static(e):
                return Call(e.op, tuple(self._hoist(a, owner) for a in e.args))
            return e
        if self.is_static(e) and names(e):
            return self._coefficient(e, owner)
        if e.op == "/" and self.is_static(e.args[1]) and names(e.args[1]):
            # a product is cheaper than a quotient
            inverse = Call("/", (Number(1.0), e.args[1]))
            return Call("*", (self._hoist(e.args[0], owner), self._coefficient(inverse, owner)))
        return Call(e.op, tuple(self._hoist(a, owner) for a in e.args))

    def _coefficient(self, e: Expr, owner: str) -> Expr:
        if e not in self.coefficients:
            self.coefficients[e] = self._fresh(f"c_{owner}")
        return Name(self.coefficients[e])

    def _fresh(self, wish: str) -> str:
        """`wish`, or the first numbered form of it that nothing else in the model is called."""
        taken = self._parameters | set(self.species) | {*self.coefficients.values(), *self.switches.values()}
        name, number = wish, 1
        while name in taken:
            number += 1
            name = f"{wish}_{number}"
        return name

    def _switch(self, e: Expr) -> Expr:
        """Replaces comparisons of `t` with a parameter expression by switch rows."""
        if not isinstance(e, Call):
            return e
        found = self._flip(e)
        if found is not None:
            when, rising = found
            if when not in self.switches:
                self.switches[when] = self._fresh(f"s_{len(self.switches)}")
            on: Expr = Name(self.switches[when])
            return on if rising else Call("-", (Number(1.0), on))
        return Call(e.op, tuple(self._switch(a) for a in e.args))

    def _flip(self, e: Call) -> tuple[Expr, bool] | None:
        """(time, rising) where `e` is a comparison of t with parameters, or step(t - e), step(e - t)."""
        time = Name("t")
        if e.op in RISING | FALLING:
            left, right = e.args
            if left == time and self.is_static(right):
                return right, e.op in RISING
            if right == time and self.is_static(left):
                return left, MIRROR[e.op] in RISING
        if e.op == "step" and isinstance(e.args[0], Call) and e.args[0].op == "-":
            left, right = e.args[0].args
            if left == time and self.is_static(right):
                return right, True
            if right == time and self.is_static(left):
                return left, False
        return None


def extra_values(network: Network) -> dict[str, float]:
    """Numbers of a model that are no parameters and yet data, so that changing one compiles nothing.

    Initial values given as numbers, times, periods, cycles and factors of treatments, whether an arm gives them, what
    chance makes of them, and the numbers in conditions; they follow the parameters in the columns of `values`. Double
    underscores keep clear of a modeller's names.
    """
    found = {f"{x.name}__initial": x.initial.value for x in network.species if isinstance(x.initial, Number)}
    for treatment in network.treatments:
        found[given_column(treatment)] = 1.0
        if isinstance(treatment.at, float | int):
            found[f"{treatment.name}__at"] = float(treatment.at)
        for key in ("delay", "every", "duration", "stop", "adherence"):
            if getattr(treatment, key) is not None:
                found[f"{treatment.name}__{key}"] = float(getattr(treatment, key))
        if treatment.every is not None:
            found[f"{treatment.name}__cycles"] = float(treatment.cycles)
        if treatment.jitter is not None:
            found[f"{treatment.name}__shift"] = 0.0  # days, drawn by `schedules`, as are the key and the number
        if treatment.adherence is not None:
            found[f"{treatment.name}__key"] = 0.0
            found[PAIR] = 0.0
        for q, factor in treatment.scale:
            if isinstance(factor, float | int):
                found[f"{treatment.name}__x_{network.parameters[q].name}"] = float(factor)
        found.update(treatment.numbers)
    for observable in network.observables:
        numbers = observable.options.get("numbers", ())
        assert isinstance(numbers, tuple)
        found.update(numbers)
        if observable.realised == "sample":
            found[f"{observable.name}__key"] = 0.0
            found[PAIR] = 0.0
    for species in network.species:
        if species.passing:
            found[f"{species.name}__key"] = 0.0
            found[PAIR] = 0.0
    return found


def given_column(treatment: Treatment) -> str:
    """The column that is 1 where a treatment is given and 0 where the arm of a trajectory goes without it."""
    return f"{treatment.name}__given"


def row(name: str) -> str:
    """The row constant of a coefficient or switch: c_growth lives in row C_growth."""
    return name[0].upper() + name[1:]


def path_of(species: str) -> str:
    """The name of a pinned species as it is along the path that a lane went."""
    return f"p_{species}__path"


def slope_of(species: str) -> str:
    """The name of the derivative of that by time."""
    return f"p_{species}__slope"


def is_condition(e: Any) -> bool:
    """True for an expression that is a truth value."""
    return isinstance(e, Call) and e.op in ("<", "<=", ">", ">=", "==", "!=", "and", "or", "not")


def _reaction(network: Network, name: str) -> int:
    return next(r for r, reaction in enumerate(network.reactions) if reaction.name == name)


def _names(value: object) -> tuple[str, ...]:
    assert isinstance(value, tuple)
    return value


def _condition(value: object) -> Expr:
    assert isinstance(value, (Call, Name, Number))
    return value
