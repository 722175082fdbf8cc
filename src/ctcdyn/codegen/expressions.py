"""Expressions of kernel functions in LLVM's language: names, elements of arrays, calls, choices."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numba import types

from ctcdyn.codegen.operations import (
    SHORT,
    Array,
    Operations,
    TranslationError,
    Value,
    constant,
    llvm,
    together,
)

_INTRINSIC = ("pick", "float_from_bits", "bits_from_float")
_BUILT_IN = ("int", "float", "abs", "min", "max")
_TYPES = {"int64": types.int64, "uint64": types.uint64}


class Program(Protocol):
    """The module that a function is in."""

    names: Mapping[str, Any]  # what it defines when it is run
    defined: Mapping[str, ast.FunctionDef]

    def function(self, name: str, kinds: tuple[Any, ...]) -> tuple[str, Any]:
        """Name in LLVM's text and type of the result of a function of these types; written when first asked for."""

    def table(self, name: str, numbers: Any) -> Value:
        """A tuple or an array that the module defines, as a constant."""


class Expressions(Operations):
    """Writes what an expression of one function computes, and says where it is then."""

    def __init__(self, module: Program, name: str) -> None:
        super().__init__()
        self.module, self.name = module, name
        self.kinds: dict[str, Any] = {}  # types of names that are variables
        self.given: dict[str, Value] = {}  # names that are not: arguments, and what counts a loop
        self.stored: set[str] = set()  # names that are given something anywhere in the function
        self.block = "0"
        self.open = True  # whether the block goes on: not behind a return
        self.again = False  # whether a name turned out to be something else than it was read as

    def begin(self, label: str) -> None:
        self.lines.append(f"{label}:")
        self.block, self.open = label, True

    def go(self, label: str) -> None:
        """To another block, unless this one has ended."""
        if self.open:
            self.lines.append(f"  br label %{label}")
        self.open = False

    def branch(self, condition: Value, yes: str, no: str) -> None:
        self.lines.append(f"  br i1 {condition.text}, label %{yes}, label %{no}")
        self.open = False

    def labels(self, *kinds: str) -> list[str]:
        self.names += 1
        return [f"{kind}.{self.names}" for kind in kinds]

    def value(self, node: ast.expr) -> Value:
        how = getattr(self, f"of_{type(node).__name__}", None)
        if how is None:
            raise TranslationError(f"{type(node).__name__} in {self.name}")
        return how(node)  # type: ignore[no-any-return]

    def of_Constant(self, node: ast.Constant) -> Value:
        if not isinstance(node.value, bool | int | float):
            raise TranslationError(repr(node.value))
        return constant(node.value)

    def of_Name(self, node: ast.Name) -> Value:
        name = node.id
        if name in self.given:
            return self.given[name]
        if name in self.kinds:
            return self.loaded(f"%x.{name}", self.kinds[name])
        self.again = self.again or name in self.stored  # given something further down only, in a loop
        known = self.module.names.get(name)
        if isinstance(known, bool | int | float):
            return constant(known)
        if isinstance(known, np.uint64 | np.int64):
            return constant(int(known), "u" if isinstance(known, np.uint64) else "i")
        if isinstance(known, tuple | np.ndarray):
            return self.module.table(name, known)
        raise TranslationError(f"{name} in {self.name}")

    def loaded(self, place: str, of: Any) -> Value:
        a = Value(of, self.put(f"load {llvm(of)}, ptr {place}"))
        return self.cast(a, "i") if of in SHORT else a

    def of_Attribute(self, node: ast.Attribute) -> Value:
        known = {"np.inf": np.inf, "np.nan": np.nan}.get(ast.unparse(node))
        if known is None or self.module.names.get("np") is not np:
            raise TranslationError(ast.unparse(node))
        return constant(float(known))

    def of_Tuple(self, node: ast.Tuple) -> Value:
        return self.tuple_of([self.value(x) for x in node.elts])

    def of_UnaryOp(self, node: ast.UnaryOp) -> Value:
        return self.unary(node.op, self.value(node.operand))

    def of_BinOp(self, node: ast.BinOp) -> Value:
        if isinstance(node.op, ast.Pow) and isinstance(node.left, ast.Constant):
            try:  # as Python does before numba sees it: 2.0**-53
                return constant(ast.literal_eval(node.left) ** ast.literal_eval(node.right))
            except ValueError:
                pass
        return self.binary(node.op, self.value(node.left), self.value(node.right))

    def of_Compare(self, node: ast.Compare) -> Value:
        if len(node.ops) != 1:
            raise TranslationError(ast.unparse(node))
        return self.compare(node.ops[0], self.value(node.left), self.value(node.comparators[0]))

    def of_BoolOp(self, node: ast.BoolOp) -> Value:
        """One after the other, as far as it takes."""
        deciding = isinstance(node.op, ast.Or)
        (end,) = self.labels("decided")
        ways: list[str] = []
        for last, one in zip([*[False] * (len(node.values) - 1), True], node.values, strict=True):
            a = self.value(one)
            if a.kind != "b":
                raise TranslationError(f"the number {ast.unparse(one)} as a truth value")
            if a.known is not None and a.known is not deciding and not last:
                continue
            if last or a.known is deciding:
                if not ways:
                    return a
                ways.append(f"[{a.text}, %{self.block}]")
                self.go(end)
                break
            ways.append(f"[{'true' if deciding else 'false'}, %{self.block}]")
            (on,) = self.labels("more")
            self.branch(a, *((end, on) if deciding else (on, end)))
            self.begin(on)
        self.begin(end)
        return Value("b", self.put(f"phi i1 {', '.join(ways)}"))

    def of_IfExp(self, node: ast.IfExp) -> Value:
        condition = self.truth(self.value(node.test))
        if condition.known is not None:
            return self.value(node.body if condition.known else node.orelse)
        yes, no, end = self.labels("if", "or", "chosen")
        self.branch(condition, yes, no)
        self.begin(yes)
        a = self.value(node.body)
        first, here = self.block, len(self.lines)
        self.go(end)
        self.begin(no)
        b = self.value(node.orelse)
        kind = together(a.kind, b.kind)
        b = self.cast(b, kind)
        ways = [f"[{b.text}, %{self.block}]"]
        self.go(end)
        rest, self.lines = self.lines[here:], self.lines[:here]
        a = self.cast(a, kind)
        self.lines += rest
        self.begin(end)
        return Value(kind, self.put(f"phi {llvm(kind)} [{a.text}, %{first}], {ways[0]}"))

    def of_Subscript(self, node: ast.Subscript) -> Value:
        inner = node.value
        if isinstance(inner, ast.Attribute):
            a, k = self.value(inner.value), self.value(node.slice)
            if inner.attr != "shape" or not isinstance(a.kind, Array) or k.known is None:
                raise TranslationError(ast.unparse(node))
            return constant(int(a.shape[k.known])) if a.shape[k.known].isdigit() else Value("i", a.shape[k.known])
        a = self.value(inner)
        if isinstance(a.kind, tuple):
            k = self.value(node.slice)
            if k.kind != "i" or k.known is None or not -len(a.kind) <= k.known < len(a.kind):
                raise TranslationError(ast.unparse(node))
            return self.part(a, k.known % len(a.kind))
        if isinstance(a.kind, Array) and a.known is not None and not isinstance(node.slice, ast.Tuple):
            k = self.value(node.slice)
            if k.known is not None and a.kind.axes == 1 and -len(a.known) <= k.known < len(a.known):
                return constant(a.known[k.known], "i" if a.kind.of in SHORT else a.kind.of)
        place, of = self.place(node)
        return self.loaded(place, of)

    def place(self, node: ast.Subscript) -> tuple[str, str]:
        """Address of an element of an array, and its type. Behind a negative index is the end of the array."""
        a = self.value(node.value)
        indices = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if not isinstance(a.kind, Array) or len(indices) != a.kind.axes:
            raise TranslationError(ast.unparse(node))
        at = ""
        for k, one in enumerate(indices):
            index = self.value(one)
            if index.kind not in ("i", "u"):
                raise TranslationError(f"the index {ast.unparse(one)}")
            text = index.text
            if index.kind == "i" and (index.known is None or index.known < 0):
                below = self.put(f"icmp slt i64 {text}, 0")
                behind = self.put(f"add i64 {text}, {a.shape[k]}")
                text = self.put(f"select i1 {below}, i64 {behind}, i64 {text}")
            if at:
                at = self.put(f"mul i64 {at}, {a.shape[k]}")
                text = self.put(f"add i64 {at}, {text}")
            at = text
        return self.put(f"getelementptr inbounds {llvm(a.kind.of)}, ptr {a.text}, i64 {at}"), a.kind.of

    def of_Call(self, node: ast.Call) -> Value:
        name = ast.unparse(node.func)
        if node.keywords or any(isinstance(x, ast.Starred) for x in node.args):
            raise TranslationError(ast.unparse(node))
        names = self.module.names
        args = [self.value(x) for x in node.args]
        if name in self.module.defined:
            kinds = tuple(a.kind for a in args)
            mangled, result = self.module.function(name, kinds)
            passed = []
            for a in args:
                if isinstance(a.kind, Array):
                    passed += [f"ptr {a.text}", *(f"i64 {x}" for x in a.shape)]
                else:
                    passed.append(f"{llvm(a.kind)} {a.text}")
            call = f"call {llvm(result)} @{mangled}({', '.join(passed)})"
            if result is None:
                self.lines.append(f"  {call}")
                return Value(None, "")
            return Value(result, self.put(call))
        known = (
            name in _INTRINSIC
            or (name in _BUILT_IN and name not in names)
            or (name in _TYPES and names.get(name) == _TYPES[name])
            or (name.startswith("np.") and names.get("np") is np)
        )
        if not known:
            raise TranslationError(f"{name} in {self.name}")
        return self.built_in(name, args)
