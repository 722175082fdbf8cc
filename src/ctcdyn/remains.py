"""What is there of a run, finished or not, as text for people and as plain data for programs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ctcdyn.errors import Status
from ctcdyn.store import ending
from ctcdyn.store.lock import holder, is_dead
from ctcdyn.store.verification import Whole, failed_rows, verify
from ctcdyn.store.verification import unfinished as halfway
from ctcdyn.wording import grouped, or_none


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
        "failed": {Status(status).meaning: many for status, many in sorted(found.failed.items())},
        "running": None if held is None or is_dead(held) else {"pid": held.get("pid"), "host": held.get("host")},
        "ended": _ended(found.folder, held),
    }


def _ended(folder: Path, held: dict[str, Any] | None) -> str | None:
    """Why a run that is not finished does not go on; None where it does."""
    if held is not None:
        if not is_dead(held):
            return None
        died = f"process {held.get('pid')} on {held.get('host')} died without a word"
        return f"{died}: killed (kill -9, out of memory), or its machine stopped"
    noted = ending.read(folder)
    return f"{noted[0]}, {noted[1]}" if noted is not None else "it was stopped at once, and left no word"


def failures(path: str | os.PathLike[str], limit: int = 20) -> dict[str, Any] | None:
    """Of an unfinished run, what `inspection.failures` gives of a result, as far as it is committed; else None."""
    found = None if Path(path).is_file() else halfway(path, check=False)
    if found is None:
        return None
    schema: Any = found.header["schema"]
    listed = [
        {
            "trajectory": trajectory,
            "status": Status(status).meaning,
            "n_steps": steps,
            "parameters": dict(zip(schema["parameters"], map(or_none, values))),
        }
        for trajectory, status, steps, values in failed_rows(found, limit)
    ]
    return {"file": str(found.folder), "failed": sum(found.failed.values()), "trajectories": listed}


def unfinished_text(found: dict[str, Any]) -> str:
    """The form of `unfinished` for people."""
    share = 100 * found["committed"] / found["count"]
    running = found["running"]
    state = f"being written by process {running['pid']} on {running['host']}" if running else "not running"
    ways = ", ".join(f"{many} {way.replace('_', ' ')}" for way, many in found["failed"].items())
    lines = [
        f"{found['folder']}: UNFINISHED, {state}",
        *([f"ended: {found['ended']}"] if found["ended"] else []),
        f"{found['title']}, method {found['method']}, seed {found['seed']}, begun {found['begun']}",
        f"{grouped(found['committed'])} of {grouped(found['count'])} trajectories are committed ({share:.1f} %)",
        f"failed of these: {ways or 'none'}" + (" (--failures shows which)" if ways else ""),
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
        return f"whole  {found['file']}: {grouped(found['count'])} trajectories, content {found['hash']}"
    damaged = [f"DAMAGED  {name}: --resume sets it aside and computes it again" for name in found["damaged"]]
    whole = f"{found['segments']} whole segments, {grouped(found['committed'])} of {grouped(found['count'])}"
    return "\n".join([f"unfinished  {found['file']}: {whole} trajectories", *damaged])
