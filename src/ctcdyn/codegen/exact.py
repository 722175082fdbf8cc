"""Which exact method a network is simulated with: one that looks at every reaction, or one that follows a graph.

`direct` advances many trajectories at once and looks at all reactions for each event; `logarithmic_direct` looks at
what the event changes, one trajectory at a time. The costs are fitted to what `python benchmarks/scaling_ssa.py`
measured (docs/solvers.md); where the two are close it does not matter which is taken.
"""

from __future__ import annotations

from dataclasses import dataclass

from ctcdyn.codegen.dependency import Graph
from ctcdyn.codegen.layout import Layout
from ctcdyn.model.network import Network

LOOK, FAR_LOOK = 0.35, 0.7  # ns of `direct` for a reaction in an event; of a network that leaves the nearest cache
NEAR = 150  # reactions up to which all that it looks at stays there
SEARCH, CHANGE = 33.0, 1.6  # ns of `logarithmic_direct` for an event, and for each number that it changes


@dataclass(frozen=True)
class Exact:
    """The exact method of a network, and why."""

    method: str
    reason: str


def exact_method(network: Network) -> Exact:
    """ "direct" or "logarithmic_direct": the cheaper one for each event."""
    reactions = len(network.reactions)
    direct = reactions * (LOOK if reactions <= NEAR else FAR_LOOK)
    if direct <= SEARCH:
        return Exact("direct", f"{reactions} reactions, all looked at for each event: direct")
    graph = Graph(Layout(network, "jump"))
    changed = sum(graph.work(slot) for slot in graph.slots) / reactions
    told = f"{reactions} reactions, and an event changes on average {changed:.3g} of the numbers that choose the next"
    if direct <= SEARCH + CHANGE * changed:
        return Exact("direct", f"{told}: to look at all is as quick, direct")
    return Exact("logarithmic_direct", f"{told}: logarithmic_direct, whose events look at these alone")
