"""Attempts to make an expression run code, read a file, hang or crash: all are refused, nothing is run.

The threat is a model file from a stranger. Each attempt is refused with a CtcError; an audit hook in a
process of its own watches that reading an expression compiles, executes, imports and opens nothing.
"""

from __future__ import annotations

import builtins
import inspect
import json
import keyword
import random
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctcdyn.errors import CODES, CtcError
from ctcdyn.model.expr import FUNCTIONS, parse, text

# Written by hand: known escapes from eval-based parsers, from numexpr, asteval, sympify and their kin.
BY_HAND: list[str] = json.loads((Path(__file__).parent / "data" / "escapes.json").read_text(encoding="utf-8"))

# Made by rule: every builtin called, every keyword, every special attribute, every other character.
CALLED = [f"{name}(x)" for name in dir(builtins) if name not in FUNCTIONS]
KEYWORDS = keyword.kwlist
ATTRIBUTES = [f"x.{name}" for name in dir(lambda: 0)] + [f"exp.{name}" for name in dir(type)]
CHARACTERS = [
    f"x{chr(code)}y"
    for code in range(128)
    if chr(code) not in "+-*/<>" and not chr(code).isalnum() and chr(code) != "_"
]
LOOK_ALIKES = [
    f"{chr(code)} + 1"
    for code in range(128, 0x1F000)
    if (folded := unicodedata.normalize("NFKC", chr(code))).isascii() and folded.isidentifier()
] + [
    "\u0445 + 1",
    "e\u0445p(x)",
    "\u03b1 * x",
    "x\u200b",
    "x\u202e",
    "\ufeffx",
    "x\u00a0+ y",
    "\ud800",
    "\u00b2",
    "x\u00b2",
    "\u221a(x)",
]
GROUPS = [BY_HAND, CALLED, KEYWORDS, ATTRIBUTES, CHARACTERS, LOOK_ALIKES]
ATTEMPTS = list(dict.fromkeys(attempt for group in GROUPS for attempt in group))


def test_the_corpus_is_large() -> None:
    assert len(set(BY_HAND)) >= 250
    assert len(ATTEMPTS) >= 1000


@pytest.mark.parametrize("group", GROUPS)
def test_every_attempt_is_refused_with_a_known_code(group: list[str]) -> None:
    for attempt in group:
        error = refusal(attempt)
        assert error is not None, f"accepted: {attempt!r}"
        codes = {problem.code for problem in error.problems}
        assert codes <= set(CODES)
        assert all(code.startswith("X") for code in codes)
        assert all(line.isprintable() for line in str(error).split("\n"))


def refusal(source: str) -> CtcError | None:
    try:
        parse(source)
    except CtcError as error:
        return error
    return None


WATCH = """
import json, sys
from ctcdyn.errors import CtcError
from ctcdyn.model.expr import derivative, dimension, evaluate, parse, text
from ctcdyn.units import parse_quantity, parse_unit

def use(source):
    tree = parse(source)
    return text(derivative(tree, "x")), evaluate(tree, {name: 2.0 for name in "xyz"})

def refused(read, source):
    try:
        read(source)
    except CtcError as error:
        return bool(str(error))
    return False

use("where(x > 1, hill(x, y, 2), max(x, 1, z)**2) + sin(x)*log(y)")
parse_unit("nmol/mL/day")
refused(parse, "ln(x)"), refused(parse, "\\u0445 + 1"), refused(parse_quantity, "5 dya")
attempts = json.load(sys.stdin)
seen = []
watching = True
HARMLESS = {"object.__getattr__", "sys._getframe"}
sys.addaudithook(
    lambda event, args: watching and event not in HARMLESS and seen.append((event, str(args)[:80]))
)
done = [refused(parse, attempt) for attempt in attempts]
units = [refused(parse_quantity, "1 (" + attempt) for attempt in attempts]
use("x**2 * y + exp(-z)")
quiet = list(seen)
compile("1", "", "eval")
watching = False
print(json.dumps({"refused": sum(done), "units": sum(units), "quiet": quiet, "works": seen[len(quiet):]}))
"""


def test_nothing_is_compiled_executed_imported_or_opened(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WATCH]
    attempts = json.dumps(ATTEMPTS)
    done = subprocess.run(command, input=attempts, capture_output=True, text=True, check=True, cwd=tmp_path)
    found = json.loads(done.stdout)
    assert [event for event, _ in found["works"]] == ["compile"]
    assert found["quiet"] == []
    assert found["refused"] == found["units"] == len(ATTEMPTS)
    assert list(tmp_path.iterdir()) == []


BOMBS = {
    "brackets": "(" * 100_000 + "x" + ")" * 100_000,
    "open brackets": "(" * 100_000,
    "short brackets": "(" * 4_900 + "x" + ")" * 4_900,
    "functions": "exp(" * 2_000 + "x" + ")" * 2_000,
    "signs": "-" * 9_999 + "x",
    "nots": "not " * 2_400 + "x",
    "powers": "x" + "**x" * 3_000,
    "mixed": "-(not (2**-(x + (" * 500 + "1",
    "a sum": "x" + "+x" * 4_000,
    "doubling": "hill(" * 60 + "x" + ", 1, 2)" * 60,
    "arguments": "max(" + "x, " * 3_000 + "x)",
    "digits": "9" * 9_999,
    "digits and a letter": "9" * 9_998 + "x",
    "exponent digits": "1e" + "9" * 9_990,
    "points": "1." * 4_000,
    "spaces": " " * 9_999,
    "a name": "n" * 9_999,
    "commas": "min(" + "," * 9_000,
    "comparisons": "x" + "<x" * 4_000,
    "constant powers": "2" + "**2" * 60,
    "nine to the nine": "9**9**9**9**9**9**9**9",
    "stars": "*" * 9_999,
    "ten million letters": "x" * 10_000_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_at_once(name: str) -> None:
    with pytest.raises(CtcError) as caught:
        parse(BOMBS[name])
    assert len(str(caught.value)) < 1_000


def test_the_deepest_text_that_is_read_stays_far_from_the_recursion_limit() -> None:
    """Each bracket stands at the end of all levels of operators: the most frames one bracket can cost."""
    unit = "x or y and x < 1 + 2 * ("
    limit = sys.getrecursionlimit()
    depth = len(inspect.stack())
    try:
        sys.setrecursionlimit(depth + 700)
        with pytest.raises(CtcError, match="levels"):
            parse(unit * 64 + "x" + ")" * 64)
        assert text(parse("(" * 64 + "x" + ")" * 64)) == "x"
    finally:
        sys.setrecursionlimit(limit)


PIECES = [
    *"+-*/(),<>=!.",
    "**",
    "<=",
    "==",
    "not ",
    " and ",
    " or ",
    "x",
    "y",
    "t",
    "pi",
    "1",
    "2.5",
    "1e300",
    " ",
]
PIECES += [f"{name}(" for name in FUNCTIONS]


def read(source: str) -> bool:
    """Whether a text is an expression; if so, its canonical text reads as the same."""
    try:
        tree = parse(source)
    except CtcError:
        return False
    assert parse(text(tree)) == tree
    return True


def test_soups_of_pieces_are_read_or_refused(request: pytest.FixtureRequest) -> None:
    source = random.Random(request.node.nodeid)
    accepted = sum(read("".join(source.choices(PIECES, k=source.randint(1, 12)))) for _ in range(30_000))
    assert accepted > 300


def test_mutated_expressions_are_read_or_refused(request: pytest.FixtureRequest) -> None:
    source = random.Random(request.node.nodeid)
    sound = (
        "growth * tumor * log(capacity / max(tumor, 1)) - where(t > 30, hill(x, 2, 3), -x**2) / (1 + exp(-y))"
    )
    accepted = 0
    for _ in range(10_000):
        letters = list(sound)
        for _ in range(source.randint(1, 3)):
            place = source.randrange(len(letters))
            letters[place] = source.choice(
                ["", chr(source.randrange(256)), source.choice(PIECES), letters[place] * 2]
            )
        accepted += read("".join(letters))
    assert 500 < accepted < 9_500


@settings(derandomize=True, database=None, max_examples=500, deadline=None)
@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_an_expression_or_a_message(source: str) -> None:
    assert read(source) in (True, False)


@pytest.mark.parametrize("value", [None, True, b"x", ["x"], {"x": 1}, object(), 1j])
def test_what_is_neither_text_nor_number_is_refused(value: object) -> None:
    with pytest.raises(CtcError, match="X401"):
        parse(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 10**400])
def test_numbers_that_are_not_finite_are_refused(value: float) -> None:
    with pytest.raises(CtcError, match="X409"):
        parse(value)
