"""The entry point of a kernel that was translated: numba makes what Python calls, and it calls what we wrote."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any

import llvmlite.binding as binding
from llvmlite import ir
from numba import config, extending, types
from numba.core import cgutils

from ctcdyn.codegen.cache import Text
from ctcdyn.codegen.operations import Array, TranslationError
from ctcdyn.codegen.translation import translate

_KINDS = {types.float64: "f", types.int64: "i", types.uint64: "u", types.uint8: "B"}
_RESULTS = {"f": types.float64, "i": types.int64, "u": types.uint64}


def entry_point(text: str, module: ModuleType, name: str, signature: tuple[Any, ...]) -> Any:
    """A Python function of that name whose only statement is a call of what is translated. Raises TranslationError."""
    try:
        written, mangled, result = translate(text, vars(module), name, tuple(map(_kind, signature)))
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise TranslationError(f"{type(error).__name__}: {error}") from error  # a file of the user's: numba will say
    if result is not None and result not in _RESULTS:
        raise TranslationError(f"{name} gives {result}")
    gives = types.none if result is None else _RESULTS[result]
    parsed = binding.parse_assembly(widened(written) if wide() else written)

    def code(context: Any, builder: Any, called: Any, given: Any) -> Any:
        passed = []
        for kind, one in zip(called.args[0], cgutils.unpack_tuple(builder, given[0]), strict=True):
            if isinstance(kind, types.Array):
                array = context.make_array(kind)(context, builder, one)
                passed += [array.data, *cgutils.unpack_tuple(builder, array.shape)]
            else:
                passed.append(one)
        back = ir.VoidType() if result is None else context.get_value_type(gives)
        outside = ir.FunctionType(back, [x.type for x in passed])
        context.active_code_library.add_llvm_module(parsed)
        returned = builder.call(cgutils.get_or_insert_function(builder.module, outside, mangled), passed)
        return context.get_dummy_value() if result is None else returned

    names = ", ".join(inspect.signature(getattr(module, name).py_func).parameters)

    def typed(typing_context: Any, *arguments: Any) -> Any:  # noqa: ARG001 (the name is numba's)
        return gives(types.StarArgTuple.from_types(arguments)), code

    own = ModuleType(module.__name__)
    vars(own)["translated"] = extending.intrinsic(typed)
    Text(f"def {name}({names}):\n    return translated({names})\n", module.__name__).exec_module(own)
    return getattr(own, name)


def wide() -> bool:
    """Whether LLVM is to be told to use vectors of 512 bits where the processor has them.

    It keeps to 256 on every AVX-512 processor of one maker, as the first of them slowed down for wide ones. Those with
    avx512fp16 came later and do not (docs/design.md has the figures). Where NUMBA_CPU_NAME or NUMBA_CPU_FEATURES name
    the target, they alone decide. Results are the same bytes at any width.
    """
    if config.CPU_NAME is not None or config.CPU_FEATURES is not None:
        return False
    try:
        return bool(binding.get_host_cpu_features().get("avx512fp16"))
    except RuntimeError:  # LLVM cannot tell on every system
        return False


def widened(written: str) -> str:
    """LLVM's language with every function allowed vectors as wide as the processor has them."""
    return written.replace(" nounwind {", ' nounwind "prefer-vector-width"="512" {')


def _kind(one: Any) -> Any:
    number = one.dtype if isinstance(one, types.Array) else one
    if number not in _KINDS or (isinstance(one, types.Array) and (one.layout != "C" or one.ndim > 2)):
        raise TranslationError(str(one))
    return Array(_KINDS[number], one.ndim) if isinstance(one, types.Array) else _KINDS[number]
