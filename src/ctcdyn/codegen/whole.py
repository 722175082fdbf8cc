"""A kernel is optimised once, as a whole, and machine code is made of its entry points alone.

Numba finishes each function of a program by itself, callees first: what a function calls is linked into it, optimised
with it and made into machine code. A function five calls below the entry point is so optimised five times and emitted
five times, and only the last counts, as nothing here is called from Python but the entry points: a quarter to two
fifths of what a kernel costs to compile (figures in docs/design.md). While `as_a_whole` is on, functions are only
translated; the entry point takes all it calls from them, and goes through LLVM as it always does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target


class _Part(JITCodeLibrary):  # type: ignore[misc]
    """A function that only others call: LLVM's code, not optimised as a module and without machine code."""

    _alone: Any = None

    def finalize(self) -> None:
        self._raise_if_finalized()
        self._finalize_dynamic_globals()
        self._finalized = True

    def alone(self) -> Any:
        """The module of this function without what it calls, to be linked into others."""
        if self._alone is None:
            self._alone, self._shared_module = super()._get_module_for_linking(), None
        return self._alone

    def _get_module_for_linking(self) -> Any:
        """The function and all that it calls: some code of numba's own is kept, and used by others later."""
        if self._shared_module is None:
            whole = self.alone().clone()
            _link(whole, self)
            self._shared_module = whole
        return self._shared_module

    def get_pointer_to_function(self, name: str) -> int:  # noqa: ARG002 (there is no machine code)
        """No address: Python never calls it."""
        return 0

    @property
    def codegen(self) -> Any:
        """Where numba would look for the function's environment, which only machine code has."""
        return _Nowhere()


class _Nowhere:
    def set_env(self, env_name: str, env: object) -> None:
        """Nothing to set."""


class _Entry(JITCodeLibrary):  # type: ignore[misc]
    """The entry point, with all that it calls."""

    def finalize(self) -> None:
        _link(self._final_module, self)
        self._linking_libraries: list[Any] = []
        super().finalize()


def _link(module: Any, library: Any) -> None:
    """Put into a module what a library calls, and what that calls: callers first, as LLVM takes only what is used."""
    done: dict[Any, None] = {}

    def visit(one: Any) -> None:
        for other in one._linking_libraries if isinstance(one, _Part) else ():
            if other not in done:
                visit(other)
        done[one] = None

    for one in library._linking_libraries:
        if one not in done:
            visit(one)
    for one in reversed(done):
        part = one.alone() if isinstance(one, _Part) else one._get_module_for_linking()
        module.link_in(part, preserve=True)


@contextlib.contextmanager
def as_a_whole(entry: str) -> Iterator[None]:
    """While it is on, the function of this name gets machine code, and what is compiled with it does not.

    Numba compiles one thing at a time: other threads that compile wait until it is over.
    """
    with global_compiler_lock:
        codegen: Any = cpu_target.target_context.codegen()
        if getattr(codegen, "_library_class", None) is not JITCodeLibrary:  # another numba: slower, the same code
            yield
            return

        def library(owner: Any, name: str) -> JITCodeLibrary:
            return (_Entry if name == entry else _Part)(owner, name)

        codegen._library_class = library
        try:
            yield
        finally:
            del codegen._library_class
