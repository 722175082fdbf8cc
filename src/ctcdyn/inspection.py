"""What is in a result file, and how two differ, as text for people and as plain data for programs."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from ctcdyn.analysis import event_difference, event_share, low_shares, weights
from ctcdyn.errors import Status
from ctcdyn.results import Results, open_results
from ctcdyn.store.content import Comparison
from ctcdyn.store.layout import BLOCK, COORDINATES, SCHEMA_VERSION, VARIABLES
from ctcdyn.store.lock import holder, is_dead
from ctcdyn.store.verification import Whole, verify
from ctcdyn.store.verification import unfinished as halfway

_SHOWN = 200  # characters of a provenance entry that the text form shows
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
            "observables": dict(zip(schema.observables, schema.observable_units)),
            "parameters": _parameters(results),
            "event_kinds": list(schema.event_kinds),
            "events": _events(results),
            "weights": {key: _plain(value) for key, value in weights(results).items()},
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
            entry |= {"share": _plain(share.value), "error": _plain(share.error)}
            if number:
                difference = event_difference(results, event, arm)
                entry |= {
                    "difference": _plain(difference.value),
                    "difference_error": _plain(difference.error),
                    "unpaired_error": _plain(difference.unpaired),
                }
            found.append(entry)
    return found


def unfinished(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """What is known of an unfinished run into `path`, as plain data; None where the result is there or nothing is."""
    found = None if Path(path).is_file() else halfway(path, check=False)
    if found is None:
        return None
    schema: Any = found.header["schema"]
    held = holder(found.folder)
    return {
        "folder": str(found.folder),
        "title": schema["title"],
        "method": schema["method"],
        "committed": found.rows,
        "count": found.count,
        "segments": found.segments,
        "bytes": found.size,
        "damaged": list(found.damaged),
        "seed": schema["provenance"].get("seed"),
        "begun": schema["provenance"].get("start"),
        "running": None if held is None or is_dead(held) else {"pid": held.get("pid"), "host": held.get("host")},
    }


def unfinished_text(found: dict[str, Any]) -> str:
    """The form of `unfinished` for people."""
    share = 100 * found["committed"] / found["count"]
    running = found["running"]
    state = f"being written by process {running['pid']} on {running['host']}" if running else "not running"
    lines = [
        f"{found['folder']}: UNFINISHED, {state}",
        f"{found['title']}, method {found['method']}, seed {found['seed']}, begun {found['begun']}",
        f"{_grouped(found['committed'])} of {_grouped(found['count'])} trajectories are committed ({share:.1f} %)",
        f"{found['segments']} segments, {found['bytes'] / 1e6:.3g} MB",
        *(f"DAMAGED: {name}" for name in found["damaged"]),
    ]
    return "\n".join(lines if running else [*lines, "ctcdyn run STUDY.toml --resume goes on"])


def verification(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What `ctcdyn verify --json` prints."""
    found = verify(path)
    if isinstance(found, Whole):
        return {"file": str(found.path), "complete": True, "count": found.count, "hash": found.hash, "damaged": []}
    return {
        "file": str(found.folder),
        "complete": False,
        "count": found.count,
        "committed": found.rows,
        "segments": found.segments,
        "damaged": list(found.damaged),
    }


def verification_text(found: dict[str, Any]) -> str:
    """The form of `verification` for people."""
    if found["complete"]:
        return f"whole  {found['file']}: {_grouped(found['count'])} trajectories, content {found['hash']}"
    damaged = [f"DAMAGED  {name}: --resume sets it aside and computes it again" for name in found["damaged"]]
    whole = f"{found['segments']} whole segments, {_grouped(found['committed'])} of {_grouped(found['count'])}"
    return "\n".join([f"unfinished  {found['file']}: {whole} trajectories", *damaged])


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
        name: {"units": unit, "min": _plain(low[k]), "max": _plain(high[k])}
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
                    "parameters": dict(zip(results.parameter, map(_plain, values))),
                }
            )
        return {"file": str(path), "failed": int(bad.sum()), "trajectories": listed}


def inspection_text(found: dict[str, Any]) -> str:
    """The form of `inspect` for people."""
    ids, time, made = found["trajectories"], found["time"], found["provenance"]
    complete = "complete" if ids["run"] == ids["count"] else "INCOMPLETE"
    part = "" if ids["count"] == ids["total"] else f", a part of {_grouped(ids['total'])}"
    ways = ", ".join(f"{meaning} {_grouped(number)}" for meaning, number in ids["status"].items())
    saves = f"{time['saves']} from day {time['start']:g} to {time['end']:g}" if time["saves"] else "none"
    drawn = [name for name, entry in found["parameters"].items() if entry["min"] != entry["max"]]
    contents = [
        f"{name} ({'x'.join(str(n) for n in entry['shape'])}),"
        for name, entry in found["arrays"].items()
        if name not in COORDINATES and name not in _NOT_CONTENT
    ]
    lines = [
        ("file", f"{found['file']}   {_size(found['bytes'])}, schema {found['schema']}"),
        ("title", found["title"]),
        (
            "method",
            f"{found['method']}, seed {made.get('seed', '?')}, ctcdyn {made.get('ctcdyn_version', '?')}",
        ),
        ("ids", f"{complete}: {_grouped(ids['run'])} of {_grouped(ids['count'])}{part} ({ways or 'none'})"),
        ("arms", " · ".join(found["arms"])),
        ("times", saves),
        ("species", ", ".join(_with_unit(name, unit) for name, unit in found["species"].items())),
        ("observables", ", ".join(_with_unit(name, unit) for name, unit in found["observables"].items())),
        ("weights", _weighed(found["weights"])),
        ("events", _passages(found["event_kinds"])),
        ("by the end", _shares(found["events"])),
        ("too few", _too_few(found["low_count"], found["below_low_count"])),
        ("parameters", f"{len(found['parameters'])}, drawn: {', '.join(drawn) or 'none'}"),
        ("contents", " ".join(contents).rstrip(",")),
        ("lesions", _lesions(found["lesions"])),
        ("shards", _shards(found["shards"])),
        ("run", _made(made)),
        ("open with", f'xarray.open_dataset("{found["file"]}")   ctcdyn.open("{found["file"]}")'),
    ]
    fill = textwrap.TextWrapper(110, "", " " * 12, break_long_words=False, break_on_hyphens=False).fill
    return "\n".join(fill(f"{name:<12}{text}") for name, text in lines if text)


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
    return f"{_grouped(table['rows'])} rows of {', '.join(table['columns'])}" if table else ""


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
    lines = [f"{_grouped(found['failed'])} failed"]
    for entry in found["trajectories"]:
        values = ", ".join(
            f"{name} {value:.6g}" for name, value in entry["parameters"].items() if value is not None
        )
        lines.append(
            f"  {entry['trajectory']:>10}  {entry['status']:<14}  {entry['n_steps']:>9} steps  {values}"
        )
    if found["failed"] > len(found["trajectories"]):
        lines.append(f"  ... and {_grouped(found['failed'] - len(found['trajectories']))} more")
    return "\n".join(lines)


def comparison_data(comparison: Comparison) -> dict[str, Any]:
    """Everything `ctcdyn compare --json` prints."""
    return {
        "first": str(comparison.first),
        "second": str(comparison.second),
        "same": comparison.same,
        "sha256": [comparison.first_hash, comparison.second_hash],
        "differences": [
            {key: _plain(value) if isinstance(value, float) else value for key, value in entry.items()}
            for entry in map(dataclasses.asdict, comparison.differences)
        ],
        "provenance": {name: list(pair) for name, pair in comparison.provenance.items()},
    }


def comparison_text(comparison: Comparison) -> str:
    """The form of a comparison for people; its first word is "same" or "different"."""
    lines = ["same content" if comparison.same else "different content"]
    lines += [
        f"  {comparison.first_hash}  {comparison.first}",
        f"  {comparison.second_hash}  {comparison.second}",
    ]
    for entry in comparison.differences:
        line = f"  {entry.path:<18}{entry.what}"
        if entry.elements:
            line += f": {_grouped(entry.elements)} of {_grouped(entry.size)}"
        if entry.absolute:
            line += f", at most {entry.absolute:.3g} absolute, {entry.relative:.3g} relative"
        lines.append(line)
    if comparison.provenance:
        lines.append("made differently (no part of the content):")
        rows = [row for name, pair in comparison.provenance.items() for row in _changes(name, *pair)]
        width = max(18, *(len(name) + 2 for name, _ in rows))
        lines += [f"  {name:<{width}}{text}" for name, text in rows]
    return "\n".join(lines)


def _changes(name: str, before: str | float | None, after: str | float | None) -> list[tuple[str, str]]:
    """(name, both values) of an entry that differs; of a table in JSON one for each key that does."""
    if name.endswith("_json"):
        try:
            first, second = _flat(json.loads(str(before))), _flat(json.loads(str(after)))
        except ValueError:
            pass
        else:
            keys = [key for key in {**first, **second} if first.get(key) != second.get(key)]
            return [(name, ""), *((f"  {key}", f"{first.get(key, '-')}  |  {second.get(key, '-')}") for key in keys)]
    return [(name, f"{_brief(before)}  |  {_brief(after)}")]


def _flat(value: Any, key: str = "") -> dict[str, str]:
    """Dotted keys of nested tables, each with its value as JSON."""
    if not isinstance(value, dict):
        return {key: json.dumps(value)}
    inner = (_flat(item, f"{key}.{name}" if key else name).items() for name, item in value.items())
    return {name: text for items in inner for name, text in items}


def _brief(value: str | float | None) -> str:
    if value is None:
        return "-"
    text = str(value)
    if "\n" in text or len(text) > _SHOWN // 2:
        lines = len(text.splitlines())
        return f"{lines} line{'s' if lines != 1 else ''}, {len(text)} characters"
    return text


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


def _made(made: dict[str, Any]) -> str:
    parts = [
        f"{name} {made[name]}"
        for name in ("start", "end", "host", "cpu_name", "threads", "command")
        if name in made and len(str(made[name])) <= _SHOWN
    ]
    return ", ".join(parts)


def _with_unit(name: str, unit: str) -> str:
    return name if unit == "1" else f"{name} ({unit})"


def _grouped(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _size(number: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} GB"


def _plain(value: float) -> float | None:
    """JSON has no NaN and no infinity."""
    return float(value) if math.isfinite(value) else None
