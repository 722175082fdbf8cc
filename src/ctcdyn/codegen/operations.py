"""Numbers of a kernel in LLVM's language: types, conversions, operators and the few functions that kernels call.

Every operation is the one that numba makes of the same types (its `cpython/numbers.py`, numpy's error model): what a
kernel computes is the same, bit for bit, whoever translates it. What is not here, or what numba's versions differ in
(an int64 and a uint64 in one sum), is `TranslationError`, and numba compiles the kernel.

Types: "f" float64, "i" int64, "u" uint64, "b" boolean, a tuple of types, None for nothing, and an `Array`.
"""

from __future__ import annotations

import ast
import operator
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

LLVM = {"f": "double", "i": "i64", "u": "i64", "b": "i1", "B": "i8", "h": "i16"}
SHORT = ("B", "h")  # of arrays only: read as "i"
_LOW, _HIGH = -(2**63), 2**63 - 1

FUNCTIONS = """
declare double @llvm.fabs.f64(double)
declare double @llvm.sqrt.f64(double)
declare double @llvm.floor.f64(double)
declare double @llvm.ceil.f64(double)
declare double @llvm.pow.f64(double, double)

define linkonce_odr {i64, i64} @ctcdyn_divmod(i64 %x, i64 %y) alwaysinline nounwind {
  %zero = icmp eq i64 %y, 0
  br i1 %zero, label %none, label %some
some:
  %low = icmp eq i64 %x, -9223372036854775808
  %back = icmp eq i64 %y, -1
  %over = and i1 %low, %back
  br i1 %over, label %none, label %divide
divide:
  %q = sdiv i64 %x, %y
  %r = srem i64 %x, %y
  %signs = xor i64 %y, %r
  %differ = icmp slt i64 %signs, 0
  %rest = icmp ne i64 %r, 0
  %down = and i1 %rest, %differ
  %q1 = sub i64 %q, 1
  %r1 = add i64 %r, %y
  %q2 = select i1 %down, i64 %q1, i64 %q
  %r2 = select i1 %down, i64 %r1, i64 %r
  br label %none
none:
  %a = phi i64 [0, %0], [0, %some], [%q2, %divide]
  %b = phi i64 [0, %0], [0, %some], [%r2, %divide]
  %one = insertvalue {i64, i64} undef, i64 %a, 0
  %two = insertvalue {i64, i64} %one, i64 %b, 1
  ret {i64, i64} %two
}

define linkonce_odr double @ctcdyn_mod(double %x, double %y) alwaysinline nounwind {
  %m = frem double %x, %y
  %some = fcmp une double %m, 0.0
  %below = fcmp olt double %y, 0.0
  %under = fcmp olt double %m, 0.0
  %differ = xor i1 %below, %under
  %m1 = fadd double %m, %y
  %m2 = select i1 %differ, double %m1, double %m
  %m3 = select i1 %below, double -0.0, double 0.0
  %m4 = select i1 %some, double %m2, double %m3
  %zero = fcmp oeq double %y, 0.0
  %m5 = select i1 %zero, double %m, double %m4
  ret double %m5
}

define linkonce_odr double @ctcdyn_power(double %a, i64 %b) nounwind {
  %negative = icmp slt i64 %b, 0
  %minus = sub i64 0, %b
  %e = select i1 %negative, i64 %minus, i64 %b
  %large = icmp ugt i64 %e, 65536
  br i1 %large, label %general, label %test
general:
  %y = sitofp i64 %b to double
  %p = call double @llvm.pow.f64(double %a, double %y)
  ret double %p
test:
  %r = phi double [1.0, %0], [%r2, %round]
  %s = phi double [%a, %0], [%s1, %round]
  %n = phi i64 [%e, %0], [%n1, %round]
  %more = icmp ne i64 %n, 0
  br i1 %more, label %round, label %end
round:
  %bit = and i64 %n, 1
  %odd = icmp ne i64 %bit, 0
  %r1 = fmul double %r, %s
  %r2 = select i1 %odd, double %r1, double %r
  %n1 = lshr i64 %n, 1
  %s1 = fmul double %s, %s
  br label %test
end:
  %inverse = fdiv double 1.0, %r
  %result = select i1 %negative, double %inverse, double %r
  ret double %result
}
"""


class TranslationError(Exception):
    """A statement or an expression that numba has to compile."""


@dataclass(frozen=True)
class Array:
    """Numbers in rows: of what type ("B": uint8, "h": int16), and along how many axes."""

    of: str
    axes: int


class Value(NamedTuple):
    """A value in LLVM's language: its type, its text, the number itself where it is known; lengths of an array."""

    kind: Any
    text: str
    known: Any = None
    shape: tuple[str, ...] = ()


def llvm(kind: Any) -> str:
    """LLVM's name of a type."""
    if kind is None:
        return "void"
    if isinstance(kind, Array):
        raise TranslationError("an array as a value")
    return "{" + ", ".join(map(llvm, kind)) + "}" if isinstance(kind, tuple) else LLVM[kind]


def constant(number: Any, kind: str | None = None) -> Value:
    """A number that is known."""
    if kind is None:
        kind = "b" if isinstance(number, bool) else "f" if isinstance(number, float) else "i"
        kind = "u" if kind == "i" and number > _HIGH else kind
    if kind == "b":
        return Value("b", "true" if number else "false", bool(number))
    if kind == "f":
        (bits,) = struct.unpack("<Q", struct.pack("<d", float(number)))
        return Value("f", f"0x{bits:016X}", float(number))
    low, high = (_LOW, _HIGH) if kind == "i" else (0, 2**64 - 1)
    if not low <= number <= high:
        raise TranslationError(f"{number} is no 64-bit number")
    return Value(kind, str(int(number)), int(number))


def together(a: Any, b: Any) -> Any:
    """The type that holds both."""
    if a == b:
        return a
    if {a, b} == {"i", "f"}:
        return "f"
    if isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b):
        return tuple(map(together, a, b))
    raise TranslationError(f"one name for {a} and {b}")


_CASTS = {
    ("i", "f"): "sitofp", ("u", "f"): "uitofp", ("b", "f"): "uitofp", ("f", "i"): "fptosi", ("f", "u"): "fptoui",
    ("b", "i"): "zext", ("b", "u"): "zext", ("i", "B"): "trunc", ("u", "B"): "trunc", ("b", "B"): "zext",
    ("B", "i"): "zext", ("B", "f"): "uitofp", ("h", "i"): "sext",
}  # fmt: skip
_ADD = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul"}
_BITS = {ast.BitAnd: "and", ast.BitOr: "or", ast.BitXor: "xor"}
_SHIFTS = {ast.LShift: "shl", ast.RShift: "shr"}
_ORDER = {ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge", ast.Eq: "eq", ast.NotEq: "ne"}
_KNOWN: dict[Any, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_, ast.BitXor: operator.xor, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.Eq: operator.eq, ast.NotEq: operator.ne,
}  # fmt: skip


class Operations:
    """Writes operations one after the other: the text of a block of LLVM's language, in `lines`."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.names = 0

    def put(self, text: str) -> str:
        """One instruction; gives the name of its result."""
        self.names += 1
        name = f"%v{self.names}"
        self.lines.append(f"  {name} = {text}")
        return name

    def cast(self, a: Value, kind: Any) -> Value:
        """The same number in another type."""
        if a.kind == kind:
            return a
        if isinstance(kind, tuple) and isinstance(a.kind, tuple) and len(kind) == len(a.kind):
            return self.tuple_of([self.cast(self.part(a, k), one) for k, one in enumerate(kind)])
        if {a.kind, kind} == {"i", "u"}:
            known = None if a.known is None else a.known % 2**64 if kind == "u" else (a.known + 2**63) % 2**64 - 2**63
            return Value(kind, a.text) if known is None else constant(known, kind)
        if a.known is not None and kind in ("f", "i", "u") and (a.kind != "f" or a.known == a.known // 1):
            number = float(a.known) if kind == "f" else int(a.known)
            if kind == "f" or (_LOW if kind == "i" else 0) <= number <= _HIGH:
                return constant(number, kind)
        how = _CASTS.get((a.kind, kind)) if not isinstance(a.kind, tuple) else None
        if how is None:
            raise TranslationError(f"{a.kind} as {kind}")
        return Value(kind, self.put(f"{how} {llvm(a.kind)} {a.text} to {LLVM[kind]}"))

    def truth(self, a: Value) -> Value:
        """Whether a number is not zero."""
        if a.kind == "b":
            return a
        return self.compare(ast.NotEq(), a, constant(0.0 if a.kind == "f" else 0, a.kind))

    def tuple_of(self, parts: list[Value]) -> Value:
        """Several values as one."""
        kind = tuple(part.kind for part in parts)
        if any(isinstance(part, Array) or part is None for part in kind):
            raise TranslationError("an array in a tuple")
        text = "undef"
        for k, part in enumerate(parts):
            text = self.put(f"insertvalue {llvm(kind)} {text}, {llvm(part.kind)} {part.text}, {k}")
        return Value(kind, text)

    def part(self, a: Value, k: int) -> Value:
        """One of several values."""
        return Value(a.kind[k], self.put(f"extractvalue {llvm(a.kind)} {a.text}, {k}"))

    def unary(self, op: ast.unaryop, a: Value) -> Value:
        """-a, ~a, not a."""
        if isinstance(op, ast.Not):
            b = self.truth(a)
            return constant(not b.known) if b.known is not None else Value("b", self.put(f"xor i1 {b.text}, true"))
        if isinstance(op, ast.USub) and a.kind in ("f", "i"):
            if a.known is not None and a.known != _LOW:
                return constant(-a.known, a.kind)
            if a.kind == "f":
                return Value("f", self.put(f"fsub double -0.0, {a.text}"))
            return Value("i", self.put(f"sub i64 0, {a.text}"))
        if isinstance(op, ast.Invert) and a.kind in ("i", "u", "b"):
            return Value(a.kind, self.put(f"xor {llvm(a.kind)} {a.text}, {'true' if a.kind == 'b' else -1}"))
        raise TranslationError(f"{type(op).__name__} of {a.kind}")

    def binary(self, op: ast.operator, a: Value, b: Value) -> Value:
        """a op b."""
        how = type(op)
        if isinstance(op, ast.Pow):
            return self._power(a, b)
        if how in _SHIFTS and a.kind in ("i", "u") and b.kind in ("i", "u"):
            name = "shl" if how is ast.LShift else "ashr" if a.kind == "i" else "lshr"
            return Value(a.kind, self.put(f"{name} i64 {a.text}, {b.text}"))
        if isinstance(op, ast.Div):
            a, b = self.cast(a, "f"), self.cast(b, "f")
            return Value("f", self.put(f"fdiv double {a.text}, {b.text}"))
        kinds = {a.kind, b.kind} if not isinstance(a.kind, tuple) and not isinstance(b.kind, tuple) else {None}
        if how in _BITS and kinds in ({"i"}, {"u"}, {"b"}):
            kind = a.kind
        elif "f" in kinds and kinds <= {"f", "i", "u"} and how not in _BITS:
            kind = "f"
        elif kinds in ({"i"}, {"u"}):
            kind = a.kind
        else:
            raise TranslationError(f"{how.__name__} of {a.kind} and {b.kind}")
        a, b = self.cast(a, kind), self.cast(b, kind)
        if a.known is not None and b.known is not None and how in _KNOWN:
            number = _KNOWN[how](a.known, b.known)
            if kind != "i" or _LOW <= number <= _HIGH:
                return constant(number % 2**64 if kind == "u" else number, kind)
        if how in _BITS:
            return Value(kind, self.put(f"{_BITS[how]} {llvm(kind)} {a.text}, {b.text}"))
        if how in _ADD:
            return Value(kind, self.put(f"{'f' * (kind == 'f')}{_ADD[how]} {llvm(kind)} {a.text}, {b.text}"))
        if how in (ast.FloorDiv, ast.Mod) and kind == "i":
            if a.known is not None and b.known:
                return constant(a.known // b.known if how is ast.FloorDiv else a.known % b.known)
            both = self.put(f"call {{i64, i64}} @ctcdyn_divmod(i64 {a.text}, i64 {b.text})")
            return self.part(Value(("i", "i"), both), 0 if how is ast.FloorDiv else 1)
        if how is ast.Mod and kind == "f":
            return Value("f", self.put(f"call double @ctcdyn_mod(double {a.text}, double {b.text})"))
        raise TranslationError(f"{how.__name__} of {a.kind} and {b.kind}")

    def _power(self, a: Value, b: Value) -> Value:
        if a.kind != "f" or b.kind != "i":
            raise TranslationError(f"{a.kind} to the power of {b.kind}")
        if b.known is None or abs(b.known) > 64:
            return Value("f", self.put(f"call double @ctcdyn_power(double {a.text}, i64 {b.text})"))
        result, left = constant(1.0), abs(b.known)
        while left:
            if left & 1:
                result = Value("f", self.put(f"fmul double {result.text}, {a.text}"))
            left >>= 1
            a = Value("f", self.put(f"fmul double {a.text}, {a.text}"))
        return result if b.known >= 0 else self.binary(ast.Div(), constant(1.0), result)

    def compare(self, op: ast.cmpop, a: Value, b: Value) -> Value:
        """Whether a op b."""
        if type(op) not in _ORDER or isinstance(a.kind, tuple) or isinstance(b.kind, tuple):
            raise TranslationError(f"{type(op).__name__} of {a.kind} and {b.kind}")
        small = [x.known is not None and x.kind == "i" and 0 <= x.known < 2**53 for x in (a, b)]
        if {a.kind, b.kind} == {"i", "u"} and any(small):
            kind = "u"
        else:
            kind = "f" if "f" in (a.kind, b.kind) else together(a.kind, b.kind)
        if "b" in (a.kind, b.kind) and a.kind != b.kind:
            raise TranslationError("a truth value and a number")
        a, b = self.cast(a, kind), self.cast(b, kind)
        if a.known is not None and b.known is not None:
            return constant(bool(_KNOWN[type(op)](a.known, b.known)))
        name = _ORDER[type(op)]
        if kind == "f":
            return Value("b", self.put(f"fcmp {'u' if name == 'ne' else 'o'}{name} double {a.text}, {b.text}"))
        sign = "" if name in ("eq", "ne") else "s" if kind == "i" else "u"
        return Value("b", self.put(f"icmp {sign}{name} {llvm(kind)} {a.text}, {b.text}"))

    def select(self, condition: Value, a: Value, b: Value) -> Value:
        """`pick` of kernels/machine.py: both are there already."""
        kind = "u" if a.kind == b.kind == "u" else "f"
        if condition.kind != "b":
            raise TranslationError("pick by a number")
        a, b = self.cast(a, kind), self.cast(b, kind)
        return Value(kind, self.put(f"select i1 {condition.text}, {llvm(kind)} {a.text}, {llvm(kind)} {b.text}"))

    def built_in(self, name: str, args: list[Value]) -> Value:
        """A function that is known by its name."""
        kinds = tuple(a.kind for a in args)
        if name in ("int64", "uint64", "float") and len(args) == 1 and kinds[0] in ("f", "i", "u", "b"):
            if name == "float" and kinds[0] == "b":
                raise TranslationError("float of a truth value")
            return self.cast(args[0], {"int64": "i", "uint64": "u", "float": "f"}[name])
        if name == "int" and kinds in (("f",), ("i",), ("u",)):
            return args[0] if kinds != ("f",) else self.cast(args[0], "i")
        if name == "pick" and len(args) == 3:
            return self.select(*args)
        if name == "float_from_bits" and kinds == ("u",):
            return Value("f", self.put(f"bitcast i64 {args[0].text} to double"))
        if name == "bits_from_float" and kinds == ("f",):
            return Value("u", self.put(f"bitcast double {args[0].text} to i64"))
        if name in ("min", "max") and len(args) >= 2:
            best = args[0]
            for one in args[1:]:
                kind = together(best.kind, one.kind)
                if kind not in ("f", "i"):
                    raise TranslationError(f"{name} of {kinds}")
                best, one = self.cast(best, kind), self.cast(one, kind)
                first = self.compare(ast.Lt() if name == "min" else ast.Gt(), one, best)
                if first.known is not None:
                    best = one if first.known else best
                else:
                    a, b = f"{llvm(kind)} {one.text}", f"{llvm(kind)} {best.text}"
                    best = Value(kind, self.put(f"select i1 {first.text}, {a}, {b}"))
            return best
        intrinsic = {"abs": "fabs", "np.sqrt": "sqrt", "np.floor": "floor", "np.ceil": "ceil"}.get(name)
        if intrinsic and kinds == ("f",):
            return Value("f", self.put(f"call double @llvm.{intrinsic}.f64(double {args[0].text})"))
        if name == "abs" and kinds == ("i",):
            negative = self.compare(ast.Lt(), args[0], constant(0))
            minus = self.unary(ast.USub(), args[0])
            return Value("i", self.put(f"select i1 {negative.text}, i64 {minus.text}, i64 {args[0].text}"))
        raise TranslationError(f"{name} of {kinds}")
