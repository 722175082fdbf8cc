"""Segments become one result file, in a process of its own: if HDF5 dies there, the segments are still whole.

`assemble` starts that process and waits; `main` is what it runs. It ends when its parent does: nothing is left running.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from ctcdyn.errors import CtcError, Exit, Problem
from ctcdyn.reduction import Histogram, Tree
from ctcdyn.store import lesions
from ctcdyn.store.identity import from_json
from ctcdyn.store.journal import Journal
from ctcdyn.store.layout import LEAF
from ctcdyn.store.manifest import Manifest
from ctcdyn.store.segments import parse, read_checked
from ctcdyn.store.writer import Store

_LOOK = 0.2  # s


def assemble(
    journal: Journal,
    end: dict[str, str | int | float],
    overwrite: bool,
    halted: Callable[[], bool] = lambda: False,
) -> bool:
    """Make the result file from the committed segments; `end` is what is known only now. False where it was halted.

    Raises CtcError: exit 5 on a full disk, 6 where the target appeared. The segments stay until the file has its name.
    """
    order = json.dumps({"end": end, "overwrite": overwrite})
    program = "from ctcdyn.store.assembly import main; main()"
    command = [sys.executable, "-c", program, str(journal.folder), str(journal.path)]
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(order + "\n")
        child.stdin.flush()
        while child.poll() is None:
            if halted():
                return False
            try:
                child.wait(_LOOK)
            except subprocess.TimeoutExpired:
                continue
        told = child.stdout.read()
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        child.stdin.close()
        child.stdout.close()
    if child.returncode == 0:
        return True
    raise _told(journal.folder, child.returncode, told)


def _told(folder: Path, code: int, told: str) -> CtcError:
    try:
        found = json.loads(told.splitlines()[-1])
        problems = [Problem(**problem) for problem in found["problems"]]
        return CtcError(problems, Exit(found["exit"]))
    except (ValueError, IndexError, KeyError, TypeError):
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
        what = f"the process that writes the result ended {how}; what is committed is safe in {folder}"
        return CtcError(Problem("R514", what, fix="the same command with --resume tries again"), Exit.RESOURCES)


def write_result(folder: Path, target: Path, end: dict[str, str | int | float], overwrite: bool) -> None:
    """The result file from the segments in a folder, renamed into place."""
    manifest = Manifest.read(folder)
    schema = from_json(manifest.header["schema"])
    tree = Tree(-(-schema.total // LEAF))
    columns = len(schema.species) + len(schema.observables)
    histogram = Histogram(len(schema.arms), len(schema.times), columns) if schema.quantiles else None
    founded = [(first, n) for entry in manifest.entries for (first, _), n in zip(entry.runs, entry.lesions)]
    starts, rows = lesions.places(founded)
    with Store.open(target, schema, overwrite, draft_in=folder, lesions=rows) as store:
        for entry in sorted(manifest.entries, key=lambda entry: entry.runs):
            data = read_checked(folder, entry)
            if data is None:
                what = f"{folder / entry.name} is damaged"
                raise CtcError(Problem("R505", what, fix="--resume computes it again"), Exit.OUTPUT)
            segment = parse(schema, entry, data)
            for packed in segment.pieces:
                store.append(packed)
                if schema.lesions:
                    store.append_lesions(starts[packed.result.first], lesions.given(schema, packed.result))
            tree.add_all(segment.nodes)
            for part in segment.sketches:
                if histogram is not None:
                    histogram.add(part)
        if manifest.damaged or sum(entry.rows for entry in manifest.entries) != schema.count:
            what = f"{manifest.path} is damaged: it does not name all trajectories"
            raise CtcError(Problem("R505", what, fix="--resume computes them again"), Exit.OUTPUT)
        sketch = histogram.sketch() if histogram is not None else None
        store.finish(tree.root(), sketch, end, tree.waiting())


def _follow_parent() -> None:
    """End when the pipe to the parent does: a result that nobody waits for is not written."""
    sys.stdin.read()
    os._exit(int(Exit.KILLED))


def main() -> None:
    folder, target = map(Path, sys.argv[1:])
    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_follow_parent, daemon=True).start()
    try:
        write_result(folder, target, order["end"], order["overwrite"])
    except CtcError as error:
        problems = [{"code": p.code, "what": p.what, "fix": p.fix, "why": p.why} for p in error.problems]
        print(json.dumps({"exit": int(error.exit), "problems": problems}))
        sys.exit(int(error.exit))


if __name__ == "__main__":
    main()
