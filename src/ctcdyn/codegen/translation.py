"""A linked kernel in LLVM's language, written straight from its text: no bytecode, no inference, a tenth of the time.

Numba is made for any Python function, and asks of each statement what it could be. A linked kernel is a small language:
numbers, arrays given from outside, `for ... in range`, and functions that call one another with types which their
arguments decide. One walk over each function, once for each set of argument types, writes what numba would have LLVM
compute, operation by operation (`operations.py`). A statement that is not of this language makes the whole kernel
`TranslationError`: numba then compiles it, as it does a kernel's entry point, which calls what is written here
(`codegen/entry.py`).

A name of a function has one type; where it is given an int64 and a float64, it is a float64 from the start. What
counts a loop is an int64 inside it.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from ctcdyn.codegen.expressions import Expressions
from ctcdyn.codegen.operations import (
    FUNCTIONS,
    SHORT,
    Array,
    TranslationError,
    Value,
    constant,
    llvm,
    together,
)

RESULT = "return"  # the "name" of what a function gives: no name of Python's
_INLINED = " alwaysinline"
_DECORATED = {"lane": _INLINED, "verbatim": _INLINED, "term": _INLINED, "block": " noinline", "kernel": ""}
_DTYPES = {"float64": "f", "int64": "i", "uint64": "u", "uint8": "B", "int16": "h", "bool": "b"}


def translate(text: str, names: Mapping[str, Any], entry: str, arguments: tuple[Any, ...]) -> tuple[str, str, Any]:
    """LLVM's text of a module, the name in it of its function `entry` for these types, and the type of its result.

    `names` is what the module defines when it is run. Arrays are passed as their address and their lengths. Raises
    TranslationError.
    """
    module = _Module(ast.parse(text), names)
    name, result = module.function(entry, arguments)
    module.written[-1] = module.written[-1].replace(" linkonce_odr", "", 1)  # else it is dropped: nothing calls it yet
    return "\n".join([FUNCTIONS, *module.tables.values(), *module.written]), name, result


class _Module:
    def __init__(self, tree: ast.Module, names: Mapping[str, Any]) -> None:
        self.names: Mapping[str, Any] = names
        functions = (node for node in tree.body if isinstance(node, ast.FunctionDef))
        self.defined: Mapping[str, ast.FunctionDef] = {node.name: node for node in functions}
        self.done: dict[tuple[str, tuple[Any, ...]], tuple[str, Any]] = {}
        self.written: list[str] = []
        self.tables: dict[str, str] = {}
        self.home = str(names["__name__"])

    def function(self, name: str, kinds: tuple[Any, ...]) -> tuple[str, Any]:
        """Name in LLVM's text and type of the result of a function of these types; written when first asked for."""
        key = name, kinds
        if key not in self.done:
            node = self.defined[name]
            known: dict[str, Any] = {}
            for _ in range(8):  # until no name is of a wider type than it was read with
                function = _Function(self, node, kinds, known)
                mangled, text = function.write(f"_ZN{len(self.home)}{self.home}{len(name)}{name}E{len(self.done)}")
                known = function.kinds
                if not function.again:
                    break
            else:
                raise TranslationError(f"types in {name}")
            self.done[key] = mangled, known.get(RESULT)
            self.written.append(text)
        return self.done[key]

    def table(self, name: str, numbers: Any) -> Value:
        """A tuple or an array that the module defines, as a constant."""
        if isinstance(numbers, tuple):
            kinds = {constant(x).kind for x in numbers if isinstance(x, bool | int | float)}
            if len(kinds) != 1 or not all(isinstance(x, bool | int | float) for x in numbers):
                raise TranslationError(f"the tuple {name}")
            (kind,), axes, flat = kinds, 1, list(numbers)
            shape: tuple[int, ...] = (len(flat),)
        else:
            if numbers.dtype.name not in _DTYPES or not 1 <= numbers.ndim <= 2:
                raise TranslationError(f"the array {name}")
            kind, axes, shape = _DTYPES[numbers.dtype.name], numbers.ndim, numbers.shape
            flat = numbers.ravel().tolist()
        of = llvm(kind)
        items = ", ".join(f"{of} {constant(x, 'i' if kind in SHORT else kind).text}" for x in flat)
        whole = f"[{items}]" if flat else "zeroinitializer"
        self.tables[name] = f"@table.{name} = private unnamed_addr constant [{len(flat)} x {of}] {whole}, align 8"
        return Value(Array(kind, axes), f"@table.{name}", numbers, tuple(map(str, shape)))


class _Function(Expressions):
    """One function for one set of argument types."""

    def __init__(
        self, module: _Module, node: ast.FunctionDef, arguments: tuple[Any, ...], known: Mapping[str, Any]
    ) -> None:
        super().__init__(module, node.name)
        self.node, self.arguments = node, arguments
        self.kinds |= known
        self.stored |= _stored(node.body)
        self.loops: list[tuple[str, str]] = []

    def write(self, name: str) -> tuple[str, str]:
        """Its name and its text."""
        spec = self.node.args
        if spec.defaults or spec.kwonlyargs or spec.vararg or spec.kwarg or len(spec.args) != len(self.arguments):
            raise TranslationError(f"the arguments of {self.name}")
        passed = []
        decorated = [d.id for d in self.node.decorator_list if isinstance(d, ast.Name)]
        if len(decorated) != len(self.node.decorator_list) or len(decorated) != 1 or decorated[0] not in _DECORATED:
            raise TranslationError(f"{self.name} is compiled in a way of its own")
        for argument, kind in zip(spec.args, self.arguments, strict=True):
            local = f"%a.{argument.arg}"
            if isinstance(kind, Array):
                shape = tuple(f"{local}.{k}" for k in range(kind.axes))
                passed += [f"ptr {local}", *(f"i64 {x}" for x in shape)]
                if argument.arg in self.stored:
                    raise TranslationError(f"the array {argument.arg} is given anew")
                self.given[argument.arg] = Value(kind, local, None, shape)
                continue
            passed.append(f"{llvm(kind)} {local}")
            if argument.arg in self.stored:
                self.store(argument.arg, Value(kind, local))
            else:
                self.given[argument.arg] = Value(kind, local)
        self.body(self.node.body)
        result = self.kinds.get(RESULT)
        if self.open:
            if result is not None:
                raise TranslationError(f"{self.name} may end without a result")
            self.lines.append("  ret void")
        rooms = [
            f"  %x.{x} = alloca {llvm(kind)}\n  store {llvm(kind)} zeroinitializer, ptr %x.{x}"
            for x, kind in self.kinds.items()
            if x != RESULT
        ]
        inlined = _DECORATED[decorated[0]]
        head = f"define linkonce_odr {llvm(result)} @{name}({', '.join(passed)}){inlined} nounwind {{"
        return name, "\n".join([head, *rooms, *self.lines, "}\n"])

    # statements

    def body(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            if not self.open:
                return
            how = getattr(self, f"do_{type(statement).__name__}", None)
            if how is None:
                raise TranslationError(f"{type(statement).__name__} in {self.name}")
            how(statement)

    def store(self, name: str, a: Value) -> None:
        if isinstance(a.kind, Array) or a.kind is None:
            raise TranslationError(f"{name} is no number")
        kind = self.widened(name, a.kind)
        a = self.cast(a, kind)
        self.lines.append(f"  store {llvm(kind)} {a.text}, ptr %x.{name}")

    def widened(self, name: str, kind: Any) -> Any:
        """The type of a name that is given a value of this type."""
        before = self.kinds.get(name, kind)
        self.kinds[name] = together(before, kind)
        self.again = self.again or self.kinds[name] != before
        return self.kinds[name]

    def do_Pass(self, _statement: ast.Pass) -> None:
        """Nothing."""

    def do_Expr(self, statement: ast.Expr) -> None:
        if not isinstance(statement.value, ast.Constant):
            self.value(statement.value)

    def do_Return(self, statement: ast.Return) -> None:
        if statement.value is None:
            if RESULT in self.kinds:
                raise TranslationError(f"{self.name} gives something and nothing")
            self.lines.append("  ret void")
        else:
            a = self.value(statement.value)
            if isinstance(a.kind, Array) or a.kind is None:
                raise TranslationError(f"{self.name} gives no number")
            kind = self.widened(RESULT, a.kind)
            self.lines.append(f"  ret {llvm(kind)} {self.cast(a, kind).text}")
        self.open = False

    def do_Assign(self, statement: ast.Assign) -> None:
        (target,) = statement.targets
        if isinstance(target, ast.Tuple):
            if isinstance(statement.value, ast.Tuple):
                parts = [self.value(x) for x in statement.value.elts]
            else:
                whole = self.value(statement.value)
                if not isinstance(whole.kind, tuple):
                    raise TranslationError("several names for one value")
                parts = [self.part(whole, k) for k in range(len(whole.kind))]
            for one, part in zip(target.elts, parts, strict=True):
                self.assign(one, part)
        else:
            self.assign(target, self.value(statement.value))

    def assign(self, target: ast.expr, a: Value) -> None:
        if isinstance(target, ast.Name):
            self.store(target.id, a)
        elif isinstance(target, ast.Subscript):
            place, of = self.place(target)
            self.lines.append(f"  store {llvm(of)} {self.cast(a, of).text}, ptr {place}")
        else:
            raise TranslationError(f"{ast.unparse(target)} = ...")

    def do_AugAssign(self, statement: ast.AugAssign) -> None:
        target = statement.target
        if isinstance(target, ast.Name):
            a = self.value(ast.Name(target.id, ast.Load()))
            self.store(target.id, self.binary(statement.op, a, self.value(statement.value)))
        elif isinstance(target, ast.Subscript):
            place, of = self.place(target)
            a = self.loaded(place, of)
            a = self.binary(statement.op, a, self.value(statement.value))
            self.lines.append(f"  store {llvm(of)} {self.cast(a, of).text}, ptr {place}")
        else:
            raise TranslationError(ast.unparse(target))

    def do_If(self, statement: ast.If) -> None:
        condition = self.truth(self.value(statement.test))
        if condition.known is not None:
            self.body(statement.body if condition.known else statement.orelse)
            return
        yes, no, end = self.labels("then", "else", "end")
        self.branch(condition, yes, no)
        after = False
        for label, part in ((yes, statement.body), (no, statement.orelse)):
            self.begin(label)
            self.body(part)
            after = after or self.open
            self.go(end)
        if after:
            self.begin(end)

    def do_While(self, statement: ast.While) -> None:
        if statement.orelse:
            raise TranslationError("else of a loop")
        test, body, end = self.labels("while", "do", "done")
        self.go(test)
        self.begin(test)
        condition = self.truth(self.value(statement.test))
        if condition.known is False:
            self.go(end)
        else:
            if condition.known is None:
                self.branch(condition, body, end)
            else:
                self.go(body)
            self.begin(body)
            here = len(self.lines)
            self.loops.append((test, end))
            self.body(statement.body)
            self.loops.pop()
            self.go(test)
            if condition.known and f"  br label %{end}" not in self.lines[here:]:
                return  # there is no way out but a return
        self.begin(end)

    def do_For(self, statement: ast.For) -> None:
        call, target = statement.iter, statement.target
        is_range = isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "range"
        if statement.orelse or not is_range or not isinstance(target, ast.Name) or "range" in self.module.names:
            raise TranslationError("a loop over something else than a range")
        assert isinstance(call, ast.Call)
        bounds = [self.value(x) for x in call.args]
        start, stop = (constant(0), bounds[0]) if len(bounds) == 1 else bounds[:2]
        step = bounds[2] if len(bounds) == 3 else constant(1)
        if {start.kind, stop.kind, step.kind} != {"i"} or not step.known:
            raise TranslationError(f"the range {ast.unparse(call)}")
        if start.known is not None and stop.known is not None and not range(start.known, stop.known, step.known):
            return
        test, body, on, end = self.labels("for", "do", "next", "done")
        before = self.block
        self.go(test)
        self.begin(test)
        number, following = f"%k.{test}", f"%n.{test}"
        self.lines.append(f"  {number} = phi i64 [{start.text}, %{before}], [{following}, %{on}]")
        more = self.put(f"icmp {'slt' if step.known > 0 else 'sgt'} i64 {number}, {stop.text}")
        self.branch(Value("b", more), body, end)
        self.begin(body)
        self.store(target.id, Value("i", number))
        outer = self.given.get(target.id)
        if target.id not in _stored(statement.body):
            self.given[target.id] = Value("i", number)  # whole in here, whatever the name is elsewhere
        self.loops.append((on, end))
        self.body(statement.body)
        self.loops.pop()
        self.given.pop(target.id, None)
        if outer is not None:
            self.given[target.id] = outer
        self.go(on)
        self.begin(on)
        self.lines.append(f"  {following} = add nsw i64 {number}, {step.text}")
        self.go(test)
        self.begin(end)

    def do_Continue(self, _statement: ast.Continue) -> None:
        self.go(self.loops[-1][0])

    def do_Break(self, _statement: ast.Break) -> None:
        self.go(self.loops[-1][1])


def _stored(statements: list[ast.stmt]) -> set[str]:
    """The names that are given something."""
    parts = (part for statement in statements for part in ast.walk(statement))
    return {part.id for part in parts if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
