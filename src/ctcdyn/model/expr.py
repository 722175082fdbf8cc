"""Rate expressions: the one small language of rates, initial values, derived parameters and observables.

    growth * tumor * log(capacity / max(tumor, 1))

Numbers, names, `+ - * / **`, comparisons, `and or not`, `where(condition, a, b)`, `min`, `max` (two or more
arguments), `exp log sqrt sin cos abs`, `step(x)` (1 where x >= 0, else 0), `hill(x, K, n)`; `t` is the time
in days and `pi` the number. Operators bind as in Python. A comparison is 1 or 0 and may be multiplied with.

A text is never handed to Python: `parse` reads a closed grammar into trees of three kinds of nodes. Limits:
10 000 characters, 64 nested brackets, 128 levels, 2000 terms, constant exponents up to 1024.

    >>> text(parse("k*(x+y) / 2"))
    'k * (x + y) / 2'
    >>> text(derivative(parse("k * x**2"), "x"))
    'k * (2 * x)'
    >>> evaluate(parse("where(t > 30, 2, x)"), {"t": 10.0, "x": 5.0})
    5.0
"""

from ctcdyn.model.derivative import derivative
from ctcdyn.model.dimension import dimension
from ctcdyn.model.grammar import FUNCTIONS, RESERVED, parse
from ctcdyn.model.tree import ARITY, Call, Expr, Name, Number, evaluate, names, substitute, text, walk

__all__ = [
    "ARITY",
    "FUNCTIONS",
    "RESERVED",
    "Call",
    "Expr",
    "Name",
    "Number",
    "derivative",
    "dimension",
    "evaluate",
    "names",
    "parse",
    "substitute",
    "text",
    "walk",
]
