"""What numba looks up again and again while it compiles a kernel, looked up once.

For each `+` and each `w[row + i]` numba asks which of some dozen ways fits a float64 and an int64; the answer is the
same every time. And one function, called more than any other, lists the names in a statement by asking of each of its
parts, line numbers too, what it might be. While `recalling` is on, the first answer is kept and the second question is
asked of what can have an answer: a fifth of the compile time is saved, and LLVM gets the same code, byte for byte
(`tests/test_whole.py`). Figures are in docs/design.md.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from numba.core import ir
from numba.core.compiler_lock import global_compiler_lock
from numba.core.types.functions import BaseFunction


@contextlib.contextmanager
def recalling() -> Iterator[None]:
    """While it is on. Answers live as long as it is: nothing that is defined later can be missed.

    Numba compiles one thing at a time: other threads that compile wait until it is over.
    """
    with global_compiler_lock:
        functions: Any = BaseFunction
        statements: Any = ir.Inst
        ask = getattr(functions, "get_call_type", None)
        names = getattr(statements, "_rec_list_vars", None)
        if ask is None or names is None:  # another numba: slower, the same code
            yield
            return
        answers: dict[tuple[int, Any], tuple[Any, Any]] = {}

        def get_call_type(self: Any, context: Any, args: Any, kws: Any) -> Any:
            """The signature that fits; what fits none is an error, and asked again."""
            if kws:
                return ask(self, context, args, kws)
            key = id(self), args
            answer = answers.get(key)
            if answer is None:
                answer = answers[key] = self, ask(self, context, args, kws)  # kept alive: its id is the key
            return answer[1]

        functions.get_call_type = get_call_type
        statements._rec_list_vars = _names
        try:
            yield
        finally:
            functions.get_call_type = ask
            statements._rec_list_vars = names


def _names(inst: Any, value: Any) -> list[Any]:
    """The variables in a statement or a part of it, in order: numba's `_rec_list_vars`, what is common first."""
    found: list[Any] = []
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, _MANY) else (value,):
        kind = type(part)
        if kind is ir.Var:
            found.append(part)
        elif kind in _NAMELESS:
            continue
        elif isinstance(part, ir.Inst):
            found += part.list_vars()
        elif isinstance(part, (*_MANY, dict)):
            found += _names(inst, part)
        elif isinstance(part, ir.Var):
            found.append(part)
    return found


_MANY = (tuple, list)
_NAMELESS = frozenset({ir.Loc, str, int, float, bool, type(None)})
