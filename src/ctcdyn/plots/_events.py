"""The event that curves are of, and its groups as survival data."""

from __future__ import annotations

from ctcdyn.errors import CtcError, Exit, Problem
from ctcdyn.followup import clocks, event_index, outcome_event, rows_of
from ctcdyn.plots import Asked
from ctcdyn.plots._groups import groups
from ctcdyn.plots._style import cannot, spoken
from ctcdyn.results import Results
from ctcdyn.survival import Followed

FEWEST = 10  # at risk: curves of rates end where fewer are followed


def followed(results: Results, kind: str, asked: Asked) -> tuple[str, str, dict[str, Followed]]:
    """Event, what its time is counted from ("time after resection"), and who was followed in each group by its label.

    Raises CtcError (R509, R521, exit 2).
    """
    if not results.event_kind or "event_time" not in results:
        fix = "give the study an [[event]] and a method with single cells, or draw --kind bands"
        raise cannot(kind, "the result has no events", fix)
    if len(asked.names) > 1:
        fix = "name one event with --species"
        raise CtcError(
            Problem("R509", f"curves are of one event, not {len(asked.names)}", fix=fix), Exit.USAGE
        )
    event = asked.names[0] if asked.names else outcome_event(results)
    event_index(results, event)
    found = {group.label: rows_of(results, event, group.rows) for group in groups(results, kind, asked.by)}
    found = {label: group for label, group in found.items() if len(group.time)}  # type: ignore[arg-type]
    clock = clocks(results).get(event, "")
    if not found:
        raise cannot(kind, f"nobody was followed up: no {spoken(clock)}", "run the study for longer")
    return event, f"time after {spoken(clock)}" if clock else "time since start", found
