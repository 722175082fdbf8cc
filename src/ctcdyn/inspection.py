"""What is in a result file, as text for people and as plain data for programs."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from ctcdyn.analysis import (
    computed_chance,
    computed_difference,
    event_difference,
    event_share,
    low_shares,
    weights,
)
from ctcdyn.columns import chances
from ctcdyn.courses import courses, courses_text
from ctcdyn.errors import Status
from ctcdyn.fates import fate_table, fates_met
from ctcdyn.results import Results, open_results
from ctcdyn.store.layout import BLOCK, COORDINATES, SCHEMA_VERSION, VARIABLES
from ctcdyn.wording import NOTICE, SHOWN, grouped, or_none, size

_NOT_CONTENT = ("species_units", "observable_units", "parameter_units")


def inspect(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Everything `ctcdyn inspect --json` prints: plain dicts, lists, numbers and text."""
    with open_results(path) as results:
        schema, counts = results.schema, results.counts
        sizes = schema.sizes
        arrays = {
            name: {
                "axes": list(VARIABLES[name].axes),
                "shape": [sizes[axis] for axis in VARIABLES[name].axes],
            }
            for name in results.names
        }
        return {
            "file": str(path),
            "bytes": Path(path).stat().st_size,
            "schema": SCHEMA_VERSION,
            "title": schema.title,
            "method": schema.method,
            "trajectories": {
                "first": schema.first,
                "count": schema.count,
                "total": schema.total,
                "kept": schema.kept,
                "run": schema.count - counts.get(Status.NOT_RUN, 0),
                "ok": sum(number for status, number in counts.items() if status.ok),
                "status": {status.meaning: number for status, number in counts.items()},
            },
            "arms": list(schema.arms),
            "patients": schema.patients,
            "replicates": schema.replicates,
            "species": dict(zip(schema.species, schema.species_units)),
            "shown": list(schema.shown),
            "observables": dict(zip(schema.observables, schema.observable_units)),
            "parameters": _parameters(results),
            "event_kinds": list(schema.event_kinds),
            "events": _events(results),
            "survival": courses(results),
            "chances": _chances(results),
            "fates": fates_met(results),
            "weights": {key: or_none(value) for key, value in weights(results).items()},
            "time": {
                "saves": len(schema.times),
                "start": float(schema.times[0]) if len(schema.times) else None,
                "end": float(schema.times[-1]) if len(schema.times) else None,
                "units": "d",
            },
            "quantiles": list(schema.quantiles),
            "low_count": schema.low_count,
            "below_low_count": low_shares(results),
            "arrays": arrays,
            "lesions": {"rows": results.lesions.rows, "columns": list(results.lesions)} if schema.lesions else None,
            "shards": [
                {"file": part.file, "first": part.first, "count": part.count, "wrong": problem and problem.what}
                for part, problem in results.shards().items()
            ],
            "provenance": dict(schema.provenance),
        }


def _events(results: Results) -> list[dict[str, Any]]:
    """Share of each arm with each event by the end, its Monte-Carlo error, and the difference to the first arm."""
    if "event_time" not in results or "arm_index" not in results:
        return []
    found = []
    for event in results.event_kind:
        for number, arm in enumerate(results.arm):
            share = event_share(results, event, arm)
            entry: dict[str, Any] = {"event": event, "arm": arm, "n": share.n}
            entry |= {"share": or_none(share.value), "error": or_none(share.error)}
            if number:
                difference = event_difference(results, event, arm)
                entry |= {
                    "difference": or_none(difference.value),
                    "difference_error": or_none(difference.error),
                    "unpaired_error": or_none(difference.unpaired),
                }
            found.append(entry)
    return found


def _chances(results: Results) -> list[dict[str, Any]]:
    """Chance of each event by the end that was computed, mean over the patients of each arm, and the difference to the
    first arm; errors: from which patients were drawn."""
    found = []
    for event, columns in chances(results).items():
        for number, arm in enumerate(results.arm):
            one = computed_chance(results, columns[""], arm)
            entry: dict[str, Any] = {"event": event, "arm": arm, "patients": one.n}
            entry |= {"chance": or_none(one.value), "error": or_none(one.error)}
            if number:
                change = computed_difference(results, columns[""], arm)
                entry |= {"difference": or_none(change.value), "difference_error": or_none(change.error)}
            found.append(entry)
    return found


def _parameters(results: Results) -> dict[str, dict[str, Any]]:
    """Unit and range of each parameter over the trajectories that ran."""
    schema = results.schema
    low = np.full(len(schema.parameters), np.inf)
    high = np.full(len(schema.parameters), -np.inf)
    if "params" in results:
        for start in range(0, schema.count, 16 * BLOCK):
            rows = results.rows("params", start, start + 16 * BLOCK)
            low, high = np.fmin(low, np.fmin.reduce(rows)), np.fmax(high, np.fmax.reduce(rows))
    return {
        name: {"units": unit, "min": or_none(low[k]), "max": or_none(high[k])}
        for k, (name, unit) in enumerate(zip(schema.parameters, schema.parameter_units))
    }


def failures(path: str | os.PathLike[str], limit: int = 20) -> dict[str, Any]:
    """The first `limit` trajectories that failed: id, status, steps, parameters; and how many there are."""
    with open_results(path) as results:
        status = results.status
        bad = ~np.isin(status, [int(s) for s in Status if s.ok or s is Status.NOT_RUN])
        rows = np.flatnonzero(bad)[:limit]
        first = results.schema.first
        listed = []
        for row in rows.tolist():
            values = results.rows("params", row, row + 1)[0].tolist() if "params" in results else []
            listed.append(
                {
                    "trajectory": first + row,
                    "status": Status(int(status[row])).meaning,
                    "n_steps": int(results.rows("n_steps", row, row + 1)[0]),
                    "parameters": dict(zip(results.parameter, map(or_none, values))),
                }
            )
        return {"file": str(path), "failed": int(bad.sum()), "trajectories": listed}


def inspection_text(found: dict[str, Any]) -> str:
    """The form of `inspect` for people."""
    ids, time, made = found["trajectories"], found["time"], found["provenance"]
    complete = "complete" if ids["run"] == ids["count"] else "INCOMPLETE"
    part = "" if ids["count"] == ids["total"] else f", a part of {grouped(ids['total'])}"
    ways = ", ".join(f"{meaning} {grouped(number)}" for meaning, number in ids["status"].items())
    saves = f"{time['saves']} from day {time['start']:g} to {time['end']:g}" if time["saves"] else "none"
    drawn = [name for name, entry in found["parameters"].items() if entry["min"] != entry["max"]]
    contents = [
        f"{name} ({'x'.join(str(n) for n in entry['shape'])}),"
        for name, entry in found["arrays"].items()
        if name not in COORDINATES and name not in _NOT_CONTENT
    ]
    lines = [
        ("file", f"{found['file']}   {size(found['bytes'])}, schema {found['schema']}"),
        ("title", f"{found['title']}; {NOTICE}"),
        (
            "method",
            f"{found['method']}, seed {made.get('seed', '?')}, ctcdyn {made.get('ctcdyn_version', '?')}",
        ),
        ("ids", f"{complete}: {grouped(ids['run'])} of {grouped(ids['count'])}{part} ({ways or 'none'})"),
        ("arms", " · ".join(found["arms"])),
        ("times", saves),
        ("species", ", ".join(_with_unit(name, found["species"][name]) for name in found["shown"])),
        ("observables", ", ".join(_with_unit(name, unit) for name, unit in found["observables"].items())),
        ("weights", _weighed(found["weights"])),
        ("events", _passages(found["event_kinds"])),
        ("by the end", ", ".join(filter(None, (_shares(found["events"]), _computed(found["chances"]))))),
        ("too few", _too_few(found["low_count"], found["below_low_count"])),
        ("parameters", f"{len(found['parameters'])}, drawn: {', '.join(drawn) or 'none'}"),
        ("contents", " ".join(contents).rstrip(",")),
        ("lesions", _lesions(found["lesions"])),
        ("shards", _shards(found["shards"])),
        ("run", _made(made)),
        ("open with", f'xarray.open_dataset("{found["file"]}")   ctcdyn.open("{found["file"]}")'),
    ]
    fill = textwrap.TextWrapper(110, "", " " * 12, break_long_words=False, break_on_hyphens=False).fill
    told = "\n".join(fill(f"{name:<12}{text}") for name, text in lines if text)
    tables = courses_text(found["survival"], time["end"] or 0.0), fate_table(found["fates"])
    return "\n".join(filter(None, (told, *tables)))


def _weighed(found: dict[str, Any]) -> str:
    """What the weights of trajectories are like, and what they are for; empty where there are none."""
    if found.get("mean") is None:
        return ""
    told = f"mean {found['mean']:.4g} ± {found['error'] or 0.0:.2g}, as good as {found['effective']:.3g} equal ones"
    return f"{told}; rows are of the law drawn from, means and chances of the law asked for"


def _too_few(count: float, shares: dict[str, float]) -> str:
    """How often each species was below the count from which its method holds; empty where none was."""
    few = [f"{name} {100 * share:.3g} %" for name, share in shares.items() if share > 0]
    return f"for a Langevin equation, under {count:.0f} cells: {', '.join(few)} of all saved values" if few else ""


def _lesions(table: dict[str, Any] | None) -> str:
    return f"{grouped(table['rows'])} rows of {', '.join(table['columns'])}" if table else ""


def _shards(listed: list[dict[str, Any]]) -> str:
    """Where full paths are read from, and which of these files are missing or changed."""
    if not listed:
        return ""
    wrong = [entry["wrong"] for entry in listed if entry["wrong"]]
    told = f"; {len(wrong)} MISSING OR CHANGED: {'; '.join(wrong)}" if wrong else ", all there"
    return f"full paths are read from {len(listed)} files, {listed[0]['file']} to {listed[-1]['file']}{told}"


def failures_text(found: dict[str, Any]) -> str:
    """The form of `failures` for people."""
    if not found["failed"]:
        return "no trajectory failed"
    lines = [f"{grouped(found['failed'])} failed"]
    for entry in found["trajectories"]:
        values = ", ".join(
            f"{name} {value:.6g}" for name, value in entry["parameters"].items() if value is not None
        )
        lines.append(
            f"  {entry['trajectory']:>10}  {entry['status']:<14}  {entry['n_steps']:>9} steps  {values}"
        )
    if found["failed"] > len(found["trajectories"]):
        lines.append(f"  ... and {grouped(found['failed'] - len(found['trajectories']))} more")
    return "\n".join(lines)


def _passages(names: list[str]) -> str:
    """First passages have no column over time: where they are."""
    return f"{', '.join(names)} (in event_time, event_observed)" if names else ""


def _shares(events: list[dict[str, Any]]) -> str:
    """What share of each arm had each event, in percent."""
    known = [entry for entry in events if entry["share"] is not None]
    several = len({entry["arm"] for entry in events}) > 1
    return ", ".join(
        f"{entry['event']} {100 * entry['share']:.3g} ± {100 * entry['error']:.2g} %"
        + (f" ({entry['arm']})" if several else "")
        for entry in known
    )


def _computed(entries: list[dict[str, Any]]) -> str:
    """Chances that were computed."""
    several = len({entry["arm"] for entry in entries}) > 1
    known = [entry for entry in entries if entry["chance"] is not None]
    return ", ".join(f"{x['event']} {x['chance']:.4g}" + (f" ({x['arm']})" if several else "") for x in known)


def _made(made: dict[str, Any]) -> str:
    parts = [
        f"{name} {made[name]}"
        for name in ("start", "end", "host", "cpu_name", "threads", "command")
        if name in made and len(str(made[name])) <= SHOWN
    ]
    return ", ".join(parts)


def _with_unit(name: str, unit: str) -> str:
    return name if unit == "1" else f"{name} ({unit})"
