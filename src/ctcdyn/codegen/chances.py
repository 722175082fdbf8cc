"""A network and its events -> the same network with backward equations: exact chances of first appearances.

Where cells are independent (the condition under which `first_order_leap` is exact), let v_i(s; t) be the chance that
one cell of kind i at time s leads to the event by time t. With what becomes of the cell at rate lambda_w (its ways w)

    -dv_i/ds = sum_w lambda_w(s) (v_w - v_i),    v_i(t; t) = 0,    v_w = 1 - prod over the cells it leaves of (1 - v)

and v_w = 1 where the way makes what the event waits for (A. N. Kolmogorov 1931, doi:10.1007/BF01457949).
From sources S and n_i cells at the start, P(event by t) = 1 - exp(-int S v ds) prod (1 - v_i)**n_i.
All is written in v, never in 1 - v, so that 1e-8 keeps its digits.

The equations become hidden state rows of a derived network, each with a reaction that moves nothing and whose rate is
dv/ds. They depend on no other row: pinned species are read from the path that the lane went before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ctcdyn.codegen.layout import Layout, path_of
from ctcdyn.codegen.lineage import Lineage, Way
from ctcdyn.errors import CtcError, Problem
from ctcdyn.model.expr import Call, Expr, Name, Number, names, substitute
from ctcdyn.model.network import Network, Observable, Reaction
from ctcdyn.model.samples import sample_problems

ONE = Number(1.0)
MOST = Number(2.0**53)  # cells: beyond, counts are no whole numbers in double precision
FIX = "take first_order_leap, or direct"
_MIRROR = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True)
class Awaited:
    """An event that backward equations answer: when any of the state rows `targets` is no longer 0, or, `gone`, when
    all are 0: then v is the chance that there are descendants at t, and v(t; t) = 1 for the kinds in `targets`."""

    name: str
    targets: frozenset[int]
    armed: tuple[str, ...]
    gone: bool = False

    @property
    def hits(self) -> frozenset[int]:
        """State rows that make the event as soon as there is one cell."""
        return frozenset() if self.gone else self.targets


def with_chances(network: Network) -> Network:
    """The network for `method = "backward"`. CtcError with all that stands against it: M317 to M321."""
    layout = Layout(network, "mixed")
    lineage = Lineage(layout)
    discrete = {name for name in layout.species if layout.is_whole(name)}
    problems = [*_dependent(lineage, discrete), *_touching(network, discrete)]
    problems += sample_problems(network, "backward gives chances and means")
    awaited = _awaited(network, lineage, discrete, problems)
    if not awaited and not problems:
        what = "no event waits for the first cell of a kind, and that is what backward equations give"
        problems.append(Problem("M320", what, fix='write [[event]] with when = "detected >= 1", or take ode'))
    if problems:
        raise CtcError(problems)
    reactions = _bounded(network, lineage)
    answered = {event.name for event in awaited}
    observables = [replace(o, realised="") if o.name in answered else o for o in network.observables]
    for event in awaited:
        for name, rate, options in _equations(event, lineage):
            reactions.append(Reaction(f"{name}__backward", "->", (), (), k=None, rate=rate))
            given = {"reaction": f"{name}__backward", **options}
            observables.append(Observable(name, None, "chance", given, "1", realised="counter"))
    return replace(network, reactions=tuple(reactions), observables=tuple(observables))


def _bounded(network: Network, lineage: Lineage) -> list[Reaction]:
    """The reactions, divisions slower towards MOST cells: a mean that grows without end would overflow within years,
    and ask for steps that no chance needs. Below a billionth of MOST it is as it would be, to nine digits."""
    reactions = list(network.reactions)
    for way in lineage.ways:
        if way.parent in way.live and len(way.live) > 1:
            assert way.parent is not None
            share = Call("/", (Name(network.species[way.parent].name), MOST))
            brake = Call("max", (Call("-", (ONE, share)), Number(0.0)))
            reaction = reactions[way.reaction]
            rate = Call("*", (reaction.propensity("backward", network), brake))
            reactions[way.reaction] = replace(reaction, k=None, rate=rate)
    return reactions


def describe_chances(network: Network) -> list[str]:
    """What `check --explain` says of the method: which equations there are, and that they are exact."""
    made = [o for o in with_chances(network).observables if o.use == "chance"]
    lines = ["means of all species by their rate equations (exact: cells are independent), then backward equations:"]
    for event in [o for o in made if "cell" not in o.options]:
        name = str(event.options["event"])
        cells = [str(o.options["cell"]) for o in made if o.options["event"] == name and "cell" in o.options]
        lines.append(f"{event.name}: P({name} by each save); one cell of {', '.join(cells) or 'no kind'} has its own")
    return lines


# -- the equations ------------------------------------------------------------------------------------
def _equations(event: Awaited, lineage: Lineage) -> list[tuple[str, Expr, dict[str, object]]]:
    """(column, dv/ds, what it stands for) of the event itself and of one cell of each kind that can lead to it."""
    layout = lineage.layout
    kinds = _leading(event, lineage)
    chance = {s: Name(f"chance_{event.name}_of_{layout.species[s]}") for s in kinds}
    own = f"chance_{event.name}"
    sources = [way for way in lineage.ways if way.parent is None]
    terms = [_times(_restored(way.each, layout), _hit(event, way, chance)) for way in sources]
    whole: dict[str, object] = {"event": event.name, "armed": event.armed, "gone": event.gone}
    whole["targets"] = tuple(sorted(event.hits))
    found: list[tuple[str, Expr, dict[str, object]]] = [(own, _back(terms), whole)]
    for s in kinds:
        terms = []
        for way in lineage.ways:
            if way.parent == s:
                terms.append(_times(_restored(way.each, layout), _gain(event, way, chance)))
        begins = 1.0 if event.gone and s in event.targets else 0.0
        what: dict[str, object] = {"event": event.name, "armed": (), "from": begins}
        what |= {"cell": layout.species[s], "row": s}
        found.append((chance[s].id, _back(terms), what))
    return found


def _leading(event: Awaited, lineage: Lineage) -> list[int]:
    """Kinds of cells that can lead to the event, in order of rows; those that are the event need no equation."""
    found: set[int] = set(event.targets if event.gone else ())
    while True:
        leads = [way for way in lineage.ways if set(_left(way)) & (event.targets | found)]
        more = {way.parent for way in leads if way.parent is not None} - event.hits - found
        if not more:
            return sorted(found)
        found |= more


def _left(way: Way) -> list[int]:
    """What a way leaves, cells and what only adds up, one entry for each."""
    return [*way.live, *(s for s, n in way.gains for _ in range(n))]


def _hit(event: Awaited, way: Way, chance: Mapping[int, Name]) -> Expr | None:
    """v_w, None where it is 0."""
    left = _left(way)
    return ONE if event.hits & set(left) else _any(chance[s] for s in left if s in chance)


def _gain(event: Awaited, way: Way, chance: Mapping[int, Name]) -> Expr | None:
    """v_w - v_i without cancellation: where the cell itself is left, the rest times 1 - v_i. None where it is 0."""
    assert way.parent is not None
    mine, left = chance[way.parent], _left(way)
    other = Call("-", (ONE, mine))
    if event.hits & set(left):
        return other
    if way.parent in left:
        left.remove(way.parent)
        rest = _any(chance[s] for s in left if s in chance)
        return None if rest is None else Call("*", (rest, other))
    rest = _any(chance[s] for s in left if s in chance)
    return Call("neg", (mine,)) if rest is None else Call("-", (rest, mine))


def _any(chances: Iterable[Expr]) -> Expr | None:
    """1 - prod(1 - v) as v + (1 - v) rest."""
    total: Expr | None = None
    for v in chances:
        total = v if total is None else Call("+", (v, Call("*", (Call("-", (ONE, v)), total))))
    return total


def _times(rate: Expr, what: Expr | None) -> Expr | None:
    return None if what is None else rate if what == ONE else Call("*", (rate, what))


def _back(terms: list[Expr | None]) -> Expr:
    """dv/ds, or that of the integral."""
    total: Expr | None = None
    for term in terms:
        if term is not None:
            total = term if total is None else Call("+", (total, term))
    return Number(0.0) if total is None else Call("neg", (total,))


def _restored(e: Expr, layout: Layout) -> Expr:
    """A hoisted rate in the names of the model again, pinned species as they are along the path."""
    switches: dict[str, Expr] = {
        name: Call(">=", (Name("t"), when)) for when, name in layout.switches.items()
    }
    known = switches | {name: substitute(e, switches) for e, name in layout.coefficients.items()}
    pinned: dict[str, Expr] = {
        s.name: Name(path_of(s.name)) for s in layout.network.species if s.continuous
    }
    return substitute(substitute(e, known), pinned)


# -- what stands against it -----------------------------------------------------------------------------
def _dependent(lineage: Lineage, discrete: set[str]) -> list[Problem]:
    """Rates for each cell, or of pinned species, that depend on counts."""
    layout, problems = lineage.layout, []
    network = layout.network
    for way in lineage.ways:
        if way.frozen:
            reaction = network.reactions[way.reaction]
            what = f'the rate of "{reaction.name}" depends on how many {min(way.frozen)} there are: cells are '
            what += "not independent, and backward equations are not closed"
            fix = f"{FIX}, or pin the species with continuous = true"
            problems.append(Problem("M319", what, reaction.place, f"reaction.{reaction.name}", fix))
    for r, reaction in enumerate(network.reactions):
        moved = [network.species[s].name for s, _ in reaction.change if network.species[s].continuous]
        counts = sorted(names(layout.rates[r]) & discrete)
        if moved and counts:
            what = f'"{reaction.name}" moves {moved[0]}, which is pinned, at a rate that depends on {counts[0]}, which '
            what += "is counted: the path of a pinned species must be the same whatever happens to cells"
            problems.append(Problem("M319", what, reaction.place, f"reaction.{reaction.name}", FIX))
    return problems


def _touching(network: Network, discrete: set[str]) -> list[Problem]:
    """Treatments that see counts or set them."""
    problems = []
    counted = {o.name for o in network.observables if o.realised == "passage" and _asked(o) & discrete}
    for x in network.treatments:
        seen = set().union(*(names(e) for _, e in x.set)) & discrete
        at = names(x.at) & discrete if x.at is not None and not isinstance(x.at, float | int) else frozenset()
        wait = {x.after, x.stop_if} & counted
        what = ""
        if at or wait:
            what = f'when "{x.name}" is given depends on {min(at or wait)}, which chance decides'
        elif any(network.species[s].name in discrete for s, _ in x.set):
            hit = next(network.species[s].name for s, _ in x.set if network.species[s].name in discrete)
            what = f'"{x.name}" sets {hit}, which is counted'
        elif seen:
            what = f'"{x.name}" sets a pinned species to what depends on {min(seen)}, which is counted'
        if what:
            what += "; backward equations take treatments that touch pinned species and parameters, at times known "
            what += "from these"
            problems.append(Problem("M321", what, key=f"treatment.{x.name}", fix=FIX))
    return problems


def _asked(event: Observable) -> frozenset[str]:
    when = event.options["when"]
    assert isinstance(when, (Call, Name, Number))
    return names(when)


def _awaited(network: Network, lineage: Lineage, discrete: set[str], problems: list[Problem]) -> list[Awaited]:
    """Events on counts, each as the first appearance that it must be."""
    found = []
    for event in network.observables:
        if event.realised != "passage" or not _asked(event) & discrete:
            continue
        targets, gone = _targets(event, lineage.layout, discrete)
        clock, after = str(event.options.get("clock", "")), str(event.options.get("after", ""))
        armed = tuple(dict.fromkeys(name for name in (clock, after) if name))
        fault = ""
        if targets is None:
            fault = "waits for something else than the first cell of a kind"
        elif gone and not _closed(Awaited(event.name, targets, armed, gone), lineage):
            fault = "waits until none is left, but more may come from elsewhere: then that is no lasting end"
        elif not gone and armed and any(way.parent in targets for way in lineage.ways):
            fault = f"counts from {armed[0]} on, and what appeared before may be gone by then"
        elif {o.name for o in network.observables if o.realised == "passage" and _asked(o) & discrete} & set(armed):
            fault = "waits for another event that chance decides"
        if fault or targets is None:
            fix = 'write "detected >= 1": a count, or a sum of counts, that reaches 1; for others take first_order_leap'
            what = f'the event "{event.name}" {fault}'
            problems.append(Problem("M320", what, event.place, f"event.{event.name}", fix))
        else:
            found.append(Awaited(event.name, targets, armed, gone))
    return found


def _closed(event: Awaited, lineage: Lineage) -> bool:
    """Whether cells of the event's kinds come from such cells alone."""
    leading = set(_leading(event, lineage))
    sources = [way for way in lineage.ways if way.parent is None and leading & set(_left(way))]
    return leading == event.targets and not sources


def _targets(event: Observable, layout: Layout, discrete: set[str]) -> tuple[frozenset[int] | None, bool]:
    """State rows of a condition x >= 1 (x + y > 0 ...), or, True, x < 1 (x + y <= 0 ...); None for any other."""
    when, numbers = event.options["when"], dict(event.options.get("numbers", ()))  # type: ignore[call-overload]
    if not isinstance(when, Call) or when.op not in _MIRROR:
        return None, False
    op, (left, right) = when.op, when.args
    if _level(left, numbers) is not None:
        op, left, right = _MIRROR[op], right, left
    level, summands = _level(right, numbers), _summands(left)
    gone = op in ("<", "<=")
    whole = level is not None and ((0.0 < level <= 1.0) if op in (">=", "<") else (0.0 <= level < 1.0))
    if not whole or summands is None or not summands <= discrete:
        return None, gone
    return frozenset(layout.species.index(name) for name in summands), gone


def _level(e: Expr, numbers: Mapping[str, float]) -> float | None:
    """A number, written out or taken out of the condition as data."""
    return float(e.value) if isinstance(e, Number) else numbers.get(e.id) if isinstance(e, Name) else None


def _summands(e: Expr) -> frozenset[str] | None:
    if isinstance(e, Name):
        return frozenset({e.id})
    if isinstance(e, Call) and e.op == "+":
        both = [_summands(a) for a in e.args]
        if all(x is not None for x in both):
            return frozenset().union(*(x for x in both if x is not None))
    return None
