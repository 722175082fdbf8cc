"""A network -> the same network with equations of its variances and covariances: `method = "moments"`.

With rates a(m), net changes S and J the Jacobian of S a, the mean and covariance of a jump process obey

    m' = S a(m),    Sigma' = J Sigma + Sigma J^T + S diag(a) S^T,    Sigma = 0 at the start,

exactly where every rate is of first order in what varies (N. G. van Kampen, Stochastic Processes in Physics and
Chemistry, 3rd ed. 2007, chapter VI). Elsewhere they are the linear noise approximation, the first term of an expansion
in 1 / volume (chapter X; T. G. Kurtz 1972, doi:10.1063/1.1678692), and it is said so.

A covariance becomes a hidden state row of a derived network, with a reaction that moves nothing and whose rate is
dSigma/dt, and a column of the output. Only what can be other than 0 has one: pinned species follow rate equations, so
that they and what follows from them alone have no variance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from ctcdyn.codegen.jacobian import eliminate
from ctcdyn.codegen.layout import Layout
from ctcdyn.errors import CtcError, Problem
from ctcdyn.model.derivative import ONE, ZERO, plus, times
from ctcdyn.model.expr import Call, Expr, Name, Number, derivative, names, walk
from ctcdyn.model.network import Network, Observable, Reaction, Treatment
from ctcdyn.model.samples import sample_problems
from ctcdyn.units import DIMENSIONLESS

MOST_ROWS = 200  # means and covariances
MOST_FACTORS = 1000  # numbers in the LU factors of all equations: more take minutes to compile
HUGE = Number(1e300)
FIX = "take a method that samples: first_order_leap, direct or hybrid"
Pair = tuple[int, int]  # state rows, the lower first
Effect = Mapping[int, Mapping[int, Expr]]  # derivatives of what rows are set to: by row, then by the row it depends on


@dataclass(frozen=True)
class Moments:
    """Means and covariances of the state rows of a network: its species, then its counters of reactions."""

    network: Network

    @cached_property
    def layout(self) -> Layout:
        """Which says what is counted, and what pinned species and what they alone move are."""
        return Layout(self.network, "mixed")

    @property
    def rows(self) -> tuple[str, ...]:
        return self.layout.species

    @cached_property
    def rates(self) -> list[Expr]:
        return [r.propensity("moments", self.network) for r in self.network.reactions]

    @cached_property
    def jumps(self) -> list[dict[int, int]]:
        """What each reaction adds to the rows that count."""
        layout = self.layout
        changes = [layout.change(r) for r in range(len(self.rates))]
        return [{s: n for s, n in change.items() if layout.is_whole(self.rows[s])} for change in changes]

    @cached_property
    def slopes(self) -> dict[Pair, Expr]:
        """The Jacobian of the drift: (row, row that it depends on)."""
        found: dict[Pair, Expr] = {}
        for r, rate in enumerate(self.rates):
            for z, name in enumerate(self.network.species_names):
                slope = _tame(derivative(rate, name), self.rows)
                for s, n in self.layout.change(r).items() if slope != ZERO else ():
                    found[s, z] = plus(found.get((s, z), ZERO), times(Number(float(n)), slope))
        return found

    @cached_property
    def effects(self) -> list[Effect]:
        """Of each treatment."""
        species = self.network.species_names
        return [
            {s: {z: d for z, name in enumerate(species) if (d := derivative(e, name)) != ZERO} for s, e in x.set}
            for x in self.network.treatments
        ]

    @cached_property
    def pairs(self) -> list[Pair]:
        """Rows whose covariance can be other than 0, in order."""
        found: set[Pair] = set()
        more = {_pair(s, z) for jump in self.jumps for s in jump for z in jump}
        while more:
            found |= more
            both = [*more, *((k, j) for j, k in more)]
            more = {pair for j, k in both for pair in self._spread(j, k)} - found
        return sorted(found)

    def _spread(self, j: int, k: int) -> Iterator[Pair]:
        """Pairs that covary because j and k do."""
        yield from (_pair(s, k) for s, z in self.slopes if z == j)
        for effect in self.effects:
            reached = [[s for s in (*effect, x) if x in effect.get(s, {s: ONE})] for x in (j, k)]
            yield from (_pair(s, z) for s in reached[0] for z in reached[1])

    @cached_property
    def varying(self) -> frozenset[str]:
        """Names of what has a variance."""
        return frozenset(self.rows[s] for s, z in self.pairs if s == z)

    def column(self, s: int, z: int) -> str:
        """The name of a covariance."""
        s, z = _pair(s, z)
        return f"var_{self.rows[s]}" if s == z else f"cov_{self.rows[s]}_{self.rows[z]}"

    def covariance(self, s: int, z: int) -> Expr:
        """As a name; 0 where it always is."""
        return Name(self.column(s, z)) if _pair(s, z) in self.pairs else ZERO

    @cached_property
    def growths(self) -> list[Expr]:
        """dSigma/dt of all pairs."""
        return [self._growth(s, z) for s, z in self.pairs]

    def _growth(self, s: int, z: int) -> Expr:
        total: Expr = ZERO
        for row, other in ((s, z), (z, s)) if s != z else ((s, s),):
            for (at, k), slope in self.slopes.items():
                if at == row:
                    total = plus(total, times(slope, self.covariance(k, other)))
        total = times(Number(2.0), total) if s == z else total
        for rate, jump in zip(self.rates, self.jumps, strict=True):
            total = plus(total, times(Number(float(jump.get(s, 0) * jump.get(z, 0))), rate))
        return total

    def given(self, effect: Effect, s: int, z: int) -> Expr:
        """A covariance after a treatment that makes m to A m + b: that of A Sigma A^T."""
        total: Expr = ZERO
        for j, a in effect.get(s, {s: ONE}).items():
            for k, b in effect.get(z, {z: ONE}).items():
                total = plus(total, times(times(a, b), self.covariance(j, k)))
        return total

    @cached_property
    def approximate(self) -> list[str]:
        """Why these are not exact, a line for each reaction; empty where they are."""
        found = []
        for reaction, rate in zip(self.network.reactions, self.rates, strict=True):
            if reaction.change and order(rate, self.varying) > 1:
                what = ", ".join(sorted(names(rate) & self.varying))
                found.append(f'the rate of "{reaction.name}" is not of first order in {what}')
        return found


def with_moments(network: Network) -> Network:
    """The network for `method = "moments"`. CtcError with all that stands against it: M301, M315, M321, M322."""
    moments = Moments(network)
    problems = [*_amounts(moments), *_doubles(moments), *_treatments(moments), *_events(moments)]
    problems += sample_problems(network, "moments gives means and variances")
    problems = problems or _too_large(moments)
    if problems:
        raise CtcError(problems)
    reactions, observables = list(network.reactions), list(network.observables)
    first = len(moments.rows)  # of the rows of covariances
    for (s, z), growth in zip(moments.pairs, moments.growths, strict=True):
        name = moments.column(s, z)
        reactions.append(Reaction(f"{name}__moment", "->", (), (), k=None, rate=growth))
        observables.append(Observable(name, None, "moment", {"reaction": f"{name}__moment"}, "1", realised="counter"))
    treatments = []
    for x, effect in zip(network.treatments, moments.effects, strict=True):
        touched = [(at, s, z) for at, (s, z) in enumerate(moments.pairs) if s in effect or z in effect]
        changes = tuple((first + at, moments.given(effect, s, z)) for at, s, z in touched)
        treatments.append(replace(x, set=(*x.set, *changes)))
    return replace(
        network, reactions=tuple(reactions), observables=tuple(observables), treatments=tuple(treatments)
    )


def describe_moments(network: Network) -> list[str]:
    """What is computed and whether that is exact: for `check --explain`, the first lines of a run, and its result."""
    with_moments(network)  # says what stands against it
    moments = Moments(network)
    lines = [f"means of all species, and {len(moments.pairs)} variances and covariances: var_x, cov_x_y"]
    if moments.approximate:
        lines.append("not exact: the linear noise approximation, good where counts are large, since")
        lines += [f"  {reason}" for reason in moments.approximate]
    else:
        lines.append("exact: all rates are of first order in what varies")
    steady = [name for name in moments.rows if name not in moments.varying]
    if steady:
        lines.append(f"without variance: {', '.join(steady)}")
    bent = [o.name for o in network.observables if o.expr is not None and order(o.expr, moments.varying) > 1]
    if bent:
        lines.append(f"of the means, and not the mean of it: {', '.join(bent)}")
    return lines


def order(e: Expr, varying: frozenset[str]) -> int:
    """0 where an expression does not depend on these names, 1 where it is affine in them, else 2."""
    if isinstance(e, Number):
        return 0
    if isinstance(e, Name):
        return int(e.id in varying)
    parts = [order(a, varying) for a in e.args]
    if not any(parts):
        return 0
    if e.op in ("+", "-", "neg"):
        return max(parts)
    if e.op == "*":
        return min(sum(parts), 2)
    first = {"/": parts[1:], "where": parts[:1]}.get(e.op, [1])  # what must not depend on them
    return 2 if any(first) else max(parts)


def _pair(s: int, z: int) -> Pair:
    return (s, z) if s <= z else (z, s)


def _tame(slope: Expr, rows: tuple[str, ...]) -> Expr:
    """A derivative, 0 where it is not finite: at the edge of a power, root or logarithm, as in `jacobian`."""
    edges = any(isinstance(e, Call) and e.op in ("**", "sqrt", "log") for e in walk(slope))
    if not edges or not names(slope) & set(rows):
        return slope
    return Call("where", (Call("<", (Call("abs", (slope,)), HUGE)), slope, ZERO))


# -- what stands against it -----------------------------------------------------------------------------
def _too_large(moments: Moments) -> list[Problem]:
    count = len(moments.rows) + len(moments.pairs)
    what = f"{len(moments.varying)} species and counters that vary have {len(moments.pairs)} variances and covariances"
    what += f", with the means {count} equations"
    if count > MOST_ROWS:
        what += f"; at most {MOST_ROWS} are solved"
    else:
        place = {name: at for at, name in enumerate((*moments.rows, *(moments.column(s, z) for s, z in moments.pairs)))}
        entries = set(moments.slopes)
        for at, growth in enumerate(moments.growths, len(moments.rows)):
            entries |= {(at, place[name]) for name in names(growth) if name in place}
        factors = len(eliminate(range(count), entries)[1])
        if factors <= MOST_FACTORS:
            return []
        what += f", and their LU factors {factors} numbers; at most {MOST_FACTORS} are compiled"
    return [Problem("M315", what, fix="pin species that are large (continuous = true), or take a method that samples")]


def _amounts(moments: Moments) -> list[Problem]:
    """Species that vary and are no counts."""
    problems = []
    for s in moments.network.species:
        if s.name in moments.varying and s.dimension != DIMENSIONLESS:
            what = f"{s.name} has the unit {s.declared}: it is no count of cells, and its chance is not known"
            fix = "pin it: continuous = true"
            problems.append(Problem("M323", what, s.place, f"species.{s.name}", fix, word=s.name))
    return problems


def _doubles(moments: Moments) -> list[Problem]:
    """Names of columns that are something else's too."""
    network = moments.network
    own = [moments.column(s, z) for s, z in moments.pairs]
    taken = Counter([*own, *network.species_names, *network.parameter_names, *network.observable_names])
    what = 'the method "moments" has a column {0}, and something else is called {0} as well'
    return [Problem("M301", what.format(name), fix="rename that") for name in dict.fromkeys(own) if taken[name] > 1]


def _treatments(moments: Moments) -> list[Problem]:
    """Treatments that wait for what varies, or set a species to what is not of first order in it."""
    treatments = moments.network.treatments
    return [
        Problem("M321", what, key=f"treatment.{x.name}", fix=FIX) for x in treatments for what in _faults(x, moments)
    ]


def _faults(x: Treatment, moments: Moments) -> Iterator[str]:
    seen = names(x.at) & moments.varying if isinstance(x.at, Call | Name) else frozenset()
    if seen:
        yield (
            f'when "{x.name}" is given depends on {min(seen)}, which chance decides; moments are those of one course '
            "of treatments, the same whatever happens to cells"
        )
    for s, value in x.set:
        if order(value, moments.varying) > 1:
            yield (
                f'"{x.name}" sets {moments.rows[s]} to what is not of first order in '
                f"{min(names(value) & moments.varying)}: its mean then follows from no mean and covariance"
            )


def _events(moments: Moments) -> list[Problem]:
    """Events on what varies."""
    problems = []
    for event in moments.network.observables:
        when = event.options["when"] if event.realised == "passage" else ZERO
        assert isinstance(when, Call | Name | Number)
        seen = names(when) & moments.varying
        if seen:
            what = f'the event "{event.name}" waits for {min(seen)}, which chance decides: it has no one time, and '
            what += "means and covariances do not tell when it comes"
            fix = f"leave it out, or {FIX}; backward gives the chance of a first appearance"
            problems.append(Problem("M322", what, event.place, f"event.{event.name}", fix))
    return problems
