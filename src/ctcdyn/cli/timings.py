"""Records of `ctcdyn bench`: what was timed and counted, how it is kept, and how two of them are compared.

These machines move by tens of per cent within seconds. So a fixed piece of work of numpy, the pace, is timed before and
after each piece of ours, and two records are compared by times in units of their own pace.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ctcdyn.errors import CtcError, Exit, Problem

FORMAT = "ctcdyn bench 1"
RESAMPLES = 2000
LEVEL = 0.9  # of an interval: a slowdown is told at 95 %
DISCARDED = 0.3  # share of the rounds that is left out, the slowest in units of the pace: other programs were at work
COUNTED = ("events", "steps", "trajectories")  # equal, or the work is another one; other facts may change
MADE_BY = ("python", "numpy_version", "numba_version", "llvmlite_version")  # on which all other facts depend


@dataclass(frozen=True)
class Entry:
    """One piece of work. `times` (rounds,): CPU time for a unit of work, in `unit`; `pace` (rounds,): CPU seconds of
    the pace beside it; `facts`: what does not depend on the machine's speed."""

    name: str
    unit: str
    times: tuple[float, ...] = ()
    pace: tuple[float, ...] = ()
    facts: dict[str, int] = field(default_factory=dict)

    @property
    def relative(self) -> NDArray[np.float64]:
        """Times in units of the pace, of the rounds that are compared, rising: the slowest are DISCARDED."""
        found = np.sort(np.array(self.times) / np.array(self.pace))
        return np.asarray(found[: len(found) - int(DISCARDED * len(found))], dtype=np.float64)


@dataclass(frozen=True)
class Record:
    """All entries of one call, and where they were measured."""

    about: dict[str, str]
    entries: tuple[Entry, ...]

    def text(self) -> str:
        """As JSON."""
        entries = [asdict(entry) for entry in self.entries]
        return json.dumps({"format": FORMAT, "about": self.about, "entries": entries}, indent=1)

    def entry(self, name: str) -> Entry | None:
        """The entry of a name, where there is one."""
        return next((entry for entry in self.entries if entry.name == name), None)


@dataclass(frozen=True)
class Ratio:
    """CPU time now / before of one entry, in units of the pace: of medians of the rounds kept, with its interval."""

    name: str
    ratio: float
    low: float
    high: float

    def slower_than(self, percent: float) -> bool:
        """Whether even the lower end of the interval is a slowdown of more than so many per cent."""
        return self.low > 1.0 + percent / 100.0


@dataclass(frozen=True)
class Change:
    """A fact that is another one now. `grown`: now / before - 1, in per cent; `worse` where that is no gain: packed
    instructions should not become fewer, all else not more."""

    name: str
    fact: str
    before: int
    now: int

    @property
    def grown(self) -> float:
        return math.inf if not self.before else 100.0 * (self.now / self.before - 1.0)

    def forbidden(self, percent: float | None) -> bool:
        """A count that differs always, and another fact that is worse by more than so many per cent."""
        return self.fact in COUNTED or (percent is not None and self.worse > percent)

    @property
    def worse(self) -> float:
        return -self.grown if self.fact.startswith("packed") else self.grown


def load(path: Path) -> Record:
    """A record of a file. Raises CtcError (exit 6): R504 for one that is no record of this format."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["format"] != FORMAT:
            raise ValueError(f"its format is {told['format']!r}")
        entries = []
        for one in told["entries"]:
            times, pace = (tuple(float(x) for x in one[key]) for key in ("times", "pace"))
            if len(times) != len(pace) or not all(math.isfinite(x) and x > 0.0 for x in (*times, *pace)):
                raise ValueError(f"{one['name']}: times and paces are not positive numbers, two for each round")
            facts = {str(key): int(value) for key, value in one["facts"].items()}
            entries.append(Entry(str(one["name"]), str(one["unit"]), times, pace, facts))
        return Record({str(key): str(value) for key, value in told["about"].items()}, tuple(entries))
    except (OSError, ValueError, OverflowError, RecursionError, KeyError, TypeError, AttributeError) as error:
        what = f"{path} is no record of `ctcdyn bench`: {error}"
        raise CtcError(Problem("R504", what, fix="make one with ctcdyn bench --save FILE"), Exit.OUTPUT) from None


def save(record: Record, path: Path) -> None:
    """Write a record whole or not at all. Raises CtcError R503 (exit 6)."""
    draft = path.with_name(f"{path.name}.tmp")
    try:
        with draft.open("w", encoding="utf-8") as stream:
            stream.write(f"{record.text()}\n")
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise CtcError(Problem("R503", f"cannot write {path}: {error.strerror}"), Exit.OUTPUT) from None


def ratios(before: Record, now: Record) -> Iterator[Ratio]:
    """Each entry with times in both records, in the order of `now`."""
    for entry in now.entries:
        old = before.entry(entry.name)
        if old is not None and old.times and entry.times:
            yield _ratio(entry.name, old.relative, entry.relative)


def _ratio(name: str, old: NDArray[np.float64], new: NDArray[np.float64]) -> Ratio:
    """Percentile bootstrap over rounds of either record; seeded, so two records have one interval."""
    rng = np.random.default_rng(0)
    medians = [np.median(times[rng.integers(len(times), size=(RESAMPLES, len(times)))], axis=1) for times in (new, old)]
    low, high = np.quantile(medians[0] / medians[1], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Ratio(name, float(np.median(new) / np.median(old)), float(low), float(high))


def paired(name: str, before: Sequence[Sequence[float]], now: Sequence[Sequence[float]]) -> Ratio:
    """Of rounds in which either side has two times, shape (rounds, 2): the median of the ratios, now / before.

    The DISCARDED share of the rounds in which the two times of one side lie farthest apart is left out: there the
    machine moved. Which side was slower has no part in that.
    """
    old, new = np.log(np.array(before, dtype=np.float64)), np.log(np.array(now, dtype=np.float64))
    moved = np.abs(old[:, 0] - old[:, 1]) + np.abs(new[:, 0] - new[:, 1])
    kept = np.sort(np.argsort(moved, kind="stable")[: len(moved) - int(DISCARDED * len(moved))])
    ratio = (new.mean(axis=1) - old.mean(axis=1))[kept]
    rng = np.random.default_rng(0)
    medians = np.median(ratio[rng.integers(len(ratio), size=(RESAMPLES, len(ratio)))], axis=1)
    low, high = np.quantile(medians, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Ratio(name, float(np.exp(np.median(ratio))), float(np.exp(low)), float(np.exp(high)))


def other_makers(before: Record, now: Record) -> list[str]:
    """What facts depend on, where it differs: "numba_version was 0.68.1, is 0.69.0". Of Python its minor version."""
    known = [(key, before.about.get(key, "not known"), now.about.get(key, "not known")) for key in MADE_BY]
    minor = [(key, *(v.rpartition(".")[0] if key == "python" else v for v in (old, new))) for key, old, new in known]
    return [f"{key} was {old}, is {new}" for key, old, new in minor if old != new]


def changes(before: Record, now: Record) -> Iterator[Change]:
    """Facts that both records have and that differ. Counts of work done by another size of the same work differ too.

    Only counts where the records were not made by the same versions (`other_makers`).
    """
    alike = not other_makers(before, now)
    for entry in now.entries:
        old = before.entry(entry.name)
        for fact, value in entry.facts.items() if old is not None else ():
            if old is not None and (alike or fact in COUNTED) and old.facts.get(fact, value) != value:
                yield Change(entry.name, fact, old.facts[fact], value)


def missing(before: Record, now: Record) -> list[str]:
    """What was there before and is not now: names of entries, and of facts with their entry.

    Not what has to be counted, which only `--facts` does; but where both have counted, loops that are not packed now.
    """
    found = []
    alike = not other_makers(before, now)
    for old in before.entries:
        entry = now.entry(old.name)
        if entry is None:
            found.append(old.name)
        else:
            needed = [fact for fact in (*COUNTED, "bytes") if fact in old.facts]
            if alike and "packed" in old.facts and "packed" in entry.facts:
                needed += [fact for fact in old.facts if fact.startswith("packed, ")]
            found += [f"{fact} of {old.name}" for fact in needed if fact not in entry.facts]
    return found
