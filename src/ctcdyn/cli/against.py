"""`ctcdyn bench --against COMMIT`: the kernels of another commit and the ones that are here, in turn in one process.

Machines move by tens of per cent within seconds, so two records say little; neighbours say more. A kernel is a module
that needs nothing else, so the one of another commit, as that commit's own source writes and compiles it, is called by
the driver of this one. A round is short and has each kernel twice, A B B A and then B A A B, so that a steady drift
cancels; how far the two times of one kernel lie apart says how much the machine moved, and the rounds in which it
moved most are left out (`timings.paired`).
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ctcdyn.cli.another import Server, kernel_of, unpacked
from ctcdyn.errors import CtcError

if TYPE_CHECKING:
    from ctcdyn.cli.timings import Ratio
    from ctcdyn.cli.workloads import Piece, Workload
    from ctcdyn.codegen.kernel import Kernel
    from ctcdyn.ensemble import Ensemble

ROUNDS = 41  # of two kernels in one process: four runs of some hundredths of a second
PROCESS_ROUNDS = 13  # of two processes: four runs of some tenths of a second
COMMAND_ROUNDS = 5  # of whole commands: four runs of some seconds
SPACES = 4
Pair = tuple[float, float]


@dataclass(frozen=True)
class Rival:
    """One piece of work by both sides: `before()` and `now()` give what a unit took, in one run."""

    name: str
    how: str
    before: Callable[[], float]
    now: Callable[[], float]
    rounds: int


@dataclass
class Rounds:
    """Times of the rounds, two of each side."""

    before: list[Pair] = field(default_factory=list)
    now: list[Pair] = field(default_factory=list)


@dataclass(frozen=True)
class Compared:
    """Ratios with how each was found, and why there is none of other work."""

    ratios: list[tuple[Ratio, str]]
    notes: list[tuple[str, str]]


def against(commit: str, work: Sequence[Workload]) -> Compared:
    """Raises CtcError (S607, exit 6) without a checkout, or where the commit's source cannot do the work."""
    from ctcdyn.cli.timings import paired

    rivals, notes = list[Rival](), list[tuple[str, str]]()
    with contextlib.ExitStack() as stack:
        source = unpacked(commit, Path(stack.enter_context(tempfile.TemporaryDirectory())))
        there = stack.enter_context(Server(source))
        here: list[Server] = []

        def in_processes(name: str, reason: str) -> Rival:
            if not here:
                here.append(stack.enter_context(Server(Path(__file__).parents[2])))
            before, now = there.number(name), here[0].number(name)
            assert before is not None
            assert now is not None
            how = f"two processes: {reason}"
            return Rival(name, how, lambda: there.run(before), lambda: here[0].run(now), PROCESS_ROUNDS)

        for one in work:
            number = there.number(one.name)
            if one.beside is not None:
                rivals.append(Rival(one.name, "commands in turn", one.beside(source), one.beside(None), COMMAND_ROUNDS))
            elif one.piece is None or number is None:
                notes.append((one.name, "that commit does not have this work"))
            elif there.work[number]["key"] == one.piece.linked.key:
                notes.append((one.name, "the same kernel"))
            else:
                told = there.work[number]
                try:
                    kernel, as_made = kernel_of(one.piece, told["source"], told["key"])
                except CtcError as error:
                    rivals.append(in_processes(one.name, error.problems[0].what))
                else:
                    how = "one process" if as_made else "one process, its text compiled by this commit"
                    rivals.append(in_one_process(one.piece, kernel, how))
        found = alternated(rivals)
    return Compared([(paired(x.name, found[x.name].before, found[x.name].now), x.how) for x in rivals], notes)


def in_one_process(piece: Piece, kernel: Kernel, how: str, rounds: int = ROUNDS) -> Rival:
    """The short work of a piece by another kernel and by its own, each in SPACES places of memory in turn."""
    before, now = _Side(piece, kernel), _Side(piece, piece.kernel)
    for number in range(SPACES):
        for side in (before, now) if number % 2 == 0 else (now, before):
            side.add()
    return Rival(piece.name, how, before.run, now.run, rounds)


class _Side:
    """A kernel with work spaces, each used in one round: where in memory one happens to lie can cost some per cent."""

    def __init__(self, piece: Piece, kernel: Kernel) -> None:
        self.piece, self.kernel = piece, kernel
        self.spaces: list[Ensemble] = []
        self.runs = 0

    def add(self) -> None:
        """One more space, used once so that it is there."""
        self.spaces.append(self.piece.fresh())
        self.piece.run(self.kernel, self.spaces[-1])

    def run(self) -> float:
        """CPU seconds of a unit of work."""
        done = self.piece.run(self.kernel, self.spaces[self.runs // 2 % SPACES])
        self.runs += 1
        return done.seconds / done.units


def alternated(rivals: Sequence[Rival]) -> dict[str, Rounds]:
    """All rounds, the pieces of work in turn within each; what is done first is not counted: it finds nothing warm."""
    found = {one.name: Rounds() for one in rivals}
    for one in rivals:
        for side in (one.before, one.before, one.now, one.now):
            side()
    for number in range(max((one.rounds for one in rivals), default=0)):
        for one in rivals:
            if number < one.rounds:
                _round(one, found[one.name], turned=number % 2 == 1)
    return found


def _round(one: Rival, rounds: Rounds, turned: bool) -> None:
    """A B B A, or B A A B, of one piece of work."""
    outer, inner = (one.now, one.before) if turned else (one.before, one.now)
    first, second, third, fourth = outer(), inner(), inner(), outer()
    around, between = (first, fourth), (second, third)
    rounds.before.append(between if turned else around)
    rounds.now.append(around if turned else between)
