"""Expressions as kernel source: one function body at a time, shared subexpressions once, no rounding changed.

What a modeller wrote is what is computed: the tree keeps its shape, so JIT, pure Python and every lane width
give the same bits. Selections (`where`, `min`, `max`) are calls of `pick`, so that a lane loop stays free of
branches. Powers with a small whole exponent become products, other powers `pow_`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from ctcdyn.model.expr import Call, Expr, Name, Number, walk

INFIX = {"+": 1, "-": 1, "*": 2, "/": 2}
ATOM = 9
COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!="})
BOOLEAN = COMPARISONS | {"and", "or", "not"}
FUNCTIONS = {"exp": "exp_", "log": "log_", "sqrt": "np.sqrt", "sin": "sin_", "cos": "cos_", "abs": "abs"}
LARGEST_PRODUCT = 8  # whole exponents up to here are written as products


def prose(text: str) -> str:
    """A modeller's words as one line of a docstring or comment, which nothing in them can end."""
    line = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(line.replace("\\", "/").replace('"', "'").split())


class Body:
    """The statements of one generated function. `value` gives an expression, `local` a name for it."""

    def __init__(self, symbol: Callable[[str], str], shared: Iterable[Expr] = ()) -> None:
        self.lines: list[str] = []
        self._symbol = symbol  # a modeller's name -> the source that reads it
        self._known: dict[Expr, str] = {}
        self._read: dict[str, str] = {}
        self._kept = 0
        count: Counter[Expr] = Counter()
        for e in shared:
            _count(e, count)
        self._twice = {e for e, times in count.items() if times > 1}

    def name(self, name: str) -> str:
        """The local that holds a species, parameter or coefficient; read once, at its first use."""
        if name not in self._read:
            source = self._symbol(name)
            if source.isidentifier():
                self._read[name] = source
            else:
                local = name if name not in RESERVED else f"{name}_"
                self.lines.append(f"{local} = {source}")
                self._read[name] = local
        return self._read[name]

    def value(self, e: Expr, tightness: int = 0) -> str:
        """Source of a number-valued expression, in brackets where `tightness` asks for them."""
        text, binding = self._compose(e)
        return f"({text})" if binding < tightness else text

    def local(self, e: Expr) -> str:
        """A name or literal that holds `e`, with a statement before it where one is needed."""
        text, binding = self._compose(e)
        return text if binding == ATOM and not text.startswith("-") else self.keep(text, e)

    def keep(self, text: str, e: Expr | None = None) -> str:
        """A new local for a piece of source."""
        local = f"x__{self._kept}"  # a modeller's name has no double underscore
        self._kept += 1
        self.lines.append(f"{local} = {text}")
        if e is not None:
            self._known[e] = local
        return local

    def condition(self, e: Expr) -> str:
        """Source of a truth value, in brackets."""
        if isinstance(e, Call) and e.op in COMPARISONS:
            left, right = (self.value(a, 1) for a in e.args)
            return f"({left} {e.op} {right})"
        if isinstance(e, Call) and e.op in ("and", "or"):
            left, right = (self.condition(a) for a in e.args)
            return f"({left} {'&' if e.op == 'and' else '|'} {right})"
        if isinstance(e, Call) and e.op == "not":
            return f"(not {self.condition(e.args[0])})"
        return f"({self.value(e, 1)} != 0.0)"

    def _compose(self, e: Expr) -> tuple[str, int]:
        if e in self._known:
            return self._known[e], ATOM
        if isinstance(e, Number):
            return repr(float(e.value)), ATOM if e.value >= 0 else 0
        if isinstance(e, Name):
            return self.name(e.id), ATOM
        text, binding = self._call(e)
        if e in self._twice and binding < ATOM:
            return self.keep(text, e), ATOM
        return text, binding

    def _call(self, e: Call) -> tuple[str, int]:
        op, args = e.op, e.args
        if op in INFIX:
            tight = INFIX[op]
            return f"{self.value(args[0], tight)} {op} {self.value(args[1], tight + 1)}", tight
        if op == "neg":
            return f"-{self.value(args[0], 3)}", 1
        if op == "**":
            return self._power(args[0], args[1])
        if op in FUNCTIONS:
            return f"{FUNCTIONS[op]}({self.value(args[0])})", 8
        if op in ("min", "max"):
            sign = "<" if op == "min" else ">"
            a, b = self.local(args[0]), self.local(args[1])
            return f"pick(({a} {sign} {b}) | ({a} != {a}), {a}, {b})", 8
        if op == "where":
            chosen = f"pick({self.condition(args[0])}, {self.value(args[1])}, {self.value(args[2])})"
            return self._with_waves(chosen, args[0])
        if op == "step":
            return self._with_waves(f"pick({self.value(args[0], 1)} >= 0.0, 1.0, 0.0)", args[0])
        assert op in BOOLEAN, op
        return self._with_waves(f"pick({self.condition(e)}, 1.0, 0.0)", e)

    def _with_waves(self, text: str, condition: Expr) -> tuple[str, int]:
        """A selection, and NaN where a sine or cosine in its condition is: a comparison would hide it."""
        waves = [x for x in walk(condition) if isinstance(x, Call) and x.op in ("sin", "cos")]
        if not waves:
            return text, 8
        return " + ".join([text, *(f"0.0 * {self.value(x, 3)}" for x in waves)]), 1

    def _power(self, base: Expr, exponent: Expr) -> tuple[str, int]:
        if isinstance(exponent, Number):
            n = exponent.value
            if n == int(n) and 1 <= abs(n) <= LARGEST_PRODUCT:
                x = self.local(base)
                product = " * ".join([x] * int(abs(n)))
                return (product, 2) if n > 0 else (f"1.0 / ({product})", 2)
            if n == 0.5:
                return f"np.sqrt({self.value(base)})", 8
        return f"pow_({self.value(base)}, {self.value(exponent)})", 8


RESERVED = frozenset(
    {"w", "v", "i", "t", "c", "y", "a", "on", "np", "out", "at", "book", "fired", "changed", "stops", "W"}
    | {"more", "given", "due", "chance"}
) | set(FUNCTIONS.values())


def _count(e: Expr, count: Counter[Expr]) -> None:
    if isinstance(e, Call):
        count[e] += 1
        if count[e] == 1:
            for a in e.args:
                _count(a, count)
