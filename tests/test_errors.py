"""The form of messages, the tables of codes, statuses and exit codes, and the document that explains them."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest

from ctcdyn.errors import CODES, CtcError, Exit, Place, Problem, Status, did_you_mean, nearest
from ctcdyn.model.expr import dimension, parse
from ctcdyn.units import TIME, convert, parse_quantity, parse_unit

DOCUMENT = (Path(__file__).parents[1] / "docs" / "errors.md").read_text(encoding="utf-8")
VOLUME = parse_unit("mL").dimension
LINE = 'sheding_rate = { dist = "loguniform", low = "1e-7 /day", high = "1e-5 /day" }'


def test_a_problem_is_reported_with_place_line_caret_and_suggestion() -> None:
    problem = Problem(
        "C102",
        'unknown parameter "sheding_rate"',
        Place("cohort.toml", 13, LINE),
        key="[population.draw]",
        fix=did_you_mean("sheding_rate", ["shedding_rate", "growth_rate"]),
        word="sheding_rate",
    )
    assert str(CtcError(problem)).splitlines() == [
        'error[C102]: unknown parameter "sheding_rate"',
        "  --> cohort.toml:13: [population.draw]",
        f"   | {LINE}",
        '   | ^^^^^^^^^^^^ did you mean "shedding_rate"?',
    ]


def test_why_and_help_follow_and_a_suggestion_without_a_caret_is_help() -> None:
    problem = Problem(
        "M310", "a rate", Place("m.toml", 3), why="counts go negative", fix="multiply the rate by ctc"
    )
    assert problem.report().splitlines()[1:] == [
        "  --> m.toml:3",
        "   why: counts go negative",
        "   help: multiply the rate by ctc",
    ]
    assert Problem("S602", "failed", fix='did you mean "x"?').report("warning").splitlines() == [
        "warning[S602]: failed",
        '   help: did you mean "x"?',
    ]


def test_all_problems_are_listed_in_order_and_the_exit_code_stays() -> None:
    error = CtcError([Problem("C103", "first"), Problem("C104", "second", key="simulate.t_end")], Exit.OUTPUT)
    assert str(error).splitlines() == [
        "error[C103]: first",
        "error[C104]: second",
        "  --> simulate.t_end",
    ]
    assert error.exit is Exit.OUTPUT
    assert CtcError(error.problems).exit is Exit.CONFIG


def test_place_and_key_are_filled_in_but_never_replaced() -> None:
    here, there = Place("a.toml", 1), Place("b.toml", 2)
    assert Problem("X401", "w").at(here, "rate") == Problem("X401", "w", here, "rate")
    assert Problem("X401", "w", here, "k").at(there, "rate") == Problem("X401", "w", here, "k")


@pytest.mark.parametrize(
    "hostile", ["\x1b[2J", "\x07", "\r", "\u202e", "\x00", "\ud800", "a\nerror[B901]: no"]
)
def test_a_hostile_file_cannot_write_control_characters_or_lines(hostile: str) -> None:
    shown = Problem("C102", f"key {hostile}", Place("f", 1, f"x = {hostile}"), word=hostile).report()
    assert hostile not in shown
    assert all(line.isprintable() for line in shown.split("\n"))
    assert sum(line.startswith("error[") for line in shown.split("\n")) == 1


def test_a_very_long_line_is_cut_around_the_word() -> None:
    line = "x + " * 2000 + "wrong_name" + " + y" * 2000
    shown = Problem("X408", "w", Place("f", 1, line), word="wrong_name").report().splitlines()
    assert max(map(len, shown)) < 200
    start = shown[3].index("^")
    assert shown[2][start : start + shown[3].count("^")] == "wrong_name"


def test_errors_survive_pickling_between_processes() -> None:
    error = CtcError(Problem("R502", "exists", Place("x.h5", 0)), Exit.OUTPUT)
    again = pickle.loads(pickle.dumps(error))
    assert (again.problems, again.exit, str(again)) == (error.problems, error.exit, str(error))
    with pytest.raises(CtcError) as caught:
        parse_unit("parsec")
    assert pickle.loads(pickle.dumps(caught.value)).problems == caught.value.problems


def test_nearest_known_name() -> None:
    known = ["growth_rate", "shedding_rate", "ctc_death", "Ctc_death"]
    assert nearest("sheding_rate", known) == "shedding_rate"
    assert nearest("GROWTH_RATE", known) == "growth_rate"
    assert nearest("zzz", known) is None
    assert nearest("x", []) is None
    assert nearest("ctc_deth", reversed(known)) == nearest("ctc_deth", set(known)) == "Ctc_death"
    assert did_you_mean("zzz", known) == ""


def test_statuses_and_exit_codes_are_those_of_the_file_format_and_the_shell() -> None:
    assert [(s.value, s.meaning) for s in Status] == [
        (0, "ok"),
        (1, "extinct"),
        (2, "not_finite"),
        (3, "step_underflow"),
        (4, "step_limit"),
        (5, "event_limit"),
        (6, "overflow"),
        (7, "log_full"),
        (8, "stopped"),
        (9, "wall_limit"),
        (255, "not_run"),
    ]
    assert {s.value for s in Status if s.ok} == {0, 1, 8}
    assert {e.name: e.value for e in Exit} == {
        "DONE": 0,
        "BUG": 1,
        "USAGE": 2,
        "CONFIG": 3,
        "FAILURES": 4,
        "RESOURCES": 5,
        "OUTPUT": 6,
        "NO": 7,
        "INTERRUPTED": 75,
        "KILLED": 130,
    }


def test_the_document_explains_exactly_the_known_codes_in_order() -> None:
    titles = re.findall(r"^### ([A-Z]\d{3}): (.+)$", DOCUMENT, flags=re.MULTILINE)
    assert titles == list(CODES.items())


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_cause_example_and_remedy(code: str) -> None:
    section = DOCUMENT.split(f"### {code}: ")[1].split("\n### ")[0]
    assert re.search(r"^\*\*Cause\.\*\* \S", section, flags=re.MULTILINE)
    assert re.search(r"^\*\*Remedy\.\*\* \S", section, flags=re.MULTILINE)
    assert re.search(rf"^(error|warning)\[{code}\]: \S", section, flags=re.MULTILINE)


# Where the message depends on nothing but the text, the document's example is the message itself.
SHOWN = {
    "U201": lambda: convert(1.0, "mL", "d"),
    "U202": lambda: parse_unit("dya"),
    "U203": lambda: parse_quantity("fast"),
    "U204": lambda: dimension(parse("half_life + volume"), {"half_life": TIME, "volume": VOLUME}),
    "U205": lambda: dimension(parse("half_life"), {"half_life": TIME}, TIME**-1),
    "U206": lambda: dimension(parse("exp(half_life)"), {"half_life": TIME}),
    "U207": lambda: dimension(parse("half_life**n"), {"half_life": TIME, "n": TIME / TIME}),
    "X401": lambda: parse("2 ctc"),
    "X402": lambda: parse("ctc.__class__ + x[0]"),
    "X403": lambda: parse("(" * 65 + "x" + ")" * 65),
    "X404": lambda: parse("ln(x)"),
    "X405": lambda: parse("exp(x, 2)"),
    "X406": lambda: parse("9**9**9"),
    "X407": lambda: parse("x^2"),
    "X408": lambda: dimension(parse("k * ctx"), {"k": TIME, "ctc": TIME}),
    "X409": lambda: parse("1e400 * x"),
}


@pytest.mark.parametrize("code", SHOWN)
def test_the_example_of_the_document_is_the_message_itself(code: str) -> None:
    with pytest.raises(CtcError) as caught:
        SHOWN[code]()
    assert [problem.code for problem in caught.value.problems] == [code]
    assert str(caught.value) in DOCUMENT
