"""What is there of a run, finished or not, as text for people and as plain data for programs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ctcdyn.store.lock import holder, is_dead
from ctcdyn.store.verification import Whole, verify
from ctcdyn.store.verification import unfinished as halfway
from ctcdyn.wording import grouped


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
        f"{grouped(found['committed'])} of {grouped(found['count'])} trajectories are committed ({share:.1f} %)",
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
