"""What can go wrong: codes, exit codes, trajectory statuses, and the one exception users see.

Every message a user gets has the same form, whether it is about a TOML key, a unit, a rate or a full disk:

    error[C102]: unknown parameter "sheding_rate"
      --> cohort.toml:13: [population.draw]
       | sheding_rate = { dist = "lognormal", median = "1e-6 /day", cv = 0.5 }
       | ^^^^^^^^^^^^ did you mean "shedding_rate"?

All problems of one file are raised together in one `CtcError`. `docs/errors.md` explains every code.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

_MEANINGS = (
    "ok",
    "extinct",
    "not_finite",
    "step_underflow",
    "step_limit",
    "event_limit",
    "overflow",
    "log_full",
    "stopped",
    "wall_limit",
)


class Status(IntEnum):
    """How one trajectory ended; stored as uint8, so the numbers never change."""

    OK = 0
    EXTINCT = 1  # absorbed: total propensity zero, the rest of the path is filled exactly
    NOT_FINITE = 2  # NaN or infinity, or a negative propensity in a jump semantics
    STEP_UNDERFLOW = 3
    STEP_LIMIT = 4
    EVENT_LIMIT = 5
    OVERFLOW = 6  # a count above 2**53, where float64 no longer counts by ones
    LOG_FULL = 7
    STOPPED = 8  # by an event the study asked for
    WALL_LIMIT = 9
    NOT_RUN = 255

    @property
    def meaning(self) -> str:
        """Snake-case word for the netCDF attribute `flag_meanings`."""
        return "not_run" if self is Status.NOT_RUN else _MEANINGS[self]

    @property
    def ok(self) -> bool:
        """Whether the trajectory counts as a success in `max_failed_fraction`."""
        return self in (Status.OK, Status.EXTINCT, Status.STOPPED)


class Exit(IntEnum):
    """Exit codes of the command line."""

    DONE = 0
    BUG = 1
    USAGE = 2
    CONFIG = 3
    FAILURES = 4
    RESOURCES = 5
    OUTPUT = 6
    NO = 7
    INTERRUPTED = 75
    KILLED = 130


CODES: dict[str, str] = {
    "C100": "the file cannot be read",
    "C101": "the file is not valid TOML",
    "C102": "unknown key or name",
    "C103": "a key is missing",
    "C104": "wrong type of value",
    "C105": "value out of range or not one of the choices",
    "C106": "not a finite number",
    "C107": "keys that exclude each other",
    "C108": "this key comes with a later version",
    "C109": "`extends` cannot be followed",
    "C110": "an override (--set) cannot be applied",
    "C111": "unsupported schema version",
    "C112": "no such model, mechanism, solver or observable",
    "C113": "a plug-in file does not define what its kind needs",
    "C114": "save times cannot be used",
    "C115": "a distribution cannot be used",
    "C116": "the study is larger than the limits allow",
    "C117": "no such shard",
    "C118": "not a time or condition that can be waited for",
    "C119": "the model has no lesions",
    "C120": "a fate that cannot be drawn more often",
    "C121": "a treatment that is never given",
    "C122": "fates that cannot be counted",
    "C123": "a table of patients cannot be used",
    "C124": "correlations that cannot be",
    "U201": "a quantity has the wrong dimension",
    "U202": "unknown unit",
    "U203": "not a quantity",
    "U204": "different units are added or compared",
    "U205": "an expression has another unit than declared",
    "U206": "a function needs a plain number",
    "U207": "a power of a quantity needs a constant exponent",
    "M301": "duplicate name",
    "M302": "unknown name in the model",
    "M303": "a reaction equation cannot be read",
    "M304": "a reaction needs exactly one of `k` and `rate`",
    "M305": "a parameter has no source",
    "M306": "a value lies outside its bounds",
    "M307": "a name that cannot be used",
    "M308": "definitions that depend on each other in a circle",
    "M309": "the model is empty",
    "M310": "a rate does not vanish where a reactant is zero",
    "M311": "a rate is negative",
    "M312": "a rate is not finite at the initial state",
    "M313": "an initial value cannot be used",
    "M314": "an observable cannot be used",
    "M315": "the model is too large",
    "M316": "a reaction changes nothing",
    "M317": "a reaction makes cells depend on each other",
    "M318": "a rate jumps with a count",
    "M319": "what cells do depends on how many there are",
    "M320": "an event is no first appearance",
    "M321": "a treatment depends on counts or changes them",
    "M322": "an event of single cells has no time in means",
    "M323": "a species that varies is no count",
    "M324": "a method without paths draws no samples",
    "M330": "something waits for an event of the lesions",
    "M331": "a lesion depends on what is left to chance in its patient",
    "M332": "a treatment reaches lesions in a way they cannot follow",
    "M333": "the method has no single cells",
    "M334": "a study speaks of lesions, its model of none",
    "M335": "the patient depends on its lesions",
    "M340": "a rate of cells that carry flags",
    "M341": "a mechanism has nothing to act on",
    "M342": "options of a mechanism that do not go together",
    "X401": "not an expression",
    "X402": "a character that expressions do not have",
    "X403": "an expression is too long or too deeply nested",
    "X404": "unknown function",
    "X405": "wrong number of arguments",
    "X406": "a constant part is not a finite number, or an exponent is too large",
    "X407": "`^` is not an operator",
    "X408": "unknown name in an expression",
    "X409": "a number cannot be represented",
    "R502": "the result file exists",
    "R503": "the result file cannot be written",
    "R504": "not a result file that this version reads",
    "R505": "the result file is damaged",
    "R507": "not enough disk space",
    "R508": "not enough memory",
    "R509": "the result does not hold what was asked for",
    "R510": "another process writes this result",
    "R511": "an unfinished run cannot be read",
    "R512": "an unfinished run lies where the result should go",
    "R513": "an unfinished run cannot be resumed by this one",
    "R514": "the process that writes the result died",
    "R515": "shards that are not the parts of one result",
    "R516": "a trajectory cannot be replayed",
    "R517": "the scheduler does not take the jobs",
    "R518": "not a folder of submitted jobs",
    "R519": "a shard that the result reads is missing or changed",
    "R520": "two results do not belong together",
    "R521": "the result cannot give this picture",
    "R522": "the sweep does not say what the outcome depends on",
    "S601": "more trajectories failed than allowed",
    "S602": "some trajectories failed",
    "S603": "the solver cannot run this model",
    "S604": "the kernel cache cannot be used",
    "S605": "the kernel does not compile",
    "S606": "the cluster cannot be used",
    "S607": "another commit cannot be compared with",
    "B901": "a bug in ctcdyn",
}

_LINE = 160  # characters of a source line that a message shows


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a text: file as the user named it, line from 1, and that source line."""

    file: str
    line: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    `what` says it in one line; `key` is the TOML key path; `word` is what the caret underlines in the source
    line; `why` gives the reason behind the rule and `fix` what to type. A `fix` that begins with "did you
    mean" stands beside the caret.
    """

    code: str
    what: str
    place: Place | None = None
    key: str = ""
    fix: str = ""
    why: str = ""
    word: str = ""

    def at(self, place: Place | None, key: str = "") -> Problem:
        """The same problem with a place (and key), for callers who know where a text came from."""
        return replace(self, place=self.place or place, key=self.key or key)

    def report(self, level: str = "error") -> str:
        """The message as users read it; `level` is "error" or "warning"."""
        lines = [f"{level}[{self.code}]: {self.what}"]
        fix = self.fix
        if self.place is not None:
            where = f"{self.place.file}:{self.place.line}" if self.place.line else self.place.file
            lines.append(f"  --> {where}" + (f": {self.key}" if self.key else ""))
            if self.place.text.strip():
                source, column = _excerpt(self.place.text, self.word)
                lines.append(f"   | {source}")
                if column >= 0:
                    beside = f" {fix}" if fix.startswith("did you mean") else ""
                    caret = "^" * min(len(self.word), len(source) - column)
                    lines.append(f"   | {' ' * column}{caret}{beside}")
                    fix = "" if beside else fix
        elif self.key:
            lines.append(f"  --> {self.key}")
        if self.why:
            lines.append(f"   why: {self.why}")
        if fix:
            lines.append(f"   help: {fix}")
        return "\n".join(_printable(line) for line in lines)


class CtcError(Exception):
    """Everything that is wrong, at once, with the exit code the command line ends with."""

    def __init__(self, problems: Problem | Sequence[Problem], exit: Exit = Exit.CONFIG) -> None:  # noqa: A002
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        self.exit = exit
        super().__init__(self.problems, exit)  # as args: the exception survives pickling between processes

    def __str__(self) -> str:
        return "\n".join(problem.report() for problem in self.problems)


class Interrupted(KeyboardInterrupt):
    """A run that was asked to stop: what is finished is committed, and `--resume` goes on from there (exit 75)."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name`, or None when nothing comes close."""
    candidates = sorted(known)  # the answer must not depend on the order of a set
    folded = {candidate.casefold(): candidate for candidate in reversed(candidates)}
    found = difflib.get_close_matches(name[:200].casefold(), list(folded), n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The text for `Problem.fix`: a question with the nearest known name, or nothing."""
    found = nearest(name, known)
    return f'did you mean "{found}"?' if found is not None else ""


def _excerpt(text: str, word: str) -> tuple[str, int]:
    """A source line cut to a length that prints, around `word`, and the column of `word` (-1: not there)."""
    line = text.replace("\t", " ").rstrip("\r\n").strip()
    column = line.find(word) if word else -1
    start = max(0, column - _LINE // 2) if column + len(word) > _LINE else 0
    return line[start : start + _LINE], column - start if column >= 0 else -1


def _printable(line: str) -> str:
    """Control characters of a hostile file must not reach the terminal."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in line)
