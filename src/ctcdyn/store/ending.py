"""Why a run ended before it was finished: a note in the folder of its segments, for whoever looks there later.

It is worth nothing but a sentence: one that cannot be written, or read, is left out. A process that was killed leaves
none, and a run that goes on takes it away.
"""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path

from ctcdyn.errors import CtcError

NAME = "ended.json"
_LONGEST = 400  # characters


def put_down(folder: Path, error: BaseException | None, signal: str = "") -> None:
    """Note what ended the run: an exception, and the name of the signal where it was one."""
    if isinstance(error, CtcError):
        first = error.problems[0]
        why = f"error[{first.code}]: {first.what}"
    elif isinstance(error, KeyboardInterrupt):
        why = f"it was asked to stop ({signal or 'a signal'})"
    else:
        why = f"a fault of ctcdyn, {type(error).__name__}: {error}"
    found = {"why": " ".join(why.split())[:_LONGEST], "when": datetime.now(UTC).isoformat(timespec="seconds")}
    with contextlib.suppress(OSError):
        (folder / NAME).write_text(json.dumps(found), encoding="utf-8")


def read(folder: Path) -> tuple[str, str] | None:
    """(why, when) of the note in a folder; None where there is none that can be read."""
    try:
        found = json.loads((folder / NAME).read_text(encoding="utf-8"))
        return str(found["why"]), str(found["when"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def forget(folder: Path) -> None:
    """The run goes on, or begins again."""
    if (folder / NAME).exists():
        with contextlib.suppress(OSError):
            (folder / NAME).unlink()
