"""Text -> expression tree: a tokenizer and a Pratt parser over a closed list of what may be written.

Nothing here calls the Python compiler. A text is refused before it is read when it is too long or holds a
character that no expression has, so names that only look like ASCII never come to be compared; nesting is
counted while reading, so no input reaches the recursion limit; constant parts are evaluated in floating point
only, so `9**9**9` is an error at once.
"""

from __future__ import annotations

import keyword
import math
import re
import unicodedata
from typing import NamedTuple, NoReturn

from ctcdyn.errors import CtcError, Place, Problem, did_you_mean
from ctcdyn.model.tree import (
    ARITY,
    BINDING,
    COMPARISONS,
    INFIX,
    MAX_DEPTH,
    Call,
    Expr,
    Name,
    Number,
    evaluate,
)

MAX_LENGTH = 10_000  # characters
MAX_NESTING = 64  # brackets, signs, `not` and exponents inside one another
MAX_NODES = 2_000  # numbers, names and operations, after hill and n-ary min, max are written out
MAX_EXPONENT = 1_024.0  # magnitude of a constant exponent
MAX_NAME = 64  # characters

FUNCTIONS: dict[str, tuple[int, int]] = {  # name -> least and most arguments
    name: (2, MAX_NODES) if name in ("min", "max") else (count, count)
    for name, count in ARITY.items()
    if name.isidentifier() and name not in ("neg", "and", "or", "not")
} | {"hill": (3, 3)}
RESERVED = frozenset(FUNCTIONS) | {"t", "pi", "and", "or", "not"}

_ALLOWED = re.compile(r"[A-Za-z0-9_.+\-*/(),<>=! \t\r\n]*")
_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)"
    r"|(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![A-Za-z0-9_.]))"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<operator>\*\*|<=|>=|==|!=|[-+*/(),<>])"
)
_HINTS = {
    "^": 'write "**" for a power',
    "&": 'write "and"',
    "|": 'write "or"',
    "~": 'write "not"',
    "%": "there is no remainder; a percentage is a number: 5 % is 0.05",
    "[": "an expression names species and parameters directly: x, not [x] or y[0]",
    "{": "an expression has round brackets only",
    '"': "an expression has no strings",
    "'": "an expression has no strings",
    "\u2212": 'write "-" (this minus sign is another character)',
    "\u00d7": 'write "*"',
    "\u00b7": 'write "*"',
    "\u22c5": 'write "*"',
}
_STARTS = {"=": 'write "==" to compare', "!": 'write "not"', ".": "a name has no dots"}


class _Token(NamedTuple):
    kind: str  # number, name, operator or end
    text: str
    column: int


class _Part(NamedTuple):
    """A parsed part with what the limits need to know of it."""

    expr: Expr
    constant: float | None  # its value if no name occurs in it
    nodes: int
    depth: int


def parse(text: str | float, place: Place | None = None) -> Expr:
    """The expression tree of a text such as "growth * tumor * (1 - tumor / capacity)", or of a number.

    `t` stays a name (time in days), `pi` becomes a number, `hill(x, K, n)` is written out as r / (1 + r) with
    r = (x/K)**n (one power to compute, and x and K may be concentrations), min and max of several arguments
    become nested ones. Names are not looked up here: compare `names(e)` with what is known.

    Raises CtcError, codes X401 to X409, with `place`.
    """
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        raise _error(place, "X401", f"an expression is a text or a number, not {type(text).__name__}")
    if not isinstance(text, str):
        return Number(_finite(text, place))
    if len(text) > MAX_LENGTH:
        raise _error(place, "X403", f"the expression has {len(text)} characters, the limit is {MAX_LENGTH}")
    return _Parser(text, place).whole()


def _error(
    place: Place | None, code: str, what: str, fix: str = "", why: str = "", word: str = ""
) -> CtcError:
    return CtcError(Problem(code, what, place, fix=fix, why=why, word=word))


def _finite(number: float, place: Place | None) -> float:
    try:
        value = float(number)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise _error(place, "X409", "a number of an expression is infinite, NaN or over 1.8e308")
    return value


def _tokens(text: str, place: Place | None) -> list[_Token]:
    allowed = _ALLOWED.match(text)
    end = allowed.end() if allowed else 0
    if end < len(text):
        char = text[end]
        shown = f'"{char}"' if char.isprintable() else "a character"
        where = f"{shown} (U+{ord(char):04X}) at column {end + 1}"
        folded = unicodedata.normalize("NFKC", char)
        hint = _HINTS.get(char, "")
        if not hint and not char.isascii():
            ascii_form = folded.isascii() and folded.isprintable()
            hint = f'write "{folded}" in ASCII' if ascii_form else "use ASCII letters"
        code = "X407" if char == "^" else "X402"
        what = '"^" is not an operator' if char == "^" else f"an expression cannot hold {where}"
        raise _error(place, code, what, fix=hint, word=char if char.isprintable() else "")
    tokens = []
    column = 0
    while column < len(text):
        match = _TOKEN.match(text, column)
        if match is None:
            rest = re.split(r"[ \t\r\n+*/(),<>!=-]", text[column:], maxsplit=1)[0] or text[column]
            hint = _STARTS.get(rest[0], 'write "*" between a number and a name')
            what = f'cannot read "{rest[:40]}" at column {column + 1}'
            raise _error(place, "X401", what, fix=hint, word=rest[:40])
        kind = str(match.lastgroup)
        if kind != "space":
            tokens.append(_Token(kind, match.group(), column + 1))
        column = match.end()
    tokens.append(_Token("end", "", column + 1))
    return tokens


class _Parser:
    """One pass over the tokens; each method leaves `self.next` at the first token it did not use."""

    def __init__(self, text: str, place: Place | None) -> None:
        self.place = place
        self.tokens = _tokens(text, place)
        self.next = 0
        self.nesting = 0

    def whole(self) -> Expr:
        if self.peek().kind == "end":
            self.fail("X401", "the expression is empty", fix='write "0" if that is meant')
        part = self.part(0)
        if self.peek().kind != "end":
            self.unexpected("an operator")
        return part.expr

    def peek(self) -> _Token:
        return self.tokens[self.next]

    def take(self) -> _Token:
        token = self.tokens[self.next]
        self.next += 1
        return token

    def fail(self, code: str, what: str, fix: str = "", why: str = "", word: str = "") -> NoReturn:
        raise _error(self.place, code, what, fix, why, word)

    def unexpected(self, wanted: str) -> NoReturn:
        token = self.peek()
        if token.kind == "end":
            self.fail("X401", f"the expression ends where {wanted} should follow")
        hint = ""
        if token.text in COMPARISONS:
            hint = 'write "a < b and b < c" for a chain of comparisons'
        elif token.kind == "name" and keyword.iskeyword(token.text):
            hint = 'write "where(condition, a, b)" for a choice'
        elif token.kind in ("name", "number") or token.text == "(":
            hint = 'write "*" to multiply'
        what = f'"{token.text[:40]}" at column {token.column} where {wanted} should stand'
        self.fail("X401", what, fix=hint, word=token.text[:40])

    def part(self, lowest: int) -> _Part:
        """What binds at least as tightly as `lowest`."""
        left = self.operand(lowest)
        while True:
            token = self.peek()
            operator = token.text if token.text in INFIX else ""
            binding = BINDING.get(operator, -1)
            if binding < lowest:
                break
            self.take()
            if operator == "**":  # groups to the right; its exponent may carry a sign
                left = self.call("**", left, self.deeper(BINDING["neg"]))
                continue
            left = self.call(operator, left, self.part(binding + 1))
            if operator in COMPARISONS and self.peek().text in COMPARISONS:
                self.unexpected('"and", "or" or the end')
        return left

    def deeper(self, lowest: int) -> _Part:
        """A part inside a bracket, a sign, a `not` or an exponent: counted, so recursion is bounded."""
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            fix = "give a part of it a name"
            self.fail("X403", f"the expression is nested more than {MAX_NESTING} deep", fix=fix)
        inner = self.part(lowest)
        self.nesting -= 1
        return inner

    def operand(self, lowest: int) -> _Part:
        token = self.peek()
        if token.kind == "number":
            self.take()
            return self.number(token)
        if token.text == "-":
            self.take()
            inner = self.deeper(BINDING["neg"])
            numeral = self.tokens[self.next - 1].kind == "number" and isinstance(inner.expr, Number)
            if numeral and isinstance(inner.expr, Number):  # "-2" is a number, "-(2)" and "-2**2" are not
                return self.constant(-inner.expr.value)
            return self.call("neg", inner)
        if token.text == "+":
            self.take()
            return self.deeper(BINDING["neg"])
        if token.text == "not":
            if lowest > BINDING["not"]:
                what = f'"not" at column {token.column} needs brackets'
                self.fail("X401", what, fix='write "(not …)"', word="not")
            self.take()
            return self.call("not", self.deeper(BINDING["not"]))
        if token.text == "(":
            self.take()
            inner = self.deeper(0)
            self.close()
            return inner
        if token.kind != "name" or token.text in ("and", "or"):
            self.unexpected("a number, a name or a bracket")
        self.take()
        return self.function(token) if self.peek().text == "(" else self.name(token)

    def close(self) -> None:
        if self.peek().text != ")":
            self.unexpected('an operator or ")"')
        self.take()

    def number(self, token: _Token) -> _Part:
        value = float(token.text)
        mantissa = re.split("[eE]", token.text)[0]
        if math.isinf(value) or (value == 0.0 and mantissa.strip("0.")):
            self.fail("X409", f'"{token.text[:40]}" is outside 5e-324 to 1.8e308', word=token.text[:40])
        return self.constant(value)

    def constant(self, value: float) -> _Part:
        return _Part(Number(value), value, 1, 1)

    def name(self, token: _Token) -> _Part:
        if token.text == "pi":
            return self.constant(math.pi)
        word = token.text[:MAX_NAME]
        if token.text in FUNCTIONS:
            self.fail("X401", f'"{word}" is a function', fix=f'write "{word}(…)"', word=word)
        if keyword.iskeyword(token.text):
            self.fail("X401", f'"{word}" is not a name here', word=word)
        if len(token.text) > MAX_NAME:
            self.fail("X403", f"a name has {len(token.text)} characters, the limit is {MAX_NAME}", word=word)
        if token.text.startswith("_") or "__" in token.text:
            why = "names that begin with _ or hold __ are kept for generated code"
            self.fail("X401", f'"{word}" is not a name that a model can have', why=why, word=word)
        return _Part(Name(token.text), None, 1, 1)

    def function(self, token: _Token) -> _Part:
        word = token.text[:MAX_NAME]
        if token.text not in FUNCTIONS:
            fix = did_you_mean(word, FUNCTIONS) or f"the functions are {', '.join(sorted(FUNCTIONS))}"
            self.fail("X404", f'unknown function "{word}"', fix=fix, word=word)
        self.take()  # the opening bracket
        args: list[_Part] = []
        while self.peek().text != ")":
            args.append(self.deeper(0))
            if self.peek().text != ",":
                break
            self.take()
            if self.peek().text == ")":
                self.unexpected("an argument")
        self.close()
        least, most = FUNCTIONS[word]
        if not least <= len(args) <= most:
            wanted = f"{least}" if least == most else f"at least {least}"
            plural = "" if wanted == "1" else "s"
            self.fail("X405", f"{word} takes {wanted} argument{plural}, not {len(args)}", word=word)
        if word == "hill":
            power = self.call("**", self.call("/", args[0], args[1]), args[2])
            return self.call("/", power, self.call("+", self.constant(1.0), power))
        whole = args[0] if word in ("min", "max") else self.call(word, *args)
        for arg in args[1:] if word in ("min", "max") else ():
            whole = self.call(word, whole, arg)
        return whole

    def call(self, op: str, *args: _Part) -> _Part:
        """A node, if the limits allow it."""
        nodes = 1 + sum(arg.nodes for arg in args)
        depth = 1 + max(arg.depth for arg in args)
        if nodes > MAX_NODES:
            self.fail("X403", f"the expression has more than {MAX_NODES} terms", fix="give parts of it names")
        if depth > MAX_DEPTH:
            fix = "group a long sum with brackets: (a + b + …) + (c + d + …)"
            self.fail("X403", f"the expression has more than {MAX_DEPTH} levels", fix=fix)
        exponent = args[1].constant if op == "**" else None
        if exponent is not None and abs(exponent) > MAX_EXPONENT:
            self.fail("X406", f"the exponent {exponent:g} is larger than {MAX_EXPONENT:g}")
        expr = Call(op, tuple(arg.expr for arg in args))
        constants = [arg.constant for arg in args if arg.constant is not None]
        if len(constants) < len(args):
            return _Part(expr, None, nodes, depth)
        value = float(evaluate(Call(op, tuple(Number(constant) for constant in constants)), {}))
        if not math.isfinite(value):
            parts = ", ".join(f"{constant:g}" for constant in constants)
            self.fail("X406", f"a constant part ({op} of {parts}) is {value}")
        return _Part(expr, value, nodes, depth)
